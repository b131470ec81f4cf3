"""Base classes of networks with a flow scale, the size at which they estimate motion."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, Self

from rtvfi.core.errors import UsageError
from rtvfi.models.base import directly
from rtvfi.models.warp import padded

if TYPE_CHECKING:
    from torch import Tensor

    from rtvfi.models.base import ModelInfo, Runner
    from rtvfi.models.family import State
    from rtvfi.models.tuning import Tuning

FLOW_SCALES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Relative to the picture's size; powers of two, so that every block has an integer size."""


class Scaled:
    """Base class of a network that can estimate motion at several sizes (``base.HasScales``).

    Args:
        state: parameters by name.
        info: the catalogue entry.
        tuning: device, dtype and forms of the layers.
        flow_scale: one of ``known_scales``.

    Raises:
        WeightsMismatch: ``state`` is of another network.
        UsageError: the network does not support the flow scale.
    """

    known_scales: tuple[float, ...] = FLOW_SCALES

    def __init__(
        self, state: State, info: ModelInfo, tuning: Tuning, *, flow_scale: float = 1.0
    ) -> None:
        self.info = info
        self.tuning = tuning
        self._load(state)
        self._set_flow_scale(flow_scale)

    def _load(self, state: State) -> None:
        """Load the parameters; called once, before the flow scale is set."""
        raise NotImplementedError

    def _set_flow_scale(self, flow_scale: float) -> None:
        """Set the flow scale; called again by ``at_scale``.

        Override it to set what depends on the scale.
        """
        if flow_scale not in self.known_scales:
            names = ", ".join(f"{scale:g}" for scale in self.known_scales)
            raise UsageError(
                f'flow scale "{flow_scale:g}" of "{self.info.id}" is not one of {names}'
            )
        self.flow_scale = flow_scale

    def at_scale(self, flow_scale: float) -> Self:
        """The same network with the same parameters at another flow scale.

        Pictures have to be prepared again.

        Raises:
            UsageError: the network does not support the flow scale.
        """
        other = copy.copy(self)
        other._set_flow_scale(flow_scale)
        return other

    @property
    def _multiple(self) -> int:
        """Padded sizes are multiples of this."""
        return int(self.info.pad_multiple / min(self.flow_scale, 1))


class ScaledCore(Scaled):
    """``Scaled`` for a network whose expensive part can be run by a runner (``base.HasCore``)."""

    def _set_flow_scale(self, flow_scale: float) -> None:
        super()._set_flow_scale(flow_scale)
        self._run: Runner = directly  # a runner works for one scale only

    def with_runner(self, runner: Runner) -> Self:
        """The same network with the same parameters, its core run by ``runner``."""
        other = copy.copy(self)
        other._run = runner
        return other


class ScaledBlocks(ScaledCore):
    """``ScaledCore`` for a network of blocks that work from coarse to fine."""

    block_scales: tuple[float, ...]
    """Downscaling factor of each block, relative to the flow scale; set by ``_load``."""

    def _set_flow_scale(self, flow_scale: float) -> None:
        super()._set_flow_scale(flow_scale)
        self.scales = tuple(scale / flow_scale for scale in self.block_scales)

    def _fitted(self, frame: Tensor) -> Tensor:
        """Clamp a (1, 3, H, W) picture to [0, 1] and pad it."""
        return padded(frame.to(self.tuning.dtype).clamp(0, 1), self._multiple)
