"""`bacalhau config`: what is set, and setting it."""
