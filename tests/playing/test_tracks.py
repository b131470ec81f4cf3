"""Which picture of a film is shown, turned how, and on which clock: as plain mpv does."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Self

import av
import mpv
import pytest
from clips import FILM, Clips, ClipSpec
from playing import PATIENCE, Playing, off_by
from seeks import HALF

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.mpv

SHORT = ClipSpec(num_frames=48)


def muxed(out: Path, *words: str) -> Path:
    """What ffmpeg writes."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words, str(out)], check=True, timeout=60)
    return out


def plain(path: Path, *names: str, **options: str) -> list[Any]:
    """What mpv without us says when the first picture is there."""
    player: Any = mpv.MPV(
        vo="null", ao="null", config="no", load_scripts="no", pause="yes", **options
    )
    try:
        with player.prepare_and_wait_for_event("playback-restart", timeout=PATIENCE):
            player.loadfile(str(path))
        return [player._get_property(name) for name in names]
    finally:
        player.terminate()


# --- another video track ---------------------------------------------------------------------


def two_tracks(tmp_path: Path, flags: Sequence[str], languages: Sequence[str]) -> Path:
    """A film with two pictures, 160x90 and 192x108."""
    words = []
    for size in ("160x90", "192x108"):
        words += ["-f", "lavfi", "-i", f"testsrc=s={size}:r=24:d=1"]
    words += ["-map", "0", "-map", "1", "-c:v", "mpeg4"]
    for n in (0, 1):
        words += [f"-disposition:v:{n}", flags[n], f"-metadata:s:v:{n}", f"language={languages[n]}"]
    return muxed(tmp_path / "two.mkv", *words)


@pytest.mark.parametrize(
    ("flags", "languages", "options"),
    [
        (("0", "0"), ("eng", "jpn"), {}),
        (("0", "0"), ("eng", "jpn"), {"vlang": "jpn"}),
        (("0", "0"), ("eng", "jpn"), {"vlang": "ja"}),
        (("0", "default"), ("eng", "jpn"), {}),
        (("default", "forced"), ("eng", "jpn"), {}),
        (("default", "default"), ("eng", "jpn"), {"vlang": "xx,jpn"}),
        (("0", "0"), ("eng", "jpn"), {"vid": "2"}),
    ],
    ids=str,
)
def test_ours_is_made_of_the_track_that_mpv_shows(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    flags: tuple[str, str],
    languages: tuple[str, str],
    options: dict[str, str],
) -> None:
    film = two_tracks(tmp_path, flags, languages)
    (width,) = plain(film, "width", **options)
    with Playing(monkeypatch, film, mpv={"pause": "yes", **options}) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        assert playing.viewing.info.width == width
        playing.switch("script-message", "rtvfi-toggle")
        assert playing.mpv.width == width


