"""The node's cache of inputs: ``book`` decides, ``files`` and ``index`` do, ``keeper`` is both."""
