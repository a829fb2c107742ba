from tests.support.docker import (  # noqa: F401
    docker_daemon,
    docker_registry,
    private_registry,
)
