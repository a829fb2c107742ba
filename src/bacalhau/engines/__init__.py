"""Ways to run tasks: containers (``docker``) and WebAssembly modules (``wasm``)."""
