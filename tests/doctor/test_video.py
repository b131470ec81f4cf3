from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakeva import driver

from rtvfi.doctor import libva, video
from rtvfi.doctor.finding import Place
from rtvfi.stream.decode import hardware

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def node(tmp_path: Path) -> Path:
    path = tmp_path / "dev/dri/renderD128"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


@pytest.fixture
def hardware_unknown() -> Generator[None]:
    hardware.reset()
    yield
    hardware.reset()


def fake_ffmpeg(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def ffmpeg_findings() -> list[str]:
    found = [f for f in video.check_software(Place({})) if f.topic == "ffmpeg"]
    assert all(f.hint for f in found if f.level != "ok")
    return [f"{f.level}: {f.text}" for f in found]


def test_without_ffmpeg_there_is_no_vaapi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg_findings() == ["warn: not installed: no hardware decoding with VA-API"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'ffmpeg version 4.4.2-0ubuntu Copyright'", "is older than 5.1"),
        ("echo 'ffmpeg version n8.0 Copyright'", "lacks the filters scale, format, bwdif"),
        ("echo 'libx.so: no such file' >&2; exit 127", "does not run: libx.so"),
        ("kill -9 $$", "does not run: status -9"),
    ],
)
def test_an_ffmpeg_that_will_not_do_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    fake_ffmpeg(tmp_path, monkeypatch, script)
    (line,) = ffmpeg_findings()
    assert line.startswith("warn")
    assert said in line


def test_without_a_render_node_software_decodes(tmp_path: Path) -> None:
    (finding,) = video.check_vaapi(Place({}, tmp_path))
    assert (finding.level, "no render node" in finding.text) == ("warn", True)


def test_a_folder_of_devices_that_cannot_be_read_is_said(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "iterdir", refuse)
    (finding,) = video.check_vaapi(Place({}, tmp_path))
    assert (finding.level, "cannot be read" in finding.text) == ("warn", True)
    assert finding.hint


def test_a_node_of_others_names_its_group(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    os.chown(node, -1, os.getgid())
    first, *_ = video.check_vaapi(Place({}, tmp_path))
    assert first.text == f"you may not use {node}"
    assert "group" in first.hint


def test_a_device_is_asked_for_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hardware_unknown: None
) -> None:
    driver.build(tmp_path)
    for display in driver.display():
        driver.FakeVaapi(monkeypatch, tmp_path, display)
        (tmp_path / "rtvfi.toml").write_text(f'vaapi_device = "{display}"', encoding="utf-8")
        monkeypatch.setenv("RTVFI_CONFIG", str(tmp_path / "rtvfi.toml"))
        findings = list(video.check_vaapi(Place({})))
        texts = [f.text for f in findings if f.topic == "vaapi"]
        assert any(text.startswith("decodes H.264") for text in texts)
        assert any(text.startswith("encodes H.264") for text in texts)
        assert "a picture went to the device and back" in texts


def test_a_driver_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.build(tmp_path)
    for display in driver.display():
        monkeypatch.setenv("LIBVA_DRIVERS_PATH", str(tmp_path))
        monkeypatch.setenv("LIBVA_DRIVER_NAME", "nothing")
        with pytest.raises(libva.NoVaapi, match="driver does not start"):
            libva.ask(display)


def test_a_display_that_is_not_there_is_said() -> None:
    with pytest.raises(libva.NoVaapi, match=r"no display|not installed"):
        libva.ask(":7654")
