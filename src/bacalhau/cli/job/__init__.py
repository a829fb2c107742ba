"""Commands of `bacalhau job`."""
