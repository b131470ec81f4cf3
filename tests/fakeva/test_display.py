"""The display that tests bring along stays theirs."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from fakeva.driver import Display

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def display() -> Generator[Display]:
    if shutil.which("Xvfb") is None:
        pytest.skip("no Xvfb")
    display = Display()
    yield display
    display.close()


def test_a_display_that_runs_is_kept(display: Display) -> None:
    assert display.name() == display.name()
    first = display._server
    display.name()
    assert display._server is first


def test_a_display_that_died_is_started_anew(display: Display) -> None:
    display.name()
    first = display._server
    assert first is not None
    first.terminate()
    first.wait()
    assert display.name()
    assert display._server is not first
    assert display._is_there()


def test_a_number_that_another_server_owns_now_is_left(display: Display) -> None:
    other = Display()
    theirs = other.name()
    try:
        display.name()
        display._number = int(theirs.removeprefix(":"))
        assert display.name() != theirs
        assert other._is_there()
    finally:
        other.close()
