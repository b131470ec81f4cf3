"""Random numbers for N scenes at once, from one generator."""

from __future__ import annotations

import torch
from torch import Tensor


class Dice:
    """Random numbers that depend only on the last ``seed`` and the order of the calls."""

    def __init__(self) -> None:
        self.generator = torch.Generator()

    def seed(self, number: int) -> None:
        """Restart with a seed."""
        self.generator.manual_seed(number)

    def rand(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""
        return torch.rand(*shape, generator=self.generator)

    def within(self, n: int, low: float, high: float) -> Tensor:
        """(N,): uniform in [low, high)."""
        return low + (high - low) * self.rand(n)

    def sometimes(self, n: int, chance: float) -> Tensor:
        """(N,): 1 with probability ``chance``, else 0."""
        return (self.rand(n) < chance).float()

    def pick(self, n: int, num_choices: int) -> Tensor:
        """(N,): integers from 0 to ``num_choices`` - 1."""
        return torch.randint(0, num_choices, (n,), generator=self.generator)

    def wobble(self, n: int, size: float, chance: float) -> Tensor:
        """(N,): with probability ``chance`` normal with standard deviation ``size``, else 0."""
        return size * torch.randn(n, generator=self.generator) * self.sometimes(n, chance)

    def happens(self, chance: float) -> bool:
        """True with probability ``chance``; does not advance the generator if that is 0."""
        return chance > 0 and bool(self.rand(1) < chance)
