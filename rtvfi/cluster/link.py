"""The connection to a Dask cluster: the optional package, allowed addresses, encryption."""

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
    """The address of a scheduler and how to connect to it."""

    address: str
    """HOST:PORT, optionally with ``tcp://`` or ``tls://`` before it."""
    ca: Path | None = None
    """Certificate of the authority that signed the other certificates. ``ca``, ``cert`` and ``key``
    are PEM files; all three or none. With them, all traffic is encrypted and both sides
    authenticate.
    """
    cert: Path | None = None
    """This machine's certificate."""
    key: Path | None = None
    """This machine's key."""

    @property
    def is_encrypted(self) -> bool:
        """Whether certificates were given."""
        return self.ca is not None

    @property
    def full_address(self) -> str:
        """The address with its protocol."""
        plain = re.sub(r"^(tcp|tls)://", "", self.address)
        return f"{'tls' if self.is_encrypted else 'tcp'}://{plain}"

    def security(self) -> distributed.Security | None:
        """The encryption settings as Dask expects them; None without encryption."""
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
        """Refuse invalid addresses, and unencrypted connections beyond private networks: whoever
        can reach a worker can run any code on it.

        Raises:
            UsageError: the address or a certificate file is not usable.
            ClusterError: the host name cannot be resolved.
        """
        found = re.fullmatch(r"(?:tcp://|tls://)?(\[[^\]]+\]|[^:/\[\]]+):(\d+)", self.address)
        if found is None:
            raise UsageError(
                f'"{self.address}" is not the address of a scheduler, expected HOST:PORT',
                "dask scheduler prints its address",
            )
        files = (self.ca, self.cert, self.key)
        if any(files) and not all(files):
            raise UsageError("--tls-ca, --tls-cert and --tls-key must be given together")
        for file in filter(None, files):
            if not file.is_file():
                raise UsageError(f'there is no file "{file}"')
        if not self.is_encrypted:
            _check_private(found[1].strip("[]"))


def _check_private(host: str) -> None:
    try:
        rows = socket.getaddrinfo(host, None)
    except OSError as error:
        raise ClusterError(f'the host "{host}" was not found: {first_line(error)}') from error
    for *_, place in rows:
        ip = ipaddress.ip_address(str(place[0]).partition("%")[0])
        if not (ip.is_loopback or ip.is_private):
            raise UsageError(
                f"{host} is not in a private network, so connections to it must be encrypted",
                "use --tls-ca, --tls-cert and --tls-key, see docs/cluster.md",
            )


def check_installed() -> None:
    """Raise UsageError if the optional package is not installed."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "a cluster needs the package distributed, which is not installed",
            'pip install "rtvfi[cluster]"',
        ) from error


@contextmanager
def connected(link: Link) -> Iterator[distributed.Client]:
    """A Dask client, connected to the scheduler and closed at the end.

    Raises:
        UsageError: the address is not allowed, or the package is not installed.
        ClusterError: the scheduler does not answer.
    """
    link.check()
    check_installed()
    import distributed

    for name in ("distributed", "asyncio"):  # silence them: we report the same errors ourselves
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
