"""Random numbers for N scenes at once, from one generator."""

from __future__ import annotations

import torch
from torch import Tensor


class Dice:
    """Draws of N; what comes depends on the last ``seed`` and the order of draws alone."""

    def __init__(self) -> None:
        self.generator = torch.Generator()

    def seed(self, number: int) -> None:
        """Start anew."""
        self.generator.manual_seed(number)

    def rand(self, *shape: int) -> Tensor:
        """In [0, 1)."""
        return torch.rand(*shape, generator=self.generator)

    def within(self, n: int, low: float, high: float) -> Tensor:
        """(N,) evenly in [low, high)."""
        return low + (high - low) * self.rand(n)

    def sometimes(self, n: int, chance: float) -> Tensor:
        """(N,) of 1, with that chance, and 0."""
        return (self.rand(n) < chance).float()

    def pick(self, n: int, num_choices: int) -> Tensor:
        """(N,) of 0 to ``num_choices`` - 1."""
        return torch.randint(0, num_choices, (n,), generator=self.generator)

    def wobble(self, n: int, size: float, chance: float) -> Tensor:
        """(N,) normal with deviation ``size``, mostly or often zero."""
        return size * torch.randn(n, generator=self.generator) * self.sometimes(n, chance)

    def happens(self, chance: float) -> bool:
        """Once for all N; draws nothing where there is no chance."""
        return chance > 0 and bool(self.rand(1) < chance)
