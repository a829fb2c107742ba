"""Results in a bucket: where they go, storing them, and links to them."""
