"""Captured graphs that include conversion: convert a picture, prepare it, make pictures between
two.

``models.fast`` captures only the core of a network. Here conversion is captured with it, so that a
pair is one replay whose result needs only the copy to the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

import torch

from rtvfi.models.base import HasCore, TripleInterpolator
from rtvfi.models.fast import ByKind, Watch
from rtvfi.models.fast import capturing as capturing  # what tests put another thing in place of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from rtvfi.models.base import Interpolator, Picture, Prepared
    from rtvfi.models.fast import Core, Inputs

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Conversions:
    """Makers of the functions that convert codes to pictures and back. Each graph needs functions
    with scratch tensors of their own, because a replay writes to the memory used while capturing.
    """

    picture: Callable[[], Callable[[Tensor], Picture]]
    """Returns a new function from (bytes,) uint8 on the device to a picture."""
    codes: Callable[[], Callable[[Picture], Tensor]]
    """Returns a new function from N pictures to (bytes,) uint8 on the device."""


class Whole:
    """A two-frame model and the conversions around it, captured for pictures of one size.

    Args:
        model: the model, not captured.
        conversions: the conversions of the stream.
        make: captures a function, like ``models.fast.capturing``.
    """

    def __init__(
        self,
        model: HasCore,
        conversions: Conversions,
        make: Callable[[Core, Inputs], Core],
    ) -> None:
        self._forms = tuple(ByKind(make) for _ in range(3))
        self._converting, self._preparing, pairing = self._forms
        self._picture = conversions.picture()
        self._model = model

        def run(core: Callable[..., R], *inputs: object) -> R:
            # What leaves are codes; nothing of the model looks at them on the way out.
            coded = _Coded(cast("Callable[..., Picture]", core), conversions.codes)
            return cast("R", pairing(coded, *inputs))

        self._pairs = model.with_runner(run)

    def convert(self, codes: Tensor) -> Picture:
        """The picture of (bytes,) uint8."""
        return self._converting(self._picture, codes)

    def prepare(self, picture: Picture) -> Prepared:
        """The model's result for one picture alone."""
        return self._preparing(self._model.prepare, picture)

    def pair(self, a: Prepared, b: Prepared, ts: Sequence[float]) -> Tensor:
        """The codes of the pictures between two."""
        return cast("Tensor", self._pairs.pair(a, b, ts))  # see ``run`` above

    def close(self) -> None:
        """Capture nothing more: other sizes or numbers of pictures run without a graph."""
        for form in self._forms:
            form.close()


class _Coded:
    """The core of a network followed by the conversion to codes."""

    def __init__(
        self, core: Callable[..., Picture], codes: Callable[[], Callable[[Picture], Tensor]]
    ) -> None:
        self._core = core
        self._new = codes
        self._codes: Callable[[Picture], Tensor] | None = None

    def __call__(self, *inputs: object) -> Tensor:
        if self._codes is None:
            self._codes = self._new()
        return self._codes(self._core(*inputs))


def whole(
    model: Interpolator,
    conversions: Conversions,
    device: torch.device,
    payloads: tuple[Tensor, Tensor],
    num_new: int,
    complain: Callable[[str], None],
) -> Whole | None:
    """Capture the graphs and compare their results with the model's.

    Args:
        model: the model, not captured.
        conversions: the conversions of the stream.
        device: the device of everything.
        payloads: two different pictures as (bytes,) uint8 on the device.
        num_new: largest number of pictures per call to capture for.
        complain: receives messages about graphs that fail later, as in ``models.fast.fastest``.

    Returns:
        None for three-frame models, and for models whose core is not all of ``pair``.

    Raises:
        RuntimeError: the device has no graphs, or their results differ.
    """
    if not isinstance(model, HasCore) or isinstance(model, TripleInterpolator):
        return None
    watch = Watch(model.info.id, complain)
    made = Whole(model, conversions, capturing(device, watch))
    picture, codes = conversions.picture(), conversions.codes()
    a, b = (model.prepare(picture(payload)) for payload in payloads)
    for num in (n for n in range(1, num_new + 1) for _ in range(2)):  # the first run captures
        ts = [(k + 1) / (num + 1) for k in range(num)]
        wanted = codes(model.pair(a, b, ts))
        left, right = (made.prepare(made.convert(payload)) for payload in payloads)
        got = made.pair(left, right, ts)
        if got.dtype != torch.uint8:
            return None
        if not torch.equal(got, wanted):
            raise RuntimeError("a captured graph returned a different result")
    made.close()
    watch.begin()
    return made
