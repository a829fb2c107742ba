"""Messages between orchestrator and compute nodes, and their order on the wire."""
