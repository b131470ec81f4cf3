"""IFRNet with a distance index: flow, features and picture refined together, coarse to fine.

The index enters at the coarsest level, at 1/16 of the size; so does a reference, as features and
its own index.

Source: Kong et al., "IFRNet: Intermediate Feature Refine Network for Efficient Frame Interpolation"
(2022), as InterpAny-Clearer trains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rtvfi.models.interpany.parts import (
    Decoder,
    Estimate,
    Network,
    Padding,
    Pyramid,
    Reference,
    fetched,
    joined,
    larger_flow,
    mean_of_both,
)
from rtvfi.models.warp import enlarge, shrink

if TYPE_CHECKING:
    from torch import Tensor

WIDTHS = (32, 48, 72, 96)
SIDE = 32


class Shared(NamedTuple):
    """What ``IFRNet.encode`` gives."""

    img0: Tensor
    """Without the mean, full size."""
    img1: Tensor
    mean: Tensor
    """(N, 1, 1, 1)."""
    left: list[Tensor]
    """Features of img0, fine to coarse."""
    right: list[Tensor]
    flow_scale: float


class IFRNet(Network):
    """T and D without reference, TR and DR with."""

    padding = Padding(multiple=16)

    def __init__(self, has_reference: bool) -> None:
        super().__init__()
        self.has_reference = has_reference
        one, two, three, four = WIDTHS
        self.encoder = Pyramid(WIDTHS)
        first = 3 * four + 2 if has_reference else 2 * four + 1
        self.decoder4 = Decoder(first, 2 * four, three + 4, SIDE)
        self.decoder3 = Decoder(3 * three + 4, 3 * three, two + 4, SIDE)
        self.decoder2 = Decoder(3 * two + 4, 3 * two, one + 4, SIDE)
        self.decoder1 = Decoder(3 * one + 4, 3 * one, 8, SIDE)

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Shared:
        """See ``Network``."""
        mean = mean_of_both(img0, img1)
        img0, img1 = img0 - mean, img1 - mean
        left, right = (self.encoder(enlarge(image, flow_scale)) for image in (img0, img1))
        return Shared(img0, img1, mean, left, right, flow_scale)

    def decode(self, shared: Shared, index: Tensor, reference: Reference | None = None) -> Estimate:
        """See ``Network``."""
        out = self.decoder4(self._coarsest(shared, index, reference))
        flows = [out[:, :4].float()]
        for level, decoder in ((2, self.decoder3), (1, self.decoder2), (0, self.decoder1)):
            flow = flows[-1]
            features = fetched(shared.left[level], shared.right[level], flow)
            out = decoder(joined(out[:, 4:], *features, flow))
            flows.append(out[:, :4].float() + larger_flow(flow, 2))
        back = 1 / shared.flow_scale
        flow = larger_flow(flows[-1], back)
        mask, added = enlarge(out[:, 4:5].sigmoid(), back), enlarge(out[:, 5:8], back)
        left, right = fetched(shared.img0, shared.img1, flow)
        merged = left * mask + right * (1 - mask) + shared.mean
        return Estimate((merged + added).clamp(0, 1), [*flows[:-1], flow], [merged], [mask])

    def coarse_flow(self, shared: Shared, index: Tensor, reference: Reference | None) -> Tensor:
        """See ``Network``: what the coarsest level says, at 1/8 of the size."""
        out = self.decoder4(self._coarsest(shared, index, reference))
        return larger_flow(out[:, :4].float(), 8 / shared.flow_scale)

    def _coarsest(self, shared: Shared, index: Tensor, reference: Reference | None) -> Tensor:
        cell = 16 / shared.flow_scale
        parts = [shared.left[3], shared.right[3]]
        if reference is None:
            return joined(*parts, shrink(index, cell))
        picture = enlarge(reference.picture - shared.mean, shared.flow_scale)
        features = self.encoder(picture)[3]
        return joined(*parts, features, shrink(index, cell), shrink(reference.gone, cell))
