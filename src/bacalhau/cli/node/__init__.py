"""Commands of `bacalhau node`."""
