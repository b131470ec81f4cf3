"""The parts of GMFSS, the shapes of all parameters, and how to recognise the variants.

GMFSS has four networks: GMFlow (``flownet``) estimates the motion at half size, ``metric`` the
weight of pixels that are splatted to the same place, ``feat`` computes features that are splatted
with the picture, and ``fusionnet`` the result from the splatted pictures and features. In the union
variants, it also takes a picture interpolated by RIFE (``rife``). In the weight file, parameters
are named by part and own name: ``metric.metric_in.weight``.

Source: haofeixu/gmflow (Apache-2.0), 98mxr/GMFSS_Fortuna and routineLife1/DRBA (MIT).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rtvfi.models.family import check_no_others, check_parameters
from rtvfi.models.rife import shape as ifnet_shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    Shapes = dict[str, tuple[int, ...]]

CHANNELS: Final = 128
"""Channels of the features for matching."""
NUM_BLOCKS: Final = 6
"""Number of blocks of the transformer."""
WIDTHS: Final = (64, 128, 192)
"""Channels of the splatted features at 1/2, 1/4, 1/8 of the picture's size."""
NUM_INPUTS: Final = {"gmfss": 12, "gmfss-union": 9}
"""Input channels of the fusion network at half size, by network."""


def flownet_parameters() -> Shapes:
    """Name and shape of the parameters of GMFlow."""
    found: Shapes = {"backbone.conv1.weight": (64, 3, 7, 7)}
    for stage, (inputs, outputs) in enumerate(((64, 64), (64, 96), (96, 128)), 1):
        for block in range(2):
            name = f"backbone.layer{stage}.{block}"
            first = outputs if block else inputs
            found[f"{name}.conv1.weight"] = (outputs, first, 3, 3)
            found[f"{name}.conv2.weight"] = (outputs, outputs, 3, 3)
            if first != outputs:
                found |= _named(f"{name}.downsample.0", (outputs, first, 1, 1))
    found |= _named("backbone.conv2", (CHANNELS, CHANNELS, 1, 1))
    found["backbone.trident_conv.weight"] = (CHANNELS, CHANNELS, 3, 3)
    for block in range(NUM_BLOCKS):
        found |= _transformer_parameters(f"transformer.layers.{block}")
    for name in ("q_proj", "k_proj"):
        found |= _named(f"feature_flow_attn.{name}", (CHANNELS, CHANNELS))
    found |= _named("upsampler.0", (256, CHANNELS + 2, 3, 3))
    return found | _named("upsampler.2", (144, 256, 1, 1))


def _transformer_parameters(block: str) -> Shapes:
    found: Shapes = {}
    for name in (f"{block}.self_attn", f"{block}.cross_attn_ffn"):
        for matrix in ("q_proj", "k_proj", "v_proj", "merge"):
            found[f"{name}.{matrix}.weight"] = (CHANNELS, CHANNELS)
        found |= _named(f"{name}.norm1", (CHANNELS,))
    found[f"{name}.mlp.0.weight"] = (8 * CHANNELS, 2 * CHANNELS)
    found[f"{name}.mlp.2.weight"] = (CHANNELS, 8 * CHANNELS)
    return found | _named(f"{name}.norm2", (CHANNELS,))


def metric_parameters() -> Shapes:
    """Name and shape of the parameters of the metric network."""
    found = _named("metric_in", (64, 14, 3, 3))
    for i in (1, 2, 3):
        found |= _activated(f"metric_net{i}", 0, (64, 64, 3, 3))
    return found | _activated("metric_out", 0, (2, 64, 3, 3))


def feat_parameters() -> Shapes:
    """Name and shape of the parameters of the feature network."""
    found: Shapes = {}
    inputs = 3
    for i, width in enumerate(WIDTHS, 1):
        found |= _activated(f"block{i}", 0, (width, inputs, 3, 3))
        found |= _activated(f"block{i}", 2, (width, width, 3, 3))
        inputs = width
    return found


