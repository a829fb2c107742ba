"""Everything about S3 that sources and publishers share, in rooms.

Each uses those above it only; transfer and results do not know each other::

    server        which server holds a bucket, and who asks it
    connections   to a server, past the general HTTP client
    requests      one request, its answer, and what a refusal means
    inputs        which objects an input is, and where they go
    transfer      fetching these objects
    results       storing results, and links to them
"""
