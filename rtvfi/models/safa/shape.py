"""Names and shapes of the parameters of SAFA v0.5. Does not import torch.

The network described in the paper has other parameters and is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.models.family import check_no_others, check_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    Shapes = dict[str, tuple[int, ...]]

NETWORK: Final = "safa 0.5"
WIDTH: Final = 96
"""Channels of the features."""
NUM_BLOCKS: Final = 4
NUM_TAIL: Final = 8
"""Number of residual layers in the last part."""
FLOW: Final = 6
"""Channels of the motion: the flow to both pictures, and two more for the next block only."""
INPUTS: Final = WIDTH + FLOW + 2 * WIDTH + 1
"""Input channels of a block: features, motion, both pictures' features warped, a constant 0."""


def expected_parameters() -> Shapes:
    """Name and shape of every parameter, without prefix."""
    found: Shapes = {}
    for k, (inputs, outputs) in enumerate(((3, 32), (32, 32), (32, 32), (32, WIDTH))):
        found |= _conv(f"block.convimg.{2 * k}", inputs, outputs)
    for i in range(NUM_BLOCKS):
        name = f"block.convblock.{i}"
        found |= _conv(f"{name}.conv_stem.0", INPUTS, WIDTH)
        for j in (0, 1):
            found |= _residual(f"{name}.conv_backbone.{j}")
    found |= _conv("block.convflow.0", WIDTH, 4 * FLOW)
    found |= _conv("block.getscale.0.0", INPUTS, WIDTH, 1)
    found |= _conv("block.getscale.1.0", WIDTH, WIDTH, 1)
    found |= {"block.getscale.4.weight": (2, WIDTH), "block.getscale.4.bias": (2,)}
    found |= _conv("shuffle.0", 2 * WIDTH, WIDTH) | _conv("lastconv0.0.0", 4 * WIDTH, WIDTH)
    for k in range(1, NUM_TAIL + 1):
        found |= _residual(f"lastconv0.{k}")
    return found | _conv("lastconv1.0.0", 5 * WIDTH, 192) | _conv("lastconv1.1", 192, 12)


def looks_like(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict without prefix is of this network, complete or not."""
    return any(key.startswith(("block.convimg.", "block.getscale.")) for key in state)


def detect(state: Mapping[str, Tensor]) -> str:
    """The name of the network, after checking that a state dict without prefix is of it.

    Raises:
        WeightsMismatch: a parameter is missing, has the wrong shape, or is not part of the network.
    """
    expected = expected_parameters()
    check_parameters(state, expected, "SAFA 0.5")
    check_no_others(state, expected, "SAFA 0.5")
    return NETWORK


def _conv(name: str, inputs: int, outputs: int, kernel: int = 3) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def _residual(name: str) -> Shapes:
    return (
        {f"{name}.beta": (1, WIDTH, 1, 1)}
        | _conv(f"{name}.conv.0", WIDTH, 2 * WIDTH)
        | {f"{name}.conv.2.weight": (2 * WIDTH, WIDTH, 4, 4), f"{name}.conv.2.bias": (WIDTH,)}
    )
