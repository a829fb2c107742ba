"""One suite of tests for each port, run over every implementation and fake."""
