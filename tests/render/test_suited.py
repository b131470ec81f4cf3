"""Films that cannot come out right are refused in a sentence, and other films are not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from fakes import stream_info
from oddities import write_film

from rtvfi.cli import main as cli
from rtvfi.core.errors import OpenError
from rtvfi.render.suited import check_pictures
from rtvfi.stream.decode.info import dolby_profile

if TYPE_CHECKING:
    from pathlib import Path


def element(ident: str, data: bytes) -> bytes:
    return bytes.fromhex(ident) + struct.pack(">Q", len(data) | 1 << 56) + data


def with_editions(film: Path, *editions: tuple[bool, bool, bool]) -> Path:
    """Put chapters (default, ordered, linked) before everything else in the segment."""
    whole = film.read_bytes()
    place = whole.index(bytes.fromhex("18538067")) + 4
    chapters = b""
    for default, ordered, linked in editions:
        uid = element("6E67", b"u" * 16) if linked else b""
        times = element("91", b"\0") + element("92", struct.pack(">Q", 10**9))
        atom = element("B6", element("73C4", b"\1") + times + uid)
        flags = element("45DB", bytes([default])) + element("45DD", bytes([ordered]))
        chapters += element("45B9", flags + atom)
    # A segment of unknown length takes one part more.
    head = whole[:place] + b"\x01" + b"\xff" * 7
    film.write_bytes(head + element("1043A770", chapters) + whole[place + 8 :])
    return film


def render(path: str | Path, target: Path) -> int:
    words = ["--model", "copy", "--fps", "1x", "--device", "cpu", "--preset-encoder", "ultrafast"]
    return cli.main(["render", str(path), "-o", str(target), *words])


@pytest.mark.parametrize("linked", [False, True])
def test_ordered_chapters_are_refused(
    linked: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = with_editions(write_film(tmp_path / "a.mkv"), (True, True, linked))
    assert render(film, tmp_path / "o.mkv") == 1
    error = capsys.readouterr().err
    assert "ordered chapters" in error
    assert ("other files" in error) == linked
    assert "hint: " in error
    assert not (tmp_path / "o.mkv").exists()


def test_chapters_that_order_nothing_are_rendered(tmp_path: Path) -> None:
    film = with_editions(write_film(tmp_path / "a.mkv"), (True, False, False), (False, True, True))
    assert render(film, tmp_path / "o.mkv") == 0


TIMELINES = {
    "a.edl": ("# mpv EDL v0\na.mkv,0,10\n", "an mpv EDL"),
    "b.edl": ("mplayer EDL file, version 2\na.mkv 0 10\n", "an MPlayer EDL"),
    "a.cue": ('REM x\nFILE "a.mkv" WAVE\n  TRACK 01 AUDIO\n', "a cue sheet"),
    "b.cue": ('\ufeffFILE "a.mkv" WAVE\n  TRACK 01 AUDIO\n', "a cue sheet"),
    "00001.mpls": ("MPLS0200" + "\0" * 80, "a Blu-ray playlist"),
}


@pytest.mark.parametrize("name", TIMELINES)
def test_other_timelines_are_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, what = TIMELINES[name]
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert render(tmp_path / name, tmp_path / "o.mkv") == 1
    assert what in capsys.readouterr().err


def test_an_edl_named_in_words_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "a.mkv")
    assert render(f"edl://{film},0,0.1", tmp_path / "o.mkv") == 1
    assert "an mpv EDL" in capsys.readouterr().err


def test_one_timeline_keeps_no_other_film_from_being_rendered(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv")
    (tmp_path / "b.edl").write_text("# mpv EDL v0\na.mkv,0,10\n")
    out = tmp_path / "out"
    out.mkdir()
    words = ["--model", "copy", "--fps", "1x", "--device", "cpu", "-o", str(out)]
    assert cli.main(["render", str(tmp_path / "b.edl"), str(film), *words]) == 1
    assert len(list(out.glob("*.mkv"))) == 1


# --- pictures ----------------------------------------------------------------------------------


def dovi(profile: int, full: int) -> bytes:
    """The beginning of FFmpeg's AVDOVIMetadata: offsets, then the header of the picture's data."""
    header = struct.pack("<BxH8B", 2, 18, profile, 6, 0, 0, 23, 1, full, 10)
    return struct.pack("<QQQ", 24, 100, 200) + header + b"\0" * 100


@pytest.mark.parametrize(
    ("metadata", "profile"),
    [(dovi(0, 1), 5), (dovi(1, 0), 8), (dovi(0, 0), 8), (b"", None), (b"\xff" * 40, None)],
)
def test_colours_of_their_own_are_known(metadata: bytes, profile: int | None) -> None:
    assert dolby_profile(metadata) == profile


def test_colours_of_their_own_are_refused() -> None:
    with pytest.raises(OpenError, match="profile 5"):
        check_pictures("a.mkv", stream_info(dolby_profile=5))


def test_what_is_lost_inside_the_picture_is_said(caplog: pytest.LogCaptureFixture) -> None:
    check_pictures("a.mkv", stream_info(dolby_profile=8, has_captions=True))
    assert "Dolby Vision" in caplog.text
    assert "closed captions" in caplog.text
    caplog.clear()
    check_pictures("a.mkv", stream_info())
    assert caplog.text == ""
