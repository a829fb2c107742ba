"""Whole clusters in virtual time, from a seed: real orchestrators and compute nodes, with faults.

A seed decides everything: the cluster, its jobs, every delay and every order of events, which
messages are lost, which machines die and when. The code under test runs unchanged; its stores,
network, engines and clocks are simulated. An oracle watches what becomes durable, what runs and
what clients are told, and a broken promise is reported with the command that shows it again::

    python -m bacalhau.simulation --seeds 500
"""
