"""Registers ``dis`` as a model for pictures that are tensors.

Films do not use this class; they are interpolated directly on their samples
(``stream.run.executors.codes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch

from rtvfi.models.base import Planes
from rtvfi.models.dis.model import Dis
from rtvfi.models.family import Family, has_no_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rtvfi.models.base import Interpolator
    from rtvfi.models.dis.flow import Codes
    from rtvfi.models.dis.model import Prepared
    from rtvfi.models.family import Request

_BITS: Final = 14
_SPAN: Final = 12_000.0
"""Number of codes from 0 to 1."""
_ZEROS: Final = (2_000.0, 8_192.0)
"""The codes of luma 0, which leaves footroom below, and of chroma 0."""


class _Picture(NamedTuple):
    prepared: Prepared
    like: Planes


class DisOnTensors:
    """An ``Interpolator`` that converts tensors to 14-bit codes, runs ``Dis`` and converts back."""

    def __init__(self, flow_scale: float) -> None:
        self._dis = Dis(flow_scale, _BITS)
        self.info = self._dis.info
        self.flow_scale = flow_scale

    def at_scale(self, flow_scale: float) -> DisOnTensors:
        """The same model at another flow scale.

        Raises:
            UsageError: it does not support that flow scale.
        """
        return DisOnTensors(flow_scale)

    def prepare(self, frame: Planes) -> _Picture:
        """Convert one picture (N = 1) and arrange it for warping."""
        planes = [_codes(frame.y[0, 0], _ZEROS[0])]
        planes += [_codes(plane, _ZEROS[1]) for plane in frame.uv[0]]
        return _Picture(self._dis.prepare(planes), frame)

    def pair(self, a: _Picture, b: _Picture, ts: Sequence[float | Tensor]) -> Planes:
        """The pictures between ``a`` and ``b`` at timesteps ``ts``: N = len(ts)."""
        motion = self._dis.motion(a.prepared, b.prepared)
        shapes = [tuple(a.like.y.shape[2:]), *[tuple(a.like.uv.shape[2:])] * 2]
        lumas, chromas = [], []
        for t in ts:
            out = [np.empty(shape, np.uint16) for shape in shapes]
            self._dis.between((a.prepared, b.prepared), motion, float(t), out)
            lumas.append(_tensor(out[:1], _ZEROS[0], a.like.y))
            chromas.append(_tensor(out[1:], _ZEROS[1], a.like.uv))
        return Planes(torch.cat(lumas), torch.cat(chromas))


def _codes(plane: Tensor, zero: float) -> Codes:
    codes = torch.round(plane.float() * _SPAN + zero).clamp(0, (1 << _BITS) - 1)
    return codes.cpu().numpy().astype(np.uint16)


def _tensor(planes: Sequence[Codes], zero: float, like: Tensor) -> Tensor:
    codes = torch.from_numpy(np.stack(planes).astype(np.float32))
    return ((codes - zero) / _SPAN)[None].to(like.device, like.dtype)


def _build(request: Request) -> Interpolator:
    return DisOnTensors(request.flow_scale)


FAMILY: Final = Family("dis", has_no_weights, _build)
