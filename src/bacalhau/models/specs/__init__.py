"""Parameters of the engines, sources and publishers that come with this program.

The rules here need neither a node nor a server: command line and orchestrator refuse with them what
could never run, and the plug-ins read their parameters with them. What only a plug-in can tell,
such as whether a pattern is one, it judges itself (``ports.Plugin.check``).
"""
