"""Keeps jobs and decides where their executions run."""
