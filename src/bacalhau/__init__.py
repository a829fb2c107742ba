"""Compute over data: run containers and WebAssembly where the data is."""
