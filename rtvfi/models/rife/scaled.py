"""What networks of stacked blocks share: the scale at which they estimate motion, and a runner."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, Self

from rtvfi.core.errors import UsageError
from rtvfi.models.base import directly

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.models.base import ModelInfo, Runner

FLOW_SCALES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""As shares of the picture's size; powers of two, which keep the size of every block whole."""


class Scaled:
    """A network with one scale a block (``HasScales``, ``HasCore``); a base class.

    Args:
        info: the catalogue's row.
        block_scales: how far each block works below the size at which motion is estimated.
        known_scales: flow scales the network knows.
        flow_scale: one of them.

    Raises:
        UsageError: the network does not know ``flow_scale``.
    """

    def __init__(
        self,
        info: ModelInfo,
        block_scales: Sequence[float],
        known_scales: Sequence[float],
        flow_scale: float,
    ) -> None:
        self.info = info
        self._block_scales = tuple(block_scales)
        self._known_scales = tuple(known_scales)
        self._set_flow_scale(flow_scale)

    def _set_flow_scale(self, flow_scale: float) -> None:
        if flow_scale not in self._known_scales:
            names = ", ".join(f"{scale:g}" for scale in self._known_scales)
            raise UsageError(
                f'flow scale "{flow_scale:g}" of "{self.info.id}" is not one of {names}'
            )
        self.flow_scale = flow_scale
        self.scales = tuple(scale / flow_scale for scale in self._block_scales)
        self._run: Runner = directly  # a runner is of one scale

    def at_scale(self, flow_scale: float) -> Self:
        """The same network, same parameters, at another flow scale; pictures are prepared anew.

        Raises:
            UsageError: the network does not know it.
        """
        other = copy.copy(self)
        other._set_flow_scale(flow_scale)
        return other

    def with_runner(self, runner: Runner) -> Self:
        """See ``base.HasCore``."""
        other = copy.copy(self)
        other._run = runner
        return other

    @property
    def _multiple(self) -> int:
        """What padded sizes are multiples of."""
        return int(self.info.pad.multiple / min(self.flow_scale, 1))
