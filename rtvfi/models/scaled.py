"""What networks with a scale share: how they are built, and the size at which they see motion."""

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
"""As shares of the picture's size; powers of two, which keep the size of every block whole."""


class Scaled:
    """A network that can estimate motion at other sizes (``base.HasScales``); a base class.

    Args:
        state: parameters by name.
        info: the catalogue's row.
        tuning: device, dtype and forms to run.
        flow_scale: one of ``known_scales``.

    Raises:
        WeightsMismatch: ``state`` is of another network.
        UsageError: a ``flow_scale`` the network does not know.
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
        """Take the parameters; called once, before the flow scale is set."""
        raise NotImplementedError

    def _set_flow_scale(self, flow_scale: float) -> None:
        """Override it to set what depends on the scale; called anew for every ``at_scale``."""
        if flow_scale not in self.known_scales:
            names = ", ".join(f"{scale:g}" for scale in self.known_scales)
            raise UsageError(
                f'flow scale "{flow_scale:g}" of "{self.info.id}" is not one of {names}'
            )
        self.flow_scale = flow_scale

    def at_scale(self, flow_scale: float) -> Self:
        """The same network, same parameters, at another flow scale; pictures are prepared anew.

        Raises:
            UsageError: the network does not know it.
        """
        other = copy.copy(self)
        other._set_flow_scale(flow_scale)
        return other

    @property
    def _multiple(self) -> int:
        """What padded sizes are multiples of."""
        return int(self.info.pad_multiple / min(self.flow_scale, 1))


class ScaledCore(Scaled):
    """``Scaled`` for a network whose costly part may be run in other ways (``base.HasCore``)."""

    def _set_flow_scale(self, flow_scale: float) -> None:
        super()._set_flow_scale(flow_scale)
        self._run: Runner = directly  # a runner is of one scale

    def with_runner(self, runner: Runner) -> Self:
        """The same network, same parameters, its core run by ``runner``."""
        other = copy.copy(self)
        other._run = runner
        return other


class ScaledBlocks(ScaledCore):
    """``ScaledCore`` for a network of blocks from coarse to fine."""

    block_scales: tuple[float, ...]
    """How far each block works below the size at which motion is estimated; set by ``_load``."""

    def _set_flow_scale(self, flow_scale: float) -> None:
        super()._set_flow_scale(flow_scale)
        self.scales = tuple(scale / flow_scale for scale in self.block_scales)

    def _fitted(self, frame: Tensor) -> Tensor:
        """A (1, 3, H, W) picture clamped to [0, 1] and padded."""
        return padded(frame.to(self.tuning.dtype).clamp(0, 1), self._multiple)
