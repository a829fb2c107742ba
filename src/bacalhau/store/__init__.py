"""Implementations of the stores (``ports.JobStore`` and ``ports.ExecutionStore``)."""
