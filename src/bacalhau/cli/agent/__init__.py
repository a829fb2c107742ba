"""Commands of `bacalhau agent`."""
