"""Connections past the general HTTP client: a lane for small objects, a pipe for large ones."""
