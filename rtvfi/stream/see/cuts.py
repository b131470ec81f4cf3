"""Detects scene cuts, repeated pictures and motion, on host planes and without torch.

Two measures detect a cut. *Structural similarity* of 32x32 miniatures, as in MultiPassDedup and
DRBA, alone mistakes fast pans for cuts, and two scenes in one place for one scene. *Novelty* is the
part of a picture that block matching cannot find in the previous frame. It must also stand out
against the frames around, because in a whip pan, or behind a wing that passes, every frame is new.

A frame that looks like a cut is held back until the next one has come; all others are passed on
at once. The next frame distinguishes cuts from flashes (what follows a flash is like what preceded
it), fade-ins from scenes after black, and bursts of motion from cuts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from rtvfi.core.options import CUT_THRESHOLD
from rtvfi.core.stamp import Stamp
from rtvfi.stream.see.changes import Change, Changes
from rtvfi.stream.see.luma import Lumas, Matcher
from rtvfi.stream.see.miniatures import Miniatures, ssim

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.frame import SourceFrame, StreamInfo
    from rtvfi.stream.see.luma import Luma
    from rtvfi.stream.see.miniatures import Miniature

_COMPARED_WORDS: Final = 1 << 15
"""64-bit words compared at a time (256 KiB): they stay in the cache, and a difference ends it
early.
"""
_NEW: Final = 0.55
"""Least novelty of a cut; hard cuts of films had at least 0.69."""
_STANDS_OUT: Final = {False: 1.65, True: 1.25}
"""Least novelty of a cut divided by that of the frames around it, by whether the SSIM is below the
threshold. In films, cuts had at least 2.4, other frames at most 1.5.
"""
_QUIET: Final = 0.08
"""Added to the novelty of the neighbours, which is almost 0 in a still scene."""
_RETURN: Final = 0.5
"""Novelty below which the frames before and after a flash belong to the same scene."""


class Seen(NamedTuple):
    """A frame and the results of analysing it."""

    stamp: Stamp
    payload: NDArray[np.uint8]
    change: Change


@dataclass(frozen=True, eq=False)
class _Look:
    """A frame and the small pictures made from it."""

    index: int
    frame: SourceFrame
    miniature: Miniature
    luma: Luma


class CutDetector:
    """Analyses the frames of one stream; used by one thread.

    Args:
        threshold: a pair with a lower SSIM needs less evidence to be a cut; higher finds more.
    """

    def __init__(self, info: StreamInfo, threshold: float = CUT_THRESHOLD) -> None:
        self._threshold = threshold
        self._miniatures = Miniatures(info)
        self._lumas = Lumas(info)
        self._changes = Changes()
        self._matcher: Matcher | None = None
        self.reset()

    def reset(self) -> None:
        """Start again, after a seek: the next frame starts a scene and has index 0."""
        self._next_index = 0
        self._before: _Pair | None = None
        """The pair that ends with ``_last``; None if that frame starts a scene."""
        self._last: _Look | None = None
        self._waiting: _Pair | None = None
        """The pair that ends with the frame that is held back."""

    def push(self, frame: SourceFrame) -> list[Seen]:
        """Take the next frame.

        Returns:
            The frames that are decided now, in order: the one held back, if any, then this one
            unless it is held back itself.
        """
        if frame.starts_stretch:
            return [*self.flush(), self._settle(self._look(frame), None, is_cut=True)]
        waiting, seen = self._waiting, []
        last = waiting.b if waiting else self._last
        look = self._look(frame)
        pair = None if last is None else self._pair(last, look)
        if waiting is not None:
            seen.append(self._decide(waiting, pair))
        if pair is not None and pair.is_unlike_at_rest and pair.novelty > _NEW:
            self._waiting = pair
        else:
            seen.append(self._settle(look, pair, is_cut=pair is None))
        return seen

    def flush(self) -> list[Seen]:
        """End the stream; returns the frame held back, if there is one."""
        return [] if self._waiting is None else [self._decide(self._waiting, None)]

    def _look(self, frame: SourceFrame) -> _Look:
        index, self._next_index = self._next_index, self._next_index + 1
        luma = self._lumas.make(frame.payload)
        if self._matcher is None:
            self._matcher = Matcher(luma.coarse.shape)
        return _Look(index, frame, self._miniatures.make(frame.payload), luma)

    def _pair(self, a: _Look, b: _Look) -> _Pair:
        assert self._matcher is not None
        return _Pair(a, b, self._matcher)

    def _decide(self, pair: _Pair, after: _Pair | None) -> Seen:
        """Decide about the frame held back; ``after`` is the pair of it and the next frame."""
        self._waiting = None
        return self._settle(pair.b, pair, is_cut=self._is_cut(pair, after))

    def _is_cut(self, pair: _Pair, after: _Pair | None) -> bool:
        before = self._before
        around = max(p.novelty if p else 0.0 for p in (before, after))
        is_unlike = ssim(pair.a.miniature, pair.b.miniature) < self._threshold
        needed = _STANDS_OUT[is_unlike]
        if pair.novelty < needed * (around + _QUIET) or _is_fade(before, pair, after):
            return False
        if after is not None and self._pair(pair.a, after.b).novelty < _RETURN:
            return False  # a flash: the picture from before it is back
        return before is None or self._pair(before.a, pair.b).novelty >= _RETURN

    def _settle(self, look: _Look, pair: _Pair | None, *, is_cut: bool) -> Seen:
        if is_cut:
            self._changes.reset()
        is_same = pair is not None and not is_cut and pair.is_same
        change = self._changes.push(look.luma.fine, is_same=is_same)
        self._last, self._before = look, None if is_cut else pair
        frame = look.frame
        stamp = Stamp(
            index=look.index,
            pts=frame.pts,
            end=frame.pts + frame.duration,
            cut=is_cut,
            same=is_same,
        )
        return Seen(stamp, frame.payload, change)


_FLAT: Final = 1.2
"""A picture with a lower standard deviation counts as one colour, 8-bit codes."""
_FAINT: Final = 12.0
"""Largest standard deviation where a fade-out meets a fade-in, 8-bit codes."""
_FADE_STEP: Final = 1.12
"""Least ratio of contrast from frame to frame in a fade."""
_FLAT_JUMP: Final = 50.0
"""Two pictures of one colour each whose brightness differs by more are two scenes, 8-bit codes."""


class _Pair:
    """Two frames; each comparison is made when it is first needed."""

    def __init__(self, a: _Look, b: _Look, matcher: Matcher) -> None:
        self.a, self.b = a, b
        self._matcher = matcher

    @property
    def is_same(self) -> bool:
        """Whether the planes are identical."""
        if not np.array_equal(self.a.miniature.rgb, self.b.miniature.rgb):
            return False
        return _equal_bytes(self.a.frame.payload, self.b.frame.payload)

    @property
    def growth(self) -> float:
        """Contrast of the second frame divided by that of the first."""
        return self.b.luma.deviation / max(self.a.luma.deviation, 1e-3)

    @cached_property
    def is_unlike_at_rest(self) -> bool:
        """Whether the frames differ so much without motion that motion must be searched."""
        return self._given is not None or self._matcher.at_rest(self.a.luma, self.b.luma) > _NEW

    @cached_property
    def novelty(self) -> float:
        """``Matcher.novelty``; pictures without detail are judged by their brightness."""
        given = self._given
        return self._matcher.novelty(self.a.luma, self.b.luma) if given is None else given

    @cached_property
    def _given(self) -> float | None:
        a, b = self.a.luma, self.b.luma
        low, high = sorted((a.deviation, b.deviation))
        if low >= _FLAT:
            return None
        if high < _FLAT:
            return float(abs(a.mean - b.mean) > _FLAT_JUMP)
        return 1.0 if high > 2 * low + 3 else None


def _is_fade(before: _Pair | None, pair: _Pair, after: _Pair | None) -> bool:
    """Whether the pair is part of a fade to or from one colour."""
    goes = before is not None and before.growth * _FADE_STEP < 1 and before.novelty < _RETURN
    comes = after is not None and after.growth > _FADE_STEP and after.novelty < _RETURN
    a, b = pair.a.luma.deviation, pair.b.luma.deviation
    if goes and comes and max(a, b) < _FAINT:
        return True
    return (comes and a < _FLAT) or (goes and b < _FLAT)


def _equal_bytes(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    if a is b:
        return True
    if len(a) != len(b):
        return False
    whole = len(a) & ~7
    words_a, words_b = a[:whole].view(np.uint64), b[:whole].view(np.uint64)
    for start in range(0, len(words_a), _COMPARED_WORDS):
        part = slice(start, start + _COMPARED_WORDS)
        if not np.array_equal(words_a[part], words_b[part]):
            return False
    return np.array_equal(a[whole:], b[whole:])
