"""Commands of `bacalhau wasm`."""
