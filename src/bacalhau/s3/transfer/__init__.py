"""Fetching the objects of a plan, as files whose SHA-256 is known."""
