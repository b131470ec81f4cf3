"""What is found out about hardware, and what is said when ffmpeg, here a script, fails."""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
from typing import TYPE_CHECKING, Any

import pytest
from clips import ClipSpec

from rtvfi.core import ffmpeg as child
from rtvfi.core.errors import DeviceError
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode import choose as decode_hardware
from rtvfi.stream.decode import ffmpeg as decode_ffmpeg
from rtvfi.stream.decode import hardware
from rtvfi.stream.decode.source import Interrupted, open_source

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

pytestmark = pytest.mark.usefixtures("hardware_unknown")

SMALL = ClipSpec(size=(160, 90), num_frames=40, gop=12)
NODE = "No VA display found for device /dev/dri/renderD128."
TEXTS = {
    f"[AVHWDeviceContext @ 0x1] {NODE}\nDevice creation failed: -22.\nNo device available for "
    "decoder: device type vaapi needed for codec h264.": "no VA-API at /dev/dri/renderD128",
    "[AVHWDeviceContext @ 0x1] Cannot open DRM render node for device 0.\n"
    "Device creation failed: -542398533.": "no render node can be opened",
    "libva error: /usr/lib/dri/radeonsi_drv_video.so init failed\nDevice creation failed: -5.": (
        "driver radeonsi does not start"
    ),
    "[error] Unrecognized option 'fps_mode'.\n[fatal] Error splitting the argument list": "5.1",
    "[x @ 0x5] [error] the moon is full\n[info] bye": "ffmpeg says: the moon is full",
    "[a @ 0x1] [warning] Driver does not support some wanted headers\n[error] no": "says: no",
    "out of cheese": "ffmpeg says: out of cheese",
    "": "status 1",
}


