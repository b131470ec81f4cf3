"""Hardware video for the tests of this room: a fake driver under a display of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fakeva import driver

from rtvfi.stream.decode import choose as decode_hardware
from rtvfi.stream.decode import hardware

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture(scope="session")
def _fakeva_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fakeva")
    driver.build(folder)
    return folder


@pytest.fixture(scope="session")
def _display(_fakeva_folder: Path) -> Generator[driver.Display]:
    display = driver.Display()
    yield display
    display.close()


@pytest.fixture
def hardware_unknown() -> Generator[None]:
    """What was found out about this machine is forgotten, before and after."""
    for _ in range(2):
        hardware.reset()
        decode_hardware.say_once.cache_clear()
        if _ == 0:
            yield


@pytest.fixture
def fakeva(
    monkeypatch: pytest.MonkeyPatch,
    _fakeva_folder: Path,
    _display: driver.Display,
    hardware_unknown: None,
) -> driver.FakeVaapi:
    """A working VA-API device without a GPU."""
    return driver.FakeVaapi(monkeypatch, _fakeva_folder, _display.name())
