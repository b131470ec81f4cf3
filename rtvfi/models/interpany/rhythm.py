"""A network that takes a distance index, given that of the drawing's own pace: DRBA's ratios.

DRBA measures how far every pixel of the middle one of three pictures moves to both sides, and gives
RIFE the ratio as a timestep. RIFE expects it where the new frame's pixels are; a network trained on
distance indices expects it where those of its first picture are, which is where DRBA measured it,
the middle picture being the first. So nothing is scattered and nothing has to be filled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rtvfi.models.drba.drba import DrbaLink, flows_of, link_of, ratios
from rtvfi.models.interpany.model import Interpany, Prepared
from rtvfi.models.interpany.parts import Reference
from rtvfi.models.triple import Triples

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.models.triple import Both, Side, Three


class RhythmInterpany(Interpany, Triples[Prepared, DrbaLink]):
    """A ``TripleInterpolator``: with a third picture, every pixel at its own pace."""

    def link(self, a: Prepared, b: Prepared) -> DrbaLink:
        """The motion between ``a`` and ``b``, from what the network finds at first sight."""
        index = self._index(a, 0.5)
        shared = self.net.encode(a.image, b.image, self.flow_scale)
        reference = None
        if self.net.has_reference:
            reference = Reference(a.image, torch.zeros_like(index))
        return link_of(self.net.coarse_flow(shared, index, reference))

    def _sides(self, frames: Three[Prepared], links: Both[DrbaLink]) -> Side:
        flows = flows_of(links)

        def make(sign: int, near: list[float]) -> Tensor:
            ratio = ratios(*flows[sign])
            indices = torch.cat([(2 * abs(t - 1) * ratio).clamp(0, 1) for t in near])
            return self.at_indices(frames[1], frames[1 + sign], indices)

        return make
