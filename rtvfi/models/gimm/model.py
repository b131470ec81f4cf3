"""GIMM-VFI R as an ``Interpolator``, for any timestep and several per call.

``prepare`` computes what depends on one picture. What depends on the pair is computed once for all
timesteps of a call; the rest, which is most of the work, for every timestep (the last decoder of
``synthesis``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.gimm.correlation import VOLUME_BYTES, Correlation, pyramid
from rtvfi.models.gimm.encoder import Encoder
from rtvfi.models.gimm.layers import Parameters
from rtvfi.models.gimm.memory import needed_bytes
from rtvfi.models.gimm.motion import Motion, PairMotion
from rtvfi.models.gimm.raft import Raft, RaftStart
from rtvfi.models.gimm.shape import detect
from rtvfi.models.gimm.synthesis import Matches, Source, Synthesis
from rtvfi.models.memory import MemoryCheck, Need
from rtvfi.models.scaled import Scaled
from rtvfi.models.warp import enlarge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rtvfi.models.family import State

FLOW_SCALES: Final = (0.25, 0.5, 1.0)
SMALLEST: Final = 128
"""Minimum size in pixels; below, the coarsest correlation level would have one row or column."""


class GimmPrepared(NamedTuple):
    """One picture, ready for any pair it is part of."""

    picture: Tensor
    """(1, 3, H', W'), float32, [0, 1], padded, full size."""
    start: RaftStart
    """Initial state of its motion estimate."""
    search: tuple[Tensor, ...]
    """Pyramid of the features used for matching."""
    source: Source
    """The data that frames are synthesised from."""
    height: int
    """Height of the picture before padding."""
    width: int
    """Width of the picture before padding."""


class Gimm(Scaled):
    """An ``Interpolator``; everything but the last blend runs at the size of the flow scale."""

    known_scales = FLOW_SCALES
    volume_bytes: int = VOLUME_BYTES
    """Limit of stored correlations, see ``correlation.Correlation``."""

    def _load(self, state: State) -> None:
        detect(state)
        given = Parameters(state, self.tuning)
        self.matching = Encoder(given, "flow_estimator.fnet")
        self.context = Encoder(given, "flow_estimator.cnet")
        self.raft = Raft(given, "flow_estimator.update_block")
        self.motion = Motion(given)
        self.synthesis = Synthesis(given)
        needed = partial(needed_bytes, dtype=self.tuning.dtype)
        self._memory = MemoryCheck(Need("GIMM-VFI", needed, FLOW_SCALES), self.tuning.device)

    def prepare(self, frame: Tensor) -> GimmPrepared:
        """Compute the features of a picture, (1, 3, H, W), clamped to [0, 1].

        Raises:
            OutOfMemory: it is the first picture of its size, and there is too little free memory.
        """
        height, width = frame.shape[-2:]
        picture = self._padded(frame.float().clamp(0, 1))
        self._memory.check(picture.shape[-2:], self.flow_scale)
        image = 2 * enlarge(picture, self.flow_scale) - 1
        seen = image.to(self.tuning.dtype)
        searched = self.matching(seen).out
        context = self.context(seen)
        make = self.synthesis
        source = Source(
            image=seen,
            quarter=enlarge(image, 1 / 4).to(seen.dtype),
            coarse=make.enlarge_coarse(make.project_coarse(context.eighth)),
            fine=make.enlarge_fine(make.project_fine(context.quarter)),
            matching=pyramid(make.project_matching(searched)),
        )
        start = self.raft.start(context.out)
        return GimmPrepared(picture, start, pyramid(searched), source, height, width)

    def _padded(self, picture: Tensor) -> Tensor:
        """Replicate the last row and column, up to a size that the network supports."""
        multiple = round(self.info.pad_multiple / self.flow_scale)
        least = round(SMALLEST / self.flow_scale)
        rows, columns = (max(least, n + -n % multiple) for n in picture.shape[-2:])
        height, width = picture.shape[-2:]
        extra = (0, columns - width, 0, rows - height)
        return functional.pad(picture, extra, mode="replicate")

    def pair(self, a: GimmPrepared, b: GimmPrepared, ts: Sequence[float | Tensor]) -> Tensor:
        """The pictures at ``ts``, (len(ts), 3, H, W); at 0 and 1 the input pictures themselves."""
        motion = self.motion.pair(*self.flows(a, b))
        matches = Matches(a.source.matching, b.source.matching)
        made = [self._frame(a, b, motion, matches, float(t)) for t in ts]
        return torch.cat(made)[..., : a.height, : a.width].to(self.tuning.dtype)

    def flows(self, a: GimmPrepared, b: GimmPrepared) -> tuple[Tensor, Tensor]:
        """The flows from ``a`` to ``b`` and back, (1, 2, h, w), float32, estimated in one batch."""
        start = RaftStart(
            torch.cat((a.start.hidden, b.start.hidden)),
            tuple(
                torch.cat(shares) for shares in zip(a.start.context, b.start.context, strict=True)
            ),
        )
        near = torch.cat((a.search[0], b.search[0]))
        far = [torch.cat(levels) for levels in zip(b.search, a.search, strict=True)]
        flows = self.raft.flow(start, Correlation(near, far, self.volume_bytes))
        return flows[:1], flows[1:]

    def _frame(
        self, a: GimmPrepared, b: GimmPrepared, motion: PairMotion, matches: Matches, t: float
    ) -> Tensor:
        if not 0 < t < 1:
            return a.picture if t <= 0 else b.picture
        make, source = self.synthesis, (a.source, b.source)
        coarse = make.start(source, self.motion.at(motion, t))
        fields = make.fields(source, make.corrected(coarse, matches, t))
        return make.blend(fields, (2 * a.picture - 1, 2 * b.picture - 1))
