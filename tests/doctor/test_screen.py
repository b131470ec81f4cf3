from __future__ import annotations

import ctypes.util
import socket
from typing import TYPE_CHECKING

import pytest
from fakeva import driver

from rtvfi.doctor import screen
from rtvfi.doctor.finding import Place

if TYPE_CHECKING:
    from pathlib import Path


def test_without_libmpv_nothing_can_be_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    (finding,) = screen.check_mpv(Place({}))
    assert (finding.level, "install" in finding.hint) == ("fail", True)


@pytest.mark.mpv
def test_a_player_without_a_window_tells_what_it_has() -> None:
    findings = {f.topic: f for f in screen.check_mpv(Place({}))}
    assert findings["mpv"].level == "ok"
    assert "sound" in findings


@pytest.mark.mpv
def test_supported_versions_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = [f.text for f in screen.check_mpv(Place({})) if f.topic == "mpv"]
    assert "mpv 0.35 to 0.41, tested with 0.35, 0.40, 0.41" in said[0]
    assert "plays tracks of rtvfi" in said


VERSIONS = {
    "mpv 0.34": "older",
    "mpv v0.37.0": "supported",
    "mpv v0.42.0": "newer",
    "mpv git": "not a release",
}


@pytest.mark.mpv
@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_set_beside_them_and_an_older_one_is_a_warning(version: str) -> None:
    (finding,) = screen._check_version(version)
    assert VERSIONS[version] in finding.text
    assert finding.level == ("warn" if VERSIONS[version] == "older" else "ok")


@pytest.mark.mpv
def test_an_option_that_is_missing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screen, "OPTIONS", ("osc", "no-such-option"))
    bad = [f for f in screen.check_mpv(Place({})) if f.level == "fail"]
    assert [f.text for f in bad] == ["this libmpv lacks no-such-option"]


def test_no_display_leaves_rendering() -> None:
    (finding,) = screen.check_display(Place({}))
    assert (finding.level, "render" in finding.hint) == ("warn", True)


def test_displays_that_do_not_answer_are_named() -> None:
    environ = {
        "DISPLAY": ":7654",
        "WAYLAND_DISPLAY": "wayland-7",
        "XDG_RUNTIME_DIR": "/nonexistent",
    }
    (finding,) = screen.check_display(Place(environ))
    assert finding.level == "warn"
    assert "/nonexistent/wayland-7" in finding.text


def test_an_x_server_that_answers_is_enough(tmp_path: Path) -> None:
    driver.build(tmp_path)  # skips where there is no Xvfb
    for display in driver.display():
        (finding,) = screen.check_display(Place({"DISPLAY": display}))
        assert (finding.level, display in finding.text) == ("ok", True)


def test_a_compositor_that_listens_is_enough(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "wayland-0"))
        environ = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": str(tmp_path)}
        (finding,) = screen.check_display(Place(environ))
    assert finding.level == "ok"
