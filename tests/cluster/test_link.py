"""Addresses of clusters: what is none, and what is open to all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from rtvfi.cluster.link import Link, check_installed
from rtvfi.core.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:8786", "tcp://127.0.0.1:8786", "localhost:1", "[::1]:8786", "10.1.2.3:80"],
)
def test_private_addresses_are_spoken_to(address: str) -> None:
    Link(address).check()


@pytest.mark.parametrize("address", ["", "8786", "host", "host:", ":1", "http://host:1", "a b"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a scheduler"):
        Link(address).check()


@pytest.mark.parametrize("address", ["8.8.8.8:8786", "[2001:4860:4860::8888]:8786"])
def test_nobody_outside_is_spoken_to_without_encryption(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a private network") as caught:
        Link(address).check()
    assert "--tls-ca" in caught.value.hint
    pem = tmp_path / "a.pem"
    pem.touch()
    link = Link(address, pem, pem, pem)
    link.check()
    assert link.full_address == f"tls://{address}"


def test_a_host_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ClusterError, match="was not found"):
        Link("nowhere.invalid:1").check()


def test_certificates_belong_together(tmp_path: Path) -> None:
    pem = tmp_path / "a.pem"
    with pytest.raises(UsageError, match="must be given together"):
        Link("127.0.0.1:1", pem).check()
    with pytest.raises(UsageError, match="there is no file"):
        Link("127.0.0.1:1", pem, pem, pem).check()


def test_the_package_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="needs the package distributed"):
        check_installed()