def test_ours_follows_the_user_to_another_track(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film = two_tracks(tmp_path, ("0", "0"), ("eng", "jpn"))
    with Playing(monkeypatch, film) as playing:
        playing.wait_for("playback-restart")
        assert playing.viewing.info.width == 160
        playing.mpv.vid = 2
        playing.wait(lambda: playing.viewing.info.width == 192, "a viewing of the other track")
        playing.wait(lambda: playing.is_ours_shown, "ours of the other track")
        assert [track.get("external", False) for track in playing.tracks()] == [False, False, True]


def test_no_video_track_is_what_the_user_gets_who_wants_none(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "rtvfi")
    film = clips.get(SHORT, audio=True)
    with Playing(monkeypatch, film, mpv={"pause": "yes", "vid": "no"}) as playing:
        playing.wait_for("playback-restart")
        assert len(playing.tracks()) == 1
    assert "no video track is wanted: it plays without interpolation" in caplog.text
    assert "no window could be opened" not in caplog.text


def test_a_song_in_a_playlist_is_heard(clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    film, song = clips.get(SHORT), clips.audio_only()
    with Playing(monkeypatch, film, song, film) as playing:
        playing.wait_for("playback-restart")
        for path, is_ours in ((song, False), (film, True)):
            playing.next_file()
            assert playing.mpv.path == str(path)
            assert playing.is_ours_shown == is_ours
    assert playing.code == 0


# --- turned films ----------------------------------------------------------------------------


def turned(film: Path, tmp_path: Path, degrees: int) -> Path:
    """The film, to be shown turned counter-clockwise."""
    out = tmp_path / "turned.mp4"
    with av.open(str(film)) as source, av.open(str(out), "w") as target:
        streams = {
            stream.index: target.add_stream_from_template(stream) for stream in source.streams
        }
        turning: Any = streams[source.streams.video[0].index]
        turning.set_display_rotation(degrees)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    return out


def is_upright(playing: Playing) -> bool:
    size = playing.mpv.video_out_params
    return size is not None and size["h"] > size["w"]


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_turned_film_is_upright_whoever_switches(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_silent: bool
) -> None:
    film = turned(clips.get(SHORT, container="mp4", audio=not is_silent), tmp_path, 90)
    with Playing(monkeypatch, film) as playing:
        playing.wait_for("playback-restart")
        assert playing.is_ours_shown
        assert is_upright(playing)
        for command in (
            ("set", "vid", "1"),
            ("set", "vid", "2"),
            ("script-message", "rtvfi-toggle"),
            ("set", "vid", "2"),
            ("script-message", "rtvfi-toggle"),
            ("script-message", "rtvfi-toggle"),
        ):
            playing.switch(*command)
            playing.wait(lambda: is_upright(playing), f"an upright picture after {command}")
            assert playing.mpv["video-rotate"] == (270 if playing.is_ours_shown else 0)


@pytest.mark.parametrize(("own", "upright"), [("no", False), ("90", False), ("180", True)])
def test_what_the_user_says_about_turning_holds_for_both(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, own: str, upright: bool
) -> None:
    film = turned(clips.get(SHORT, container="mp4"), tmp_path, 90)
    (size,) = plain(film, "video-out-params", video_rotate=own)
    assert (size["h"] > size["w"]) == upright
    with Playing(monkeypatch, film, mpv={"pause": "yes", "video-rotate": own}) as playing:
        playing.wait_for("playback-restart")
        assert is_upright(playing) == upright
        playing.switch("script-message", "rtvfi-toggle")
        assert is_upright(playing) == upright
        playing.switch("script-message", "rtvfi-toggle")
        assert is_upright(playing) == upright


# --- clocks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("container", ["ts", "mkv"])
def test_times_of_the_file_are_kept_where_mpv_keeps_them(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, container: str
) -> None:
    spec = ClipSpec(num_frames=96, container=container, audio=True, rate=Fraction(25))
    film = clips.get(spec, start=3)
    options = {"pause": "yes", "rebase-start-time": "no"}
    (begin,) = plain(film, "time-pos", rebase_start_time="no")
    assert begin > 1
    with Playing(monkeypatch, film, mpv=options) as playing:
        playing.wait_for("playback-restart")
        assert playing.time == pytest.approx(begin, abs=0.05)
        for target in (begin + 1.5, begin + 0.2, begin + 3):
            playing.settle("seek", target, "absolute+exact")
            assert playing.time == pytest.approx(target, abs=0.05)
            number = playing.number()
            assert number is not None
            first = float(playing.viewing.info.start)
            assert abs(number - (playing.time - first) * 25) < HALF


# --- files that grow -------------------------------------------------------------------------


_WRITER: Final = """
import sys
from contextlib import contextmanager
data = open(sys.argv[1], "rb").read()
out = open(sys.argv[2], "ab")
done = out.tell()
for line in sys.stdin:
    end = round(float(line) * len(data))
    out.write(data[done:end])
    out.flush()
    done = end
    print("written", flush=True)
"""


class Writing:
    """A process that writes a film as it comes; begun when a part is there.

    Args:
        film: all of it.
        target: grows.
    """

    def __init__(self, film: Path, target: Path, part: float) -> None:
        words = [sys.executable, "-c", _WRITER, str(film), str(target)]
        self._child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.write(part)

    def write(self, part: float) -> None:
        """Let the file have that share of the film."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        print(part, file=self._child.stdin, flush=True)
        assert self._child.stdout.readline() == "written\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate()


def live(clips: Clips, kind: str, tmp_path: Path) -> Path:
    """A film of 12 s as a recorder writes it: without a length and an index."""
    film = clips.get(ClipSpec(num_frames=288, container="mkv", audio=True))
    form = {"mkv": "matroska", "ts": "mpegts"}[kind]
    out = tmp_path / f"whole.{kind}"
    words = ["ffmpeg", "-v", "error", "-i", str(film), "-map", "0", "-c", "copy", "-f", form]
    with out.open("wb") as file:
        live = ["-live", "1"] if kind == "mkv" else []
        subprocess.run([*words, *live, "pipe:"], stdout=file, check=True, timeout=60)
    return out


@contextmanager
def growing(whole: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Writing, Playing]]:
    """The first half of a recording plays; what writes the rest."""
    film = whole.with_stem("live")
    with (
        Writing(whole, film, 0.5) as writing,
        Playing(monkeypatch, film, mpv={"pause": "no"}) as playing,
    ):
        playing.wait_for("playback-restart")
        yield writing, playing


@pytest.mark.parametrize("kind", ["ts", "mkv"])
def test_a_recording_that_grows_is_followed(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    whole = live(clips, kind, tmp_path)
    with growing(whole, monkeypatch) as (writing, playing):
        first = playing.viewing
        assert 4 < first.end < 8
        writing.write(1)
        playing.settle("seek", first.end - 2.5, "absolute+exact")
        playing.wait(lambda: playing.viewing.end > first.end + 3, "a longer track")
        playing.mpv.pause = True
        playing.land(first.end + 2)  # the switch to it may be under way
        assert playing.is_ours_shown
        number = playing.number()
        assert number is not None
        assert abs(number - playing.time * 24) < 1


@pytest.mark.parametrize("kind", ["ts", "mkv"])
def test_at_the_live_end_of_a_recording_mpv_goes_on_alone(
    clips: Clips,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    caplog.set_level("INFO", "rtvfi")
    whole = live(clips, kind, tmp_path)
    with growing(whole, monkeypatch) as (writing, playing):
        first = playing.viewing
        writing.write(0.58)
        playing.settle("seek", first.end - 1, "absolute+exact")
        said = "still growing: it plays without interpolation"
        playing.wait(lambda: said in caplog.text, "the sentence")
        playing.wait(lambda: not playing.is_ours_shown, "mpv's own track")
        writing.write(1)
        playing.wait(lambda: (playing._values.get("time-pos") or 0) > first.end + 1, "more film")


def test_a_track_that_comes_while_the_film_plays_is_not_read_from_its_beginning(
    monkeypatch: pytest.MonkeyPatch, clips: Clips
) -> None:
    film = clips.get(ClipSpec(num_frames=240, gop=48, audio=True))
    with Playing(monkeypatch, film) as playing:
        playing.wait_for("playback-restart")
        playing.settle("seek", 9, "absolute+exact")
        playing.settle("script-message", "rtvfi-fps", "3x")  # has us seek
        playing.settle("seek", 0, "relative+exact")
        assert playing.is_ours_shown
        assert off_by(playing, FILM) < HALF
        assert playing.viewing.stream.num_asked < 9 * 3 * FILM / 2
