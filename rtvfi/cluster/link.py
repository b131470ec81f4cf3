"""The way to a Dask cluster: the optional package, addresses that are allowed, encryption."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtvfi.core.errors import ClusterError, UsageError, first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import distributed

_CONNECT_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Link:
    """An address of a scheduler and how it is spoken to."""

    address: str
    """HOST:PORT, or with ``tcp://`` or ``tls://`` before it."""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    """PEM files; all three or none. With them everything is encrypted, and both sides prove who
    they are."""

    @property
    def is_encrypted(self) -> bool:
        """Whether certificates were named."""
        return self.ca is not None

    @property
    def full_address(self) -> str:
        """With its protocol."""
        plain = re.sub(r"^(tcp|tls)://", "", self.address)
        return f"{'tls' if self.is_encrypted else 'tcp'}://{plain}"

    def security(self) -> distributed.Security | None:
        """As Dask takes it; None without encryption."""
        if not self.is_encrypted:
            return None
        import distributed

        cert, key = str(self.cert), str(self.key)
        return distributed.Security(
            require_encryption=True,
            tls_ca_file=str(self.ca),
            **{f"tls_{who}_cert": cert for who in ("client", "worker")},
            **{f"tls_{who}_key": key for who in ("client", "worker")},
        )

    def check(self) -> None:
        """Refuse what is no address, and whatever lies beyond a private network without encryption:
        whoever speaks to a worker can have it run anything.

        Raises:
            UsageError: with what to do.
        """
        found = re.fullmatch(r"(?:tcp://|tls://)?(\[[^\]]+\]|[^:/\[\]]+):(\d+)", self.address)
        if found is None:
            raise UsageError(
                f'"{self.address}" is no address of a scheduler, expected HOST:PORT',
                "dask scheduler prints its address",
            )
        files = (self.ca, self.cert, self.key)
        if any(files) and not all(files):
            raise UsageError("--tls-ca, --tls-cert and --tls-key belong together")
        for file in filter(None, files):
            if not file.is_file():
                raise UsageError(f'there is no file "{file}"')
        if not self.is_encrypted:
            _check_private(found[1].strip("[]"))


def _check_private(host: str) -> None:
    try:
        rows = socket.getaddrinfo(host, None)
    except OSError as error:
        raise ClusterError(f'there is no host "{host}": {first_line(error)}') from error
    for *_, place in rows:
        ip = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if not (ip.is_loopback or ip.is_private):
            raise UsageError(
                f"{host} is in no private network, and a cluster without encryption is open to all",
                "--tls-ca, --tls-cert and --tls-key encrypt it, see docs/cluster.md",
            )


def check_installed() -> None:
    """Raise UsageError where the optional package is missing."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "a cluster needs the package distributed, which is not installed",
            'pip install "rtvfi[cluster]"',
        ) from error


@contextmanager
def connected(link: Link) -> Iterator[distributed.Client]:
    """A Dask client.

    Raises:
        UsageError: the address is not allowed, or the package missing.
        ClusterError: nobody answers.
    """
    link.check()
    check_installed()
    import distributed

    for name in ("distributed", "asyncio"):  # it reports what we report in one sentence
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(
            link.full_address,
            security=link.security(),
            timeout=_CONNECT_SECONDS,
            set_as_default=False,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ClusterError(
            f"no scheduler answers at {link.full_address}: {first_line(error)}",
            "dask scheduler starts one and prints its address",
        ) from error
    with client:
        yield client
