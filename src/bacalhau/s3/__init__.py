"""Everything about S3 that sources and publishers share: where, who, what, and moving bytes."""
