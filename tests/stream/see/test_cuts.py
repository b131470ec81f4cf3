"""Cuts, flashes, fades and repeats, and when the planner is told of them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from clips import ClipSpec
from fakes import stream_info
from generated_films import INFO, Scene, film, palette, payload_of

from rtvfi.core.frame import SourceFrame
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.see.cuts import CutDetector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from clips import Clips
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import Stamp
    from rtvfi.stream.decode.source import FrameSource

    Floats = NDArray[Any]


def stamps(info: StreamInfo, payloads: Iterable[NDArray[np.uint8]], **kw: float) -> list[Stamp]:
    detector = CutDetector(info, **kw)
    frames = (
        SourceFrame(p, i / info.source_rate, 1 / info.source_rate) for i, p in enumerate(payloads)
    )
    seen = [s for frame in frames for s in detector.push(frame)]
    return [s.stamp for s in seen + detector.flush()]


def looked_at(source: FrameSource) -> Iterator[Stamp]:
    """The stamps of all frames of a source."""
    detector = CutDetector(source.info)
    while isinstance(frame := source.read(), SourceFrame):
        yield from (seen.stamp for seen in detector.push(frame))
    yield from (seen.stamp for seen in detector.flush())


def test_the_first_frame_starts_a_scene() -> None:
    info = stream_info(8, 6)
    payload = np.zeros(info.payload_bytes, np.uint8)
    first, second = stamps(info, [payload, payload])
    assert (first.cut, first.same, first.index) == (True, False, 0)
    assert (second.cut, second.same, second.index) == (False, True, 1)


def test_a_picture_of_another_shape_starts_a_scene() -> None:
    info = stream_info(8, 6)
    detector = CutDetector(info)
    payload, step = np.zeros(info.payload_bytes, np.uint8), 1 / info.source_rate
    frames = [SourceFrame(payload, n * step, step, 0, starts_stretch=n == 2) for n in range(4)]
    seen = [s for frame in frames for s in detector.push(frame)] + detector.flush()
    assert [s.stamp.cut for s in seen] == [True, False, True, False]
    assert [s.stamp.index for s in seen] == [0, 1, 2, 3]


def test_after_a_reset_counting_starts_anew() -> None:
    info = stream_info(8, 6)
    detector = CutDetector(info)
    frame = SourceFrame(np.zeros(info.payload_bytes, np.uint8), Fraction(3), Fraction(1, 24))
    detector.push(frame)
    detector.reset()
    [seen] = detector.push(frame)
    stamp = seen.stamp
    assert (stamp.index, stamp.cut, stamp.same) == (0, True, False)
    assert (stamp.pts, stamp.end) == (Fraction(3), Fraction(73, 24))


@pytest.mark.parametrize("place", [0, 1000, -1])
def test_one_different_byte_is_a_different_picture(place: int) -> None:
    info = stream_info(161, 91)
    a = np.full(info.payload_bytes, 100, np.uint8)
    b = a.copy()
    b[place] += 1
    assert [s.same for s in stamps(info, [a, a.copy(), b, b])] == [False, True, False, True]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (33, 31)])
def test_tiny_pictures_have_cuts_too(size: tuple[int, int]) -> None:
    info = stream_info(*size)
    dark, bright = (np.full(info.payload_bytes, v, np.uint8) for v in (0, 255))
    assert [s.cut for s in stamps(info, [dark, bright, bright])] == [True, True, False]


def test_cuts_and_holds_of_a_film_are_found(clips: Clips) -> None:
    spec = ClipSpec(num_frames=40, holds=(2, 3), cuts=(13, 29), codec="ffv1")
    source = open_source(str(clips.get(spec)), SourceOptions())
    found = list(looked_at(source))
    source.close()
    assert [s.index for s in found if s.cut] == [0, 13, 29]
    repeats = [i for i, drawing in enumerate(spec.drawings) if drawing != i]
    assert [s.index for s in found if s.same] == repeats


# --- generated films -------------------------------------------------------------------------

RNG_A, RNG_B = 11, 12


def shot(seed: int, length: int, start: int = 0) -> list[Floats]:
    """Frames of a generated scene."""
    rng = np.random.default_rng(seed)
    scene = Scene(rng, palette(rng))
    return [scene.draw(n) for n in range(start + length)][start:]


def cuts_in(pictures: Iterable[Floats]) -> list[int]:
    """Frames that start a scene, without the first."""
    found = stamps(INFO, [payload_of(picture) for picture in pictures])
    return [stamp.index for stamp in found if stamp.cut][1:]


def flat(level: float) -> Floats:
    """A grey picture."""
    return np.broadcast_to(np.array([level, 128, 128])[:, None, None], shot(1, 1)[0].shape)


def test_a_cut_is_found() -> None:
    assert cuts_in(shot(RNG_A, 5) + shot(RNG_B, 5)) == [5]


@pytest.mark.parametrize("level", [2, 128, 253])
def test_a_flash_of_one_frame_is_no_cut(level: float) -> None:
    pictures = shot(RNG_A, 10)
    pictures[5] = flat(level)
    assert cuts_in(pictures) == []


def test_a_negative_frame_is_no_cut() -> None:
    pictures = shot(RNG_A, 10)
    pictures[5] = 255 - pictures[5]
    assert cuts_in(pictures) == []


def test_black_between_two_scenes_is_a_scene() -> None:
    assert cuts_in([*shot(RNG_A, 5), *[flat(2)] * 4, *shot(RNG_B, 5)]) == [5, 9]


def test_fades_are_no_cuts() -> None:
    out = [flat(2) + (p - flat(2)) * (1 - n / 6) for n, p in enumerate(shot(RNG_A, 7))]
    up = [flat(2) + (p - flat(2)) * n / 6 for n, p in enumerate(shot(RNG_B, 7))]
    assert cuts_in(shot(RNG_A, 3) + out + [flat(2)] * 2 + up + shot(RNG_B, 5)[2:]) == []


def test_a_dissolve_is_no_cut() -> None:
    mixed = [
        a * (1 - n / 5) + b * n / 5
        for n, (a, b) in enumerate(zip(shot(RNG_A, 5), shot(RNG_B, 5), strict=True))
    ]
    assert cuts_in(shot(RNG_A, 4) + mixed + shot(RNG_B, 4)) == []


def test_only_a_frame_that_looks_like_a_cut_is_held_back() -> None:
    detector = CutDetector(INFO)
    pictures = shot(RNG_A, 3) + shot(RNG_B, 3)
    given = [
        len(detector.push(SourceFrame(payload_of(p), Fraction(n, 24), Fraction(1, 24))))
        for n, p in enumerate(pictures)
    ]
    assert given == [1, 1, 1, 0, 2, 1]


def test_a_cut_in_the_last_frame_comes_with_the_flush() -> None:
    pictures = shot(RNG_A, 3) + shot(RNG_B, 1)
    assert cuts_in(pictures) == [3]


def test_payloads_stay_with_their_stamps() -> None:
    detector = CutDetector(INFO)
    frames = list(film(5, num_scenes=2).frames())
    seen = [s for frame in frames for s in detector.push(frame)] + detector.flush()
    assert [s.stamp.index for s in seen] == list(range(len(frames)))
    assert all(s.payload is frame.payload for s, frame in zip(seen, frames, strict=True))


def test_flushing_twice_gives_nothing_more() -> None:
    detector = CutDetector(INFO)
    for number, picture in enumerate(shot(RNG_A, 2) + shot(RNG_B, 1)):
        detector.push(SourceFrame(payload_of(picture), Fraction(number), Fraction(1)))
    assert len(detector.flush()) == 1
    assert detector.flush() == []


def found_and_true(seeds: Iterable[int]) -> tuple[int, int, int]:
    """How many cuts are found, right, and there in films."""
    found = right = there = 0
    for seed in seeds:
        made = film(seed)
        seen = set(cuts_in(made.pictures))
        found, right, there = (
            found + len(seen),
            right + len(seen & made.cuts),
            there + len(made.cuts),
        )
    return found, right, there


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_precision_and_recall_on_films_not_tuned_on() -> None:
    found, right, there = found_and_true(range(2000, 2080))
    assert there > 250
    assert right / found >= 0.98
    assert right / there >= 0.98


FILM_CUTS: dict[str, set[int]] = {
    # Seen by eye. Two of them are preceded by a shot of the same place, of similar structure.
    "popeye_T01-2_b_pgs.mkv": {90, 184, 517},
    "popeye_T00-1_pgs.mkv": {74, 331, 530, 738, 1071, 1336},
    "popeye_T03-4_pgs.mkv": {297, 657, 962},
    "dwanko_run_720p24.mkv": set(),
    "ks_tc_act1.mp4": set(),
    "bbb_480p24_5s.mp4": set(),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILM_CUTS)
def test_cuts_of_real_films(shared: Path, name: str) -> None:
    source = open_source(str(shared / "clips/anim" / name), SourceOptions(hwaccel="none"))
    found = {stamp.index for stamp in looked_at(source) if stamp.cut}
    source.close()
    assert found == FILM_CUTS[name] | {0}
