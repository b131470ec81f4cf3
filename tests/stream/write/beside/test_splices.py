"""Recordings that were joined keep their sound, and it stays with the picture."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from clips import Clips, ClipSpec
from files import planes, track

from rtvfi.cli import main as cli

if TYPE_CHECKING:
    from pathlib import Path

SPEC = ClipSpec(
    num_frames=100, rate=Fraction(25), gop=25, audio=True, container="ts", start=Fraction(2)
)


def render(source: Path, target: Path) -> Path:
    words = ["--model", "copy", "--fps", "1x", "--device", "cpu", "-o", str(target)]
    assert cli.main(["render", str(source), *words, "--preset-encoder", "ultrafast"]) == 0
    return target


@pytest.mark.parametrize("count", [2, 3])
def test_sound_goes_on_with_the_picture(count: int, clips: Clips, tmp_path: Path) -> None:
    part = clips.get(SPEC)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(part.read_bytes() * count)
    made = render(joined, tmp_path / "o.mkv")
    sound, shown = track(made, "audio"), planes(made)
    end = max(time for time, _ in shown)
    assert end > 4 * count - 1
    gaps = [b - a for a, b in pairwise(sound.times)]
    assert max(gaps) < Fraction(1, 10)
    # Their ends are as far apart as in the last part.
    old = track(part, "audio").times[-1] - max(track(part, "video").times)
    assert abs(sound.times[-1] - end - old) < Fraction(1, 20)


def test_other_recordings_are_as_they_were(clips: Clips, tmp_path: Path) -> None:
    part = clips.get(SPEC)
    made = render(part, tmp_path / "o.mkv")
    assert track(made, "audio").data == track(part, "audio").data
