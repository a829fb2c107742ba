"""Where executions run: pure functions from a snapshot to a plan."""
