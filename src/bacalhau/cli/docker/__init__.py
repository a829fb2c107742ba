"""Commands of `bacalhau docker`."""
