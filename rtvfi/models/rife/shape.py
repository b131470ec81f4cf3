"""The architectures of RIFE 4.x, and how to recognise them by their parameters.

A network has an optional encoder and four or five blocks. Each block takes the two pictures at its
own size and returns an increment of the flow, a mask logit and, in later versions, eight feedback
channels for the next block. The 17 architectures differ only in the fields of ``IFNetShape``, which
are determined from the shapes of the parameters. DistilDRBA uses the same encoder and blocks.

Source of the architectures: Practical-RIFE by hzwer (MIT) and the released weight files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from rtvfi.models.family import check_parameters, strip_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    State = Mapping[str, Tensor]

NUM_LAYERS: Final = 8
"""Layers in the body of a block."""

EncoderKind = Literal["none", "pair", "chain", "head"]
"""Layout of the encoder.

No encoder; two convolutions without activation; four with activations, named ``encode.0..6``
(``chain``) or ``encode.cnn0..3`` (``head``).
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class IFNetShape:
    """The hyperparameters of an architecture."""

    channels: tuple[int, ...]
    """Channels in the body of every block."""
    scales: tuple[int, ...]
    """Every block works on pictures downscaled by this."""
    encoder: EncoderKind = "none"
    hidden: int = 0
    """Channels in the encoder's hidden layers."""
    features: int = 0
    """Features per picture, the output channels of the encoder."""
    outputs: int = 5
    """Output channels of a block: 4 flow, 1 mask logit, then 1 unused, or 8 for the next block."""
    groups: int = 1
    """Groups of the convolutions in the body."""
    tail: Literal["deconv", "shuffle"] = "shuffle"
    """Whether a block ends in a transposed convolution, or in one followed by a pixel shuffle."""
    body: Literal["prelu", "plain", "residual"] = "residual"
    """``prelu``: learned slopes, a skip connection around the body, and the large-motion restart.
    """

    @property
    def feedback(self) -> int:
        """Number of feedback channels that a block passes to the next one."""
        return 8 if self.outputs == 13 else 0

    @property
    def adds_masks(self) -> bool:
        """Whether the mask logits of all blocks are added, like flows; if not, the last is used."""
        return self.encoder == "none"

    def inputs(self, block: int) -> int:
        """Number of input channels of a block."""
        pictures = 7 + 2 * self.features
        return pictures if block == 0 else pictures + 5 + self.feedback


_FOUR = (8, 4, 2, 1)
_WIDE = (192, 128, 96, 64)
_NARROW = (128, 96, 64, 48)


def _lite(channels: tuple[int, ...], hidden: int, encoder: EncoderKind) -> IFNetShape:
    return IFNetShape(
        channels=channels, scales=_FOUR, encoder=encoder, hidden=hidden, features=4, outputs=6
    )


def _full(channels: tuple[int, ...], groups: int = 1, outputs: int = 6) -> IFNetShape:
    return IFNetShape(
        channels=channels,
        scales=_FOUR,
        encoder="head",
        hidden=32,
        features=8,
        outputs=outputs,
        groups=groups,
    )


def _five(
    channels: tuple[int, ...], features: int = 4, scales: tuple[int, ...] = (16, 8, 4, 2, 1)
) -> IFNetShape:
    return IFNetShape(
        channels=channels, scales=scales, encoder="head", hidden=16, features=features, outputs=13
    )


SHAPES: Final[dict[str, IFNetShape]] = {
    "4.0": IFNetShape(channels=_WIDE, scales=_FOUR, tail="deconv", body="prelu"),
    "4.2": IFNetShape(channels=_WIDE, scales=_FOUR, tail="deconv", body="plain"),
    "4.5": IFNetShape(channels=_WIDE, scales=_FOUR),
    "4.6": IFNetShape(channels=_WIDE, scales=_FOUR, outputs=6),
    "4.7": IFNetShape(
        channels=_WIDE, scales=_FOUR, encoder="pair", hidden=16, features=4, outputs=6
    ),
    "4.10": IFNetShape(
        channels=_WIDE, scales=_FOUR, encoder="chain", hidden=32, features=8, outputs=6
    ),
    "4.12.lite": _lite(_NARROW, 32, "chain"),
    "4.13": _full(_WIDE),
    "4.14.lite": _full(_WIDE, groups=2),
    "4.15.lite": _lite(_NARROW, 16, "head"),
    "4.20": _full((384, 192, 96, 48)),
    "4.21": _full((256, 192, 96, 48), outputs=13),
    "4.22.lite": IFNetShape(
        channels=(192, 128, 64, 32),
        scales=_FOUR,
        encoder="head",
        hidden=16,
        features=4,
        outputs=13,
    ),
    "4.25": _five((192, 128, 96, 64, 32)),
    "4.25.lite": _five((192, 128, 96, 64, 24), scales=(32, 16, 8, 4, 1)),
    "4.25.heavy": _five((384, 256, 192, 128, 64)),
    "4.26.heavy": _five((192, 128, 96, 64, 32), features=16),
}
"""The released architectures, each named after its first version."""


