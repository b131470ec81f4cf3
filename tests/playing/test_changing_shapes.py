"""A film whose size or pixel aspect changes on the way is shown as plain mpv shows it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpv
import pytest
from oddities import write_matroska
from playing import PATIENCE, Playing
from shapes import write

from rtvfi.core.frame import Crop, Shape
from rtvfi.stream.decode import shapes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.mpv

SQUARE = Fraction(1)
SMALL, LARGE, TALL = Shape(96, 54, SQUARE), Shape(192, 108, SQUARE), Shape(72, 96, SQUARE)
NARROW, WIDE = Shape(96, 72, SQUARE), Shape(96, 72, Fraction(4, 3))


def picture(player: Any) -> tuple[int, int]:
    """Width and height of the picture on the screen, with square pixels."""
    shot = player.command("screenshot-raw", "video")
    return shot["w"], shot["h"]


def told(player: Any) -> tuple[int, int, float, int, int]:
    """What mpv says of its picture; near a change, that may be a picture ahead of time."""
    size = player.video_params
    return size["w"], size["h"], round(size["aspect"], 4), player.dwidth, player.dheight


def plain(path: Path, times: list[float], look: Callable[[Any], Any]) -> list[Any]:
    """What mpv without us shows at some times."""
    player: Any = mpv.MPV(
        vo="null",
        ao="null",
        config="no",
        load_scripts="no",
        pause="yes",
        hr_seek_demuxer_offset="10",  # in a transport stream it lands behind its aim
    )
    try:
        with player.prepare_and_wait_for_event("playback-restart", timeout=PATIENCE):
            player.loadfile(str(path))
        found = []
        for time in times:
            with player.prepare_and_wait_for_event("playback-restart", timeout=PATIENCE):
                player.command("seek", time, "absolute+exact")
            found.append(look(player))
        return found
    finally:
        player.terminate()


@pytest.mark.parametrize(
    ("name", "codec", "parts"),
    [
        ("webm", "libvpx-vp9", [(SMALL, 50), (LARGE, 50)]),
        ("webm", "libvpx", [(LARGE, 40), (SMALL, 30), (TALL, 60)]),
        ("ts", "mpeg2video", [(NARROW, 50), (WIDE, 50)]),
        ("ts", "mpeg2video", [(NARROW, 30), (WIDE, 60), (NARROW, 60)]),
        ("mkv", "libx264", [(SMALL, 50), (TALL, 50)]),
    ],
    ids=str,
)
def test_every_stretch_has_the_shape_that_mpv_shows(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    codec: str,
    parts: list[tuple[Shape, int]],
) -> None:
    film = write(tmp_path / f"a.{name}", parts, codec)
    ends = [sum(count for _, count in parts[: n + 1]) / 25 for n in range(len(parts))]
    middles = [end - parts[n][1] / 50 for n, end in enumerate(ends)]
    # FFmpeg gives the last MPEG-2 picture of a stretch the aspect of the next.
    times = [t for end in ends[:-1] for t in (end - 0.08, end)]
    pictures, words = plain(film, times, picture), plain(film, middles, told)
    assert len(set(words)) == len({shape for shape, _ in parts})
    with Playing(monkeypatch, film) as playing:
        playing.wait_for("playback-restart")
        for look, at, wanted in ((picture, times, pictures), (told, middles, words)):
            for time, shape in [*zip(at, wanted, strict=True)][::-1]:
                playing.settle("seek", time, "absolute+exact")
                assert playing.is_ours_shown
                assert look(playing.mpv) == shape, time


def test_a_change_is_met_while_playing_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    film = write(tmp_path / "a.webm", [(SMALL, 25), (LARGE, 25), (TALL, 25)], "libvpx")
    seen: list[tuple[int, int]] = []
    with Playing(monkeypatch, film, mpv={"pause": "no"}) as playing:

        def note(_name: str, size: dict[str, int] | None) -> None:
            if size:
                seen.append((size["w"], size["h"]))

        playing.mpv.observe_property("video-out-params", note)
        playing.join()
    assert list(dict.fromkeys(seen)) == [(96, 54), (192, 108), (72, 96)]
    assert playing.code == 0


def test_a_change_that_was_not_found_is_met_when_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parts = [(SMALL, 60), (TALL, 10), (SMALL, 60)]
    film = write(tmp_path / "a.webm", parts, "libvpx")
    monkeypatch.setattr(shapes, "_PLACES", 1)
    with Playing(monkeypatch, film, mpv={"pause": "no"}) as playing:
        playing.wait_for("playback-restart")
        first = playing.viewing
        playing.wait(lambda: playing.viewing is not first, "a track of all shapes")
        playing.wait(lambda: len(playing.viewing.info.stretches) == 3, "all shapes")
        starts = [float(stretch.start) for stretch in playing.viewing.info.stretches]
    assert starts[:2] == pytest.approx([0, 2.4], abs=0.01)
    assert starts[2] > 2.79


@pytest.mark.parametrize("aspect", [SQUARE, Fraction(4, 3)])
def test_what_the_container_cuts_off_is_cut_off_as_mpv_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, aspect: Fraction
) -> None:
    crop = Crop(4, 10, 8, 12)
    film = write_matroska(
        tmp_path / "a.mkv", count=50, width=96, height=64, crop=crop, pixel_aspect=aspect
    )
    wanted = plain(film, [0.4, 1.2], picture)
    with Playing(monkeypatch, film) as playing:
        playing.wait_for("playback-restart")
        for time, size in zip((0.4, 1.2), wanted, strict=True):
            playing.settle("seek", time, "absolute+exact")
            assert playing.is_ours_shown
            assert picture(playing.mpv) == size
