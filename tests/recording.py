"""Networks run as recordings that are no graphs: what goes in, what is shown, a network for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from rtvfi.models import fast
from rtvfi.models.base import Planes, TripleInterpolator, directly
from rtvfi.models.catalogue import MODELS
from rtvfi.models.fast import Capture, Replayed, Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from torch import Tensor

    from rtvfi.models.base import Interpolator


def pictures(name: str, seed: int = 0, side: int = 64) -> list[Any]:
    generator = torch.Generator().manual_seed(seed)
    if MODELS[name].picture == "rgb":
        return list(torch.rand(3, 1, 3, side, side, generator=generator))
    ys = torch.rand(3, 1, 1, side, side, generator=generator)
    uvs = torch.rand(3, 1, 2, side // 2, side // 2, generator=generator) - 0.5
    return [Planes(y, uv) for y, uv in zip(ys, uvs, strict=True)]


def shown(net: Interpolator, frames: list[Any], num_new: int) -> tuple[Tensor, ...]:
    a, b, c = (net.prepare(frame) for frame in frames)
    out = net.pair(a, b, [(k + 1) / (num_new + 1) for k in range(num_new)])
    if isinstance(net, TripleInterpolator):
        links = net.link(a, b), net.link(b, c)
        out = net.triple((a, b, c), links, [1 - (k + 1) / 8 for k in range(num_new)])
    return tuple(out) if isinstance(out, Planes) else (out,)


def use(monkeypatch: pytest.MonkeyPatch, capture: Callable[..., Capture]) -> list[Any]:
    """Let graphs be made by that; returns the recordings, one for each kind of inputs."""
    made: list[Any] = []

    def make(core: Callable[..., Any], inputs: tuple[Any, ...]) -> Replayed:
        made.append(Replayed(core, inputs, capture, watches[-1]))
        graph: Replayed = made[-1]
        return graph

    def capturing(_device: torch.device, watch: Watch) -> Any:
        watches.append(watch)
        return make

    watches: list[Watch] = []
    monkeypatch.setattr(fast, "capturing", capturing)
    return made


class Fade:
    """The smallest model with a core."""

    info = MODELS["rife-4.25"]

    def __init__(self, runner: Any = directly) -> None:
        self.run = runner

    def with_runner(self, runner: Any) -> Fade:
        return Fade(runner)

    def prepare(self, frame: Tensor) -> Tensor:
        return frame

    def pair(self, a: Tensor, b: Tensor, ts: Any) -> Tensor:
        out: Tensor = self.run(self._fade, a, b, torch.tensor(list(ts)).view(-1, 1, 1, 1))
        return out

    def _fade(self, a: Tensor, b: Tensor, t: Tensor) -> Tensor:
        return torch.lerp(a, b, t)
