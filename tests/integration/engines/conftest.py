from tests.support.docker import docker_daemon, docker_registry  # noqa: F401