def fusionnet_parameters(network: str) -> Shapes:
    """Name and shape of the parameters of the fusion network of "gmfss" or "gmfss-union"."""
    head = "residual_model_head" + ("0" if network == "gmfss-union" else "")
    residuals = {head: (NUM_INPUTS[network], WIDTHS[0])}
    residuals |= {f"residual_model_head{i}": (2 * w, w) for i, w in enumerate(WIDTHS, 1)}
    for i, width in enumerate(WIDTHS):
        residuals |= {f"residual_model_{i}{j}": (width, width) for j in (1, 4, 5)}
    for i, (inputs, width) in enumerate(pairwise(WIDTHS), 1):
        residuals |= {f"downsample_model_{i}{j}": (inputs, width) for j in (0, 1)}
    found: Shapes = {}
    for name, (inputs, outputs) in residuals.items():
        found |= _activated(name, 0, (outputs, inputs, 3, 3))
        found |= _activated(name, 2, (outputs, outputs, 3, 3))
    for i, (outputs, inputs) in enumerate(pairwise(WIDTHS)):
        for name in (f"upsample_model_{i}4", f"upsample_model_{i}5"):
            found |= {f"{name}.0.weight": (1,), f"{name}.1.weight": (inputs, outputs, 4, 4)}
            found[f"{name}.1.bias"] = (outputs,)
            found |= _activated(name, 2, (outputs, outputs, 3, 3))
    tail, width = "residual_model_tail", WIDTHS[0]
    found |= _named(f"{tail}.conv_before_upsample.0", (width, width, 3, 3))
    found[f"{tail}.conv_before_upsample.1.weight"] = (1,)
    found |= _named(f"{tail}.upsample.0", (4 * width, width, 3, 3))
    return found | _named(f"{tail}.conv_last", (3, width, 3, 3))


def _named(name: str, weight: tuple[int, ...]) -> Shapes:
    return {f"{name}.weight": weight, f"{name}.bias": weight[:1]}


def _activated(name: str, place: int, weight: tuple[int, ...]) -> Shapes:
    """The parameters of a PReLU and the convolution after it in a sequence."""
    return {f"{name}.{place}.weight": (1,)} | _named(f"{name}.{place + 1}", weight)


def part_parameters(network: str) -> dict[str, Shapes]:
    """The parameters of "gmfss" or "gmfss-union" by part, without the part ``rife``."""
    return {
        "flownet": flownet_parameters(),
        "metric": metric_parameters(),
        "feat": feat_parameters(),
        "fusionnet": fusionnet_parameters(network),
    }


def expected_parameters(network: str, rife: str = "4.26.heavy") -> Shapes:
    """Name and shape of every parameter of a weight file.

    Args:
        network: "gmfss" or "gmfss-union".
        rife: the architecture of RIFE in "gmfss-union".
    """
    parts = part_parameters(network)
    if network == "gmfss-union":
        parts["rife"] = ifnet_shape.expected_parameters(ifnet_shape.SHAPES[rife])
    return {
        f"{part}.{key}": shape for part, shapes in parts.items() for key, shape in shapes.items()
    }


def detect(state: Mapping[str, Tensor]) -> tuple[str, str]:
    """The network of a state dict, and the architecture of RIFE in it ("" without one).

    Raises:
        WeightsMismatch: it is of none; the message names a parameter that is missing, has the wrong
            shape, or does not belong to the network.
    """
    network = "gmfss-union" if any(key.startswith("rife.") for key in state) else "gmfss"
    group = ifnet_shape.detect(part_of(state, "rife")) if network == "gmfss-union" else ""
    expected = expected_parameters(network, group)
    check_parameters(state, expected, network)
    # Published weights of RIFE include parameters for training only, under several names.
    check_no_others((key for key in state if not key.startswith("rife.")), expected, network)
    return network, group


def part_of(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """The parameters of one part, by name without the part."""
    start = f"{part}."
    return {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
