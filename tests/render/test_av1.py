"""AV1 and VP9 in files made of pieces: their decoders have other names than their encoders."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import pytest
from clips import FILM, Clips, ClipSpec, read_code
from files import off_grid, planes, track
from viewing import Viewer, killed

from rtvfi.cli import main as cli
from rtvfi.render import frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rtvfi.stream.write.writer import Writer

SOUNDLESS = ClipSpec(num_frames=60, gop=24)
HEARD = ClipSpec(num_frames=144, gop=24, audio=True)
MILLISECOND = Fraction(1, 1000)
QUICK = ("--model", "copy", "--fps", "1x", "--device", "cpu")


def numbers(path: Path) -> list[int | None]:
    return [read_code(luma) for _, (luma, *_) in planes(path)]


def facts(path: Path) -> tuple[object, ...]:
    """Codec, size, format and colour of the pictures."""
    with av.open(str(path)) as source:
        context = source.streams.video[0].codec_context
        color = (context.colorspace, context.color_primaries, context.color_trc)
        size = (context.width, context.height, context.pix_fmt)
        return context.codec.canonical_name, *size, context.color_range, *color


@pytest.mark.parametrize(
    ("encoder", "name"),
    [
        ("libsvtav1", "o.mkv"),
        ("libsvtav1", "o.mp4"),
        ("libsvtav1", "o.webm"),
        ("libvpx-vp9", "o.mp4"),
        ("libvpx-vp9", "o.webm"),
    ],
)
def test_all_pictures_come_through(encoder: str, name: str, clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(SOUNDLESS), tmp_path / name
    assert cli.main(["render", *QUICK, "--encoder", encoder, "-o", str(target), str(source)]) == 0
    assert numbers(target) == list(range(60))
    assert off_grid(track(target, "video").times, FILM) <= MILLISECOND
    assert facts(target) == ({"libsvtav1": "av1"}.get(encoder, "vp9"), *facts(source)[1:])


@pytest.mark.parametrize("name", ["o.mkv", "o.mp4", "o.webm"])
def test_a_rendering_that_was_stopped_goes_on(
    name: str, clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = clips.get(HEARD), tmp_path / name
    words = ["render", *QUICK, "--encoder", "libsvtav1", "--no-audio", "-o", str(target)]
    real = frames.put_all

    def stopped(frames: Iterator[Any], writer: Writer, look: Callable[[], None]) -> None:
        def some() -> Iterator[Any]:
            yield from itertools.islice(frames, 100)
            raise KeyboardInterrupt

        real(some(), writer, look)

    with monkeypatch.context() as there:
        there.setattr("rtvfi.render.run.put_all", stopped)
        assert cli.main([*words, str(source)]) == 130
    assert 48 <= len(planes(target)) <= 100, "what there was can be played"
    assert cli.main([*words, "--resume", str(source)]) == 0
    assert numbers(target) == list(range(144))
    assert off_grid(track(target, "video").times, FILM) <= MILLISECOND


def viewed(source: Path, target: Path) -> Viewer:
    viewer = Viewer(source, target, encoder="libsvtav1", preset="8", crf=8)
    for start, stop in ((0, 50), (40, 100), (80, 144)):
        viewer.play(start, stop)
    return viewer


def test_a_viewing_with_two_seeks_is_one_file(clips: Clips, tmp_path: Path) -> None:
    source, target = clips.get(HEARD), tmp_path / "o.mkv"
    report = viewed(source, target).close()
    assert report["error"] is None
    assert [file["frames"] for file in report["files"]] == [144]
    assert numbers(target) == list(range(144))
    assert off_grid(track(target, "video").times, FILM) <= MILLISECOND
    assert track(target, "audio").data == track(source, "audio").data


def test_pieces_of_a_killed_recording_are_joined(clips: Clips, tmp_path: Path) -> None:
    target = tmp_path / "o.mkv"
    killed(viewed(clips.get(HEARD), tmp_path / "live.mkv"), tmp_path / "live.mkv", target)
    assert cli.main(["join", str(target)]) == 0
    made = numbers(target)
    assert made == list(range(len(made)))
    assert len(made) >= 100
