"""Which server holds a bucket, who asks it, and whether it may see what this machine signs."""
