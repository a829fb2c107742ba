"""The small languages of the flags that build jobs: inputs, outputs, publishers, whole jobs."""
