"""Logs of the server."""
