"""IFRNet with a distance index: refines flow, features and picture together, coarse to fine.

The index is an input of the coarsest level, at 1/16 of the size, and so are the features and the
index of a reference.

Source: Kong et al., "IFRNet: Intermediate Feature Refine Network for Efficient Frame Interpolation"
(2022), as InterpAny-Clearer trains it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.models.interpany.layers import Decoder, Levels, Pyramid
from rtvfi.models.interpany.parts import Estimate, Padding, fetched, joined, larger_flow
from rtvfi.models.warp import enlarge

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.models.interpany.layers import Views
    from rtvfi.models.interpany.parts import Reference

WIDTHS = (32, 48, 72, 96)
SIDE = 32


class IFRNet(Levels):
    """The network of the variants T and D (without reference), TR and DR (with reference)."""

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

    def encode(self, img0: Tensor, img1: Tensor, flow_scale: float = 1.0) -> Views:
        """Compute what all distance indices between two pictures share."""
        return self.views(img0, img1, flow_scale)

    def decode(self, shared: Views, index: Tensor, reference: Reference | None = None) -> Estimate:
        """Compute the picture at a distance index; see ``Network.decode``."""
        out = self.coarsest(shared, index, reference)
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

    def coarse_flow(self, shared: Views, index: Tensor, reference: Reference | None) -> Tensor:
        """The flow of the coarsest level, at 1/8 of the size; see ``Network.coarse_flow``."""
        out = self.coarsest(shared, index, reference)
        return larger_flow(out[:, :4].float(), 8 / shared.flow_scale)
