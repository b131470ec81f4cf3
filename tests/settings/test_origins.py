"""Films that are no plain files: what can be shown smoothly is, the rest plays as it is."""

from __future__ import annotations

import json
import os
import struct
import threading
import zipfile
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import pytest
from clips import FILM, ClipSpec
from playing import Playing, off_by
from seeks import HALF
from webserver import WebServer

from rtvfi.playing import opening
from rtvfi.playing.mpv.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from clips import Clips

pytestmark = pytest.mark.mpv

SPEC = ClipSpec(num_frames=96, gop=24)


def said(caplog: pytest.LogCaptureFixture) -> str:
    """What was said while the film began, if it was one thing."""
    (line,) = [
        r.getMessage() for r in caplog.records if "plays without interpolation" in r.getMessage()
    ]
    return line


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "rtvfi")


@pytest.fixture
def film(clips: Clips) -> Path:
    return clips.get(SPEC)


def assert_seeks_meet_our_track(playing: Playing) -> None:
    playing.wait(lambda: playing.is_ours_shown, "our track")
    for target in (3.0, 0.5):
        playing.settle("seek", target, "absolute+exact")
        assert off_by(playing, FILM) < HALF


# --- the web ---------------------------------------------------------------------------------


def test_a_film_of_the_web_gets_its_track_while_it_plays(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WebServer(film.parent) as server, Playing(monkeypatch, server.url(film.name)) as playing:
        playing.wait_for("playback-restart")
        assert_seeks_meet_our_track(playing)


@pytest.mark.parametrize("container", ["mp4", "ts"])
def test_a_server_that_hangs_up_without_saying_so_is_asked_again(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, container: str
) -> None:
    film = clips.get(SPEC, container=container)
    with WebServer(film.parent) as server, Playing(monkeypatch, server.url(film.name)) as playing:
        playing.wait_for("playback-restart")
        assert_seeks_meet_our_track(playing)


ASKED: list[tuple[dict[str, str], dict[str, str]]] = [
    ({"Referer": "https://a.example/"}, {"referrer": "https://a.example/"}),
    ({"User-Agent": "Films 1.0"}, {"user-agent": "Films 1.0"}),
    (
        {"Origin": "https://a.example", "X-Key": "1"},
        {"http-header-fields": "Origin: https://a.example,X-Key: 1"},
    ),
    ({"Cookie": "key=1"}, {"stream-lavf-o": "headers=%15%Cookie: key=1\r\n"}),
]


@pytest.mark.parametrize(("wanted", "options"), ASKED)
def test_a_server_is_told_by_us_what_mpv_tells_it(
    film: Path,
    monkeypatch: pytest.MonkeyPatch,
    wanted: dict[str, str],
    options: dict[str, str],
) -> None:
    with (
        WebServer(film.parent, wanted=wanted) as server,
        Playing(monkeypatch, server.url(film.name), mpv={"pause": "yes", **options}) as playing,
    ):
        playing.wait_for("playback-restart")
        playing.wait(lambda: playing.is_ours_shown, "our track")


def test_a_server_without_ranges_is_played_as_it_is(
    film: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        WebServer(film.parent, has_ranges=False) as server,
        Playing(monkeypatch, server.url(film.name)) as playing,
    ):
        playing.wait_for("playback-restart")
        assert not playing.is_ours_shown
        assert "no seeking" in said(caplog)


def test_a_server_that_refuses_a_second_reader_leaves_the_film_playing(
    film: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = Screen.say

    def say(screen: Screen, text: str) -> None:
        real(screen, text)
        playing.note("said")

    monkeypatch.setattr(Screen, "say", say)
    monkeypatch.setattr(opening, "web_options", lambda _: ())
    with (
        WebServer(film.parent, refused="Lavf") as server,
        Playing(monkeypatch, server.url(film.name)) as playing,
    ):
        playing.wait_for("playback-restart")
        playing.wait_for("said")
        assert "only to mpv" in said(caplog)
        assert not playing.is_ours_shown
        playing.settle("seek", 2, "absolute+exact")
        assert off_by(playing, FILM) < HALF


def yt_dlp(folder: Path, answer: dict[str, Any]) -> dict[str, str]:
    """A yt-dlp that knows one page, as options of mpv."""
    program = folder / "yt-dlp"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    program.chmod(0o755)
    return {"ytdl": "yes", "script-opts": f"ytdl_hook-ytdl_path={program}", "pause": "yes"}


def test_a_page_is_what_yt_dlp_makes_of_it(
    film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with WebServer(film.parent) as server:
        page = {"title": "a page", "url": server.url(film.name), "ext": "mkv"}
        with Playing(monkeypatch, "ytdl://some-page", mpv=yt_dlp(tmp_path, page)) as playing:
            playing.wait_for("playback-restart")
            assert playing.mpv.media_title == "a page"
            playing.wait(lambda: playing.is_ours_shown, "our track")


def test_a_page_whose_sound_comes_apart_is_smooth_too(
    clips: Clips, film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sound = clips.get(num_frames=0, audio=True)
    with WebServer(film.parent) as server:
        page = {
            "title": "a page",
            "requested_formats": [
                {"url": server.url(film.name), "vcodec": "h264", "acodec": "none"},
                {"url": server.url(sound.name), "vcodec": "none", "acodec": "flac"},
            ],
        }
        with Playing(monkeypatch, "ytdl://some-page", mpv=yt_dlp(tmp_path, page)) as playing:
            playing.wait_for("playback-restart")
            assert playing.mpv.current_demuxer == "timeline"
            assert len(playing.tracks("audio")) == 1
            assert_seeks_meet_our_track(playing)


# --- what only mpv reads ---------------------------------------------------------------------


def test_standard_input_plays_as_it_is(
    film: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    out, into = os.pipe()

    def fill() -> None:
        with open(into, "wb") as pipe:  # noqa: PTH123 - a pipe has no name
            pipe.write(film.read_bytes())

    writer = threading.Thread(target=fill)
    writer.start()
    with Playing(monkeypatch, f"fd://{out}") as playing:
        playing.wait_for("playback-restart")
        assert playing.number() == 0
        assert not playing.is_ours_shown
    writer.join()
    os.close(out)
    assert "only once" in said(caplog)


def ordered(film: Path, path: Path) -> Path:
    """The film with chapters that say in which order its parts are played."""
    with (
        av.open(str(film)) as source,
        path.open("wb") as file,
        av.open(_Pipe(file), "w", format="matroska") as out,
    ):
        copy = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    content = path.read_bytes()
    first_cluster = content.index(bytes.fromhex("1F43B675"))
    second = 10**9
    parts = b"".join(
        _element("B6", _element("73C4", bytes([n])) + _time("91", begin) + _time("92", end))
        for n, (begin, end) in enumerate([(2 * second, 3 * second), (0, second)], 1)
    )
    edition = _element("45B9", _element("45DD", b"\x01") + _element("45DB", b"\x01") + parts)
    chapters = _element("1043A770", edition)
    path.write_bytes(content[:first_cluster] + chapters + content[first_cluster:])
    return path


def _element(name: str, data: bytes) -> bytes:
    return bytes.fromhex(name) + struct.pack(">Q", len(data) | 1 << 56) + data


def _time(name: str, nanoseconds: int) -> bytes:
    return _element(name, struct.pack(">Q", nanoseconds))


class _Pipe:
    """A file that cannot be sought: sizes stay unsaid, so that something can be put in later."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def edl(film: Path, path: Path) -> Path:
    path.write_text(f"# mpv EDL v0\n{film},2,1\n{film},0,1\n")
    return path


@pytest.mark.parametrize(("make", "name"), [(ordered, "ordered.mkv"), (edl, "list.edl")])
def test_a_film_put_together_from_parts_plays_as_it_is(
    film: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    make: Callable[[Path, Path], Path],
    name: str,
) -> None:
    with Playing(monkeypatch, make(film, tmp_path / name)) as playing:
        playing.wait_for("playback-restart")
        assert not playing.is_ours_shown
        assert playing.number() == 48, "it begins with its third second"
    assert "consists of several files" in said(caplog)


def test_an_archive_plays_as_it_is(
    film: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    archive = tmp_path / "films.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(film, "film.mkv")
    with Playing(monkeypatch, archive) as playing:
        playing.wait_for("playback-restart")
        assert playing.number() == 0
    assert "archive://" in said(caplog)


def test_a_list_of_films_is_a_playlist(
    film: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    films = tmp_path / "list.m3u"
    films.write_text(f"#EXTM3U\n{film}\n{film}\n")
    with Playing(monkeypatch, films) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        assert len(playing.mpv.playlist) == 2


def test_where_no_picture_is_wanted_none_is_made(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    film = clips.get(SPEC, audio=True)
    with Playing(monkeypatch, film, mpv={"vid": "no", "pause": "yes"}) as playing:
        playing.wait_for("playback-restart")
        assert not playing.is_ours_shown
    assert "no video track is wanted" in said(caplog)


def test_choosing_the_track_that_is_shown_anyway_changes_nothing(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Playing(monkeypatch, film, mpv={"vid": "1", "pause": "yes"}) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown


def test_a_file_url_is_the_file(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film = tmp_path / "a film 100%.mkv"
    film.symlink_to(clips.get(SPEC))
    with Playing(monkeypatch, film.as_uri()) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
