"""The compute node: bids for executions, runs them, publishes results and reports back."""
