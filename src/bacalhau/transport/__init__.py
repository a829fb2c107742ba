"""Ways to carry envelopes: in memory, within one process."""