def detect(state: State) -> str:
    """Recognise the architecture of a state dict by the names and shapes of its parameters.

    Args:
        state: parameters by name, with or without the prefix ``module.``; other entries, left from
            training, are ignored.

    Returns:
        A key of ``SHAPES``; all parameters of that architecture are in ``state`` with the right
        shape.

    Raises:
        WeightsMismatch: no architecture matches; the message names the parameter that is missing or
            has the wrong shape.
    """
    state = strip_prefix(state)
    near = _nearest(state)
    shape = SHAPES[near]
    check_parameters(state, expected_parameters(shape), f"RIFE {near}")
    return near


def _nearest(state: State) -> str:
    """The architecture with the most matching parameters."""

    def agreement(shape: IFNetShape) -> tuple[int, int]:
        expected = expected_parameters(shape)
        good = sum(key in state and tuple(state[key].shape) == s for key, s in expected.items())
        return good, good - len(expected)

    return max(SHAPES, key=lambda name: agreement(SHAPES[name]))


def expected_parameters(shape: IFNetShape) -> dict[str, tuple[int, ...]]:
    """Name and shape of every parameter, without prefix."""
    found = encoder_parameters(shape.encoder, shape.hidden, shape.features)
    for i, width in enumerate(shape.channels):
        found |= block_parameters(f"block{i}", shape, shape.inputs(i), width)
    return found


def encoder_parameters(kind: EncoderKind, hidden: int, features: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of the parameters of the encoder."""
    names = ENCODER_NAMES[kind]
    if not names:
        return {}
    found = _conv(names[0], hidden, 3)
    for name in names[1:-1]:
        found |= _conv(name, hidden, hidden)
    return found | {
        f"{names[-1]}.weight": (hidden, features, 4, 4),
        f"{names[-1]}.bias": (features,),
    }


ENCODER_NAMES: Final[dict[EncoderKind, tuple[str, ...]]] = {
    "none": (),
    "pair": ("encode.0", "encode.1"),
    "chain": ("encode.0", "encode.2", "encode.4", "encode.6"),
    "head": ("encode.cnn0", "encode.cnn1", "encode.cnn2", "encode.cnn3"),
}


def block_parameters(
    name: str, shape: IFNetShape, inputs: int, width: int
) -> dict[str, tuple[int, ...]]:
    """Name and shape of the parameters of one block."""
    slopes = shape.body == "prelu"
    found = _conv(f"{name}.conv0.0.0", width // 2, inputs) | _conv(
        f"{name}.conv0.1.0", width, width // 2
    )
    if slopes:
        found |= {f"{name}.conv0.0.1.weight": (width // 2,), f"{name}.conv0.1.1.weight": (width,)}
    for j in range(NUM_LAYERS):
        layer = f"{name}.convblock.{j}"
        if shape.body == "residual":
            found[f"{layer}.beta"] = (1, width, 1, 1)
            found |= _conv(f"{layer}.conv", width, width // shape.groups)
        else:
            found |= _conv(f"{layer}.0", width, width)
        if slopes:
            found[f"{layer}.1.weight"] = (width,)
    last, outputs = f"{name}.lastconv", shape.outputs
    if shape.tail == "shuffle":
        last, outputs = f"{last}.0", 4 * outputs
    return found | {f"{last}.weight": (width, outputs, 4, 4), f"{last}.bias": (outputs,)}


def _conv(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs, 3, 3), f"{name}.bias": (outputs,)}
