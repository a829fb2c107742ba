"""The network of a task's container (spec engines.md 2.8, 2.9).

With the type HTTP, a container is alone in a network that leads nowhere but to this machine's
address in it. There, this process serves a proxy for the task: see ``_http_gateway``.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from bacalhau.engines.docker.container import HOST_NETWORK, NO_NETWORK, Attachment
from bacalhau.engines.docker.errors import COMPONENT, translated
from bacalhau.engines.docker.http_gateway import GatewayRules, http_gateway, reduced_domains
from bacalhau.errors import ExecutionError, TransientError
from bacalhau.lib.addresses import with_port
from bacalhau.models import NetworkType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from ipaddress import IPv4Network, IPv6Network

    import aiodocker

    from bacalhau.engines.docker.container import Owner
    from bacalhau.models import NetworkConfig
    from bacalhau.ports import TaskRun

NO_DOMAINS = (
    "invalid networking configuration, at least one domain is required when HTTP networking is"
    " enabled"
)
_PROXY_VARIABLE = "HTTP_PROXY="
_MODES = {NetworkType.NONE: NO_NETWORK, NetworkType.FULL: HOST_NETWORK}


def network_problem(network: NetworkConfig) -> str:
    """Return what a node cannot do of a network, as the end of "does not ...", or nothing."""
    if network.type in _MODES or network.type is NetworkType.HTTP:
        return ""
    return f'run docker tasks with network type "{network.type}", only None, HTTP and Full'


class Networks:
    """Makes the networks of tasks, and serves the proxy where there is one."""

    def __init__(
        self,
        docker: aiodocker.Docker,
        owner: Owner,
        private_networks: tuple[IPv4Network | IPv6Network, ...],
    ) -> None:
        self._docker = docker
        self._owner = owner
        self._private_networks = private_networks

    @asynccontextmanager
    async def attached(self, run: TaskRun) -> AsyncIterator[Attachment]:
        """Provide the network of a task that is to be started, while the context is open.

        The network itself stays and is found by the labels of its execution.

        Raises:
            ExecutionError: no domains are given.
            TransientError: the daemon is unwell, or not on this machine.
        """
        if run.network.type is not NetworkType.HTTP:
            yield Attachment(mode=_MODES[run.network.type])
            return
        rules = self._rules(run)
        name, address = await self._create(run)
        async with self._gateway(rules, address, 0) as port:
            yield Attachment(mode=name, env=_proxy_variables(address, port))

    @asynccontextmanager
    async def rejoined(self, run: TaskRun, variables: list[str]) -> AsyncIterator[None]:
        """Serve a task again that an earlier process started with these variables."""
        proxies = [
            word.rpartition("/")[2] for word in variables if word.startswith(_PROXY_VARIABLE)
        ]
        if run.network.type is not NetworkType.HTTP or not proxies:
            yield
            return
        # The last one is ours: it comes after what the image and the job say.
        address, _, port = proxies[-1].rpartition(":")
        async with self._gateway(self._rules(run), address, int(port)):
            yield

    def _rules(self, run: TaskRun) -> GatewayRules:
        domains = reduced_domains(run.network.domains)
        if not domains:
            raise ExecutionError(
                NO_DOMAINS, hint="list the domains in Network.Domains", component=COMPONENT
            )
        return GatewayRules(
            domains=domains, private_networks=self._private_networks, job_id=run.job_id
        )

    async def _create(self, run: TaskRun) -> tuple[str, str]:
        """Make a network that leads nowhere; return its name and this machine's address in it."""
        name = self._owner.network_name(run.job_id, run.execution_id)
        body = {
            "Name": name,
            "Driver": "bridge",
            "Internal": True,
            "Attachable": True,
            "CheckDuplicate": True,
            "Labels": self._owner.labels(run.job_id, run.execution_id),
        }
        with translated("create the network"):
            network = await self._docker.networks.create(body)
            return name, _address_in(await network.show())

    @asynccontextmanager
    async def _gateway(self, rules: GatewayRules, address: str, port: int) -> AsyncIterator[int]:
        async with AsyncExitStack() as stack:
            try:
                bound = await stack.enter_async_context(http_gateway(rules, address, port))
            except OSError as exc:
                raise TransientError(
                    f"cannot serve the HTTP network of a task at {address}: {exc.strerror or exc}",
                    hint="the Docker daemon must run on the node itself for such tasks",
                    component=COMPONENT,
                ) from exc
            yield bound


def _address_in(network: Mapping[str, Any]) -> str:
    (config, *_) = network["IPAM"]["Config"]
    if gateway := config.get("Gateway"):
        return str(gateway).partition("/")[0]
    return str(next(ip_network(config["Subnet"]).hosts()))


def _proxy_variables(address: str, port: int) -> dict[str, str]:
    """As v1.5 gives them, and in upper case as URLs: programs differ in what they look for."""
    place = with_port(address, port)
    return {
        "http_proxy": place,
        "https_proxy": place,
        "HTTP_PROXY": f"http://{place}",
        "HTTPS_PROXY": f"http://{place}",
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
    }