class Shim:
    """A script that stands in for ffmpeg; the probe succeeds, then ``body`` runs."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._script = folder / "ffmpeg"
        self.real = shutil.which("ffmpeg") or "false"
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(self, body: str, probe: str = "exit 0") -> None:
        script = f'#!/bin/sh\ncase "$*" in *hwdownload*) {probe};; esac\n{body}\n'
        self._script.write_text(script)
        self._script.chmod(0o755)

    def options(self, **changes: Any) -> SourceOptions:
        return SourceOptions(**{"hwaccel": "vaapi", "vaapi_device": ":7", **changes})


@pytest.fixture
def shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shim:
    return Shim(tmp_path, monkeypatch)


@pytest.fixture
def film(clips: Clips) -> str:
    return str(clips.get(SMALL))


def assert_software_with(film: str, options: SourceOptions, said: str, caplog: Any) -> None:
    caplog.clear()
    source = open_source(film, options)
    assert source.info.decoder == "software (h264)"
    source.close()
    assert caplog.text.count(said) == 1


# --- texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
def test_a_failure_is_told_in_words(text: str) -> None:
    assert TEXTS[text] in child.explain(text.splitlines(), 1)


@pytest.mark.parametrize("text", list(TEXTS)[:3])
def test_a_failing_probe_is_said_once_and_named_devices_fail(
    film: str, shim: Shim, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    shim.write("exit 1", probe=f"cat >&2 <<'END'\n{text}\nEND\nexit 1")
    with pytest.raises(DeviceError, match=TEXTS[text]):
        open_source(film, shim.options())
    assert_software_with(film, shim.options(hwaccel="auto"), TEXTS[text], caplog)
    open_source(film, shim.options(hwaccel="auto")).close()
    assert caplog.text.count(TEXTS[text]) == 1


@pytest.mark.parametrize("text", TEXTS)
def test_a_failing_child_is_replaced_by_software(
    film: str, shim: Shim, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    shim.write(f"cat >&2 <<'END'\n{text}\nEND\nexit 1")
    assert_software_with(film, shim.options(hwaccel="auto"), TEXTS[text], caplog)


# --- children that misbehave -----------------------------------------------------------------


def test_a_child_that_hangs_at_the_start_is_given_up(
    film: str, shim: Shim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decode_ffmpeg, "STALL_SECONDS", 0.2)
    shim.write("sleep 1000")  # a process of its own, which keeps the pipe
    assert_software_with(film, shim.options(hwaccel="auto"), "gave no picture", caplog)


def test_opening_with_a_hanging_child_can_be_abandoned(film: str, shim: Shim) -> None:
    shim.write("sleep 1000")
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20 and any(t.name == "rtvfi-vaapi" for t in threading.enumerate())

    with pytest.raises(Interrupted):
        open_source(film, shim.options(), interrupted)


def test_a_probe_that_hangs_is_given_up(
    film: str, shim: Shim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_PROBE_SECONDS", 0.2)
    shim.write("exit 1", probe="sleep 1000")
    with pytest.raises(DeviceError, match="did not answer"):
        open_source(film, shim.options())


def test_garbage_in_the_pipe_is_no_picture(
    film: str, shim: Shim, caplog: pytest.LogCaptureFixture
) -> None:
    shim.write("head -c 100000 /dev/urandom; exit 0")
    assert_software_with(film, shim.options(hwaccel="auto"), "decoding in software", caplog)


def test_a_child_that_says_too_much_does_not_block(film: str, shim: Shim) -> None:
    shim.write("yes '[info] word' | head -c 3000000 >&2; exit 1")
    with pytest.raises(DeviceError, match="status 1"):
        open_source(film, shim.options())


def test_software_inside_the_child_is_not_called_hardware(film: str, shim: Shim) -> None:
    body = (
        "for a do shift; case $a in -hwaccel|-hwaccel_device) skip=1;; "
        '*) [ -z "$skip" ] && set -- "$@" "$a"; skip=;; esac; done; exec ' + shim.real + ' "$@"'
    )
    shim.write(body)
    # ffmpeg 9 refuses a filter that has no device before there is a picture to judge.
    with pytest.raises(DeviceError, match=r"this kind of h264|cannot decode here"):
        open_source(film, shim.options())


# --- what is there ---------------------------------------------------------------------------


def test_nothing_is_started_or_said_without_a_render_node(
    film: str, shim: Shim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hardware, "render_nodes", list)
    shim.write("touch started", probe="touch started")
    open_source(film, SourceOptions()).close()
    assert "no render node" in hardware.probe_vaapi().reason
    assert caplog.text == ""
    with pytest.raises(DeviceError, match="no render node"):
        hardware.check_hwaccel(SourceOptions(hwaccel="vaapi"))


def test_without_ffmpeg_that_is_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = hardware.probe_vaapi(":7")
    assert (found.device, found.reason) == (None, "ffmpeg is not installed")


def test_the_first_node_that_works_is_taken(
    shim: Shim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nodes = [tmp_path / name for name in ("bad", "good", "other")]
    for node in nodes:
        node.touch()
    monkeypatch.setattr(hardware, "render_nodes", lambda: nodes)
    shim.write("exit 1", probe=f'case "$*" in *{nodes[1]}*) exit 0;; esac; echo {NODE}; exit 1')
    found = hardware.probe_vaapi()
    assert found.device == str(nodes[1])
    assert [bool(device.reason) for device in found.devices] == [True, False]


def test_a_node_one_may_not_open_names_the_group(
    shim: Shim, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shim.write("exit 1")
    node = tmp_path / "renderD128"
    node.touch()
    monkeypatch.setattr(hardware, "_group", lambda path: "render")
    monkeypatch.setattr(os, "access", lambda path, mode: "renderD" not in str(path))
    monkeypatch.setattr(hardware, "render_nodes", lambda: [node])
    with pytest.raises(DeviceError, match="not in the group render") as caught:
        hardware.check_hwaccel(SourceOptions(hwaccel="vaapi"))
    assert caught.value.hint == "sudo usermod -aG render $USER, then log in again"


def test_a_node_that_is_not_there_is_named(shim: Shim) -> None:
    shim.write("exit 1")
    options = SourceOptions(hwaccel="vaapi", vaapi_device="/dev/dri/renderD999")
    with pytest.raises(DeviceError, match="renderD999: it does not exist"):
        hardware.check_hwaccel(options)


def test_what_is_found_out_is_kept(shim: Shim, tmp_path: Path) -> None:
    shim.write("exit 1", probe=f"echo >> {tmp_path / 'count'}; exit 0")
    assert {hardware.probe_vaapi(":7").device for _ in range(3)} == {":7"}
    assert (tmp_path / "count").read_text() == "\n"


# --- CUDA ------------------------------------------------------------------------------------


def test_cuda_without_a_driver_is_told(film: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> Any:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", no_library)
    with pytest.raises(DeviceError, match="cuda cannot decode here: there is no NVIDIA driver"):
        open_source(film, SourceOptions(hwaccel="cuda"))


def test_cuda_that_cannot_be_opened_falls_back(
    film: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decode_hardware, "why_no_cuda", lambda: "")
    monkeypatch.setattr(hardware, "render_nodes", list)
    if not hardware.why_no_cuda():
        pytest.skip("there is a CUDA device")
    with pytest.raises(DeviceError, match="cuda cannot decode here"):
        open_source(film, SourceOptions(hwaccel="cuda"))
    assert_software_with(film, SourceOptions(), "decoding in software: cuda", caplog)
