"""The parameters of GIMM-VFI R by name and shape; needs no torch.

The published file has some parameters under two names, and counters that only training uses; both
are accepted and dropped (``is_spare``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rtvfi.models.family import check_no_others, check_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    Shapes = dict[str, tuple[int, ...]]

NETWORK: Final = "gimm r"

_NORM: Final = ("weight", "bias", "running_mean", "running_var")
_WIDTHS: Final = (64, 64, 96, 128)
_COUNTER: Final = ".num_batches_tracked"
_TWICE: Final = re.compile(
    r"^flow_estimator\.cnet\.layer[23]\.0\.norm3\.(?:" + "|".join(_NORM) + ")$"
)
_HEAVY: Final = re.compile(r"^(?:amt_|hyponet\.|cnn_encoder\.|res_conv\.)")


def expected_parameters() -> Shapes:
    """Names, without prefix, and shapes of all parameters that are used."""
    found: Shapes = {"g_filter": (1, 1, 1, 3, 3), "alpha_v": (1,), "alpha_fe": (1,)}
    found |= _encoder("flow_estimator.fnet", has_norm=False)
    found |= _encoder("flow_estimator.cnet", has_norm=True)
    found |= _update_block("flow_estimator.update_block")
    found |= _conv("amt_last_cproj", 128, 256, 1) | _conv("amt_second_last_cproj", 96, 128, 1)
    found |= _conv("amt_fproj", 256, 256, 1)
    found |= _decoder("amt_init_decoder", (64, 64, 128), first=1, inputs=272, body=(128, 133, 1))
    found |= _decoder("amt_final_decoder", (8, 32, 64), first=2, inputs=273, body=(256, 24, 3))
    found |= _amt_update("amt_update4_low") | _amt_update("amt_update4_high")
    found |= _conv("amt_comb_block.0", 9, 18, 7) | {"amt_comb_block.1.weight": (18,)}
    found |= _conv("amt_comb_block.2", 18, 3, 7)
    found |= _conv("cnn_encoder.0", 2, 16) | _conv("cnn_encoder.1", 16, 32)
    for k in (3, 4, 5):
        found |= _lateral(f"cnn_encoder.{k}", 32)
    found |= _conv("cnn_encoder.7", 32, 16)
    found |= _conv("res_conv.0", 64, 32) | _conv("res_conv.1", 32, 64)
    found |= _lateral("res_conv.3", 64) | _conv("res_conv.5", 64, 32)
    for k, size in enumerate(((36, 128), (129, 128), (129, 128), (129, 128), (129, 2))):
        found[f"hyponet.params_dict.linear_wb{k}"] = size
    return found


def is_spare(key: str) -> bool:
    """Whether this is one of the unused parameters of the published file."""
    return key.endswith(_COUNTER) or _TWICE.match(key) is not None


def looks_like(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict without prefix is for this network, complete or not."""
    return any(_HEAVY.match(key) for key in state)


def detect(state: Mapping[str, Tensor]) -> str:
    """Check a state dict without prefix; returns the network's name.

    Raises:
        WeightsMismatch: a parameter is missing, has the wrong shape or is unknown.
    """
    expected = expected_parameters()
    check_parameters(state, expected, "GIMM-VFI R")
    check_no_others((key for key in state if not is_spare(key)), expected, "GIMM-VFI R")
    return NETWORK


def _conv(name: str, inputs: int, outputs: int, kernel: int | tuple[int, int] = 3) -> Shapes:
    size = (kernel, kernel) if isinstance(kernel, int) else kernel
    return {f"{name}.weight": (outputs, inputs, *size), f"{name}.bias": (outputs,)}


def _norm(name: str, channels: int) -> Shapes:
    return {f"{name}.{leaf}": (channels,) for leaf in _NORM}


def _encoder(name: str, *, has_norm: bool) -> Shapes:
    """A RAFT encoder; instance norms have no parameters, batch norms four."""
    found = _conv(f"{name}.conv1", 3, 64, 7)
    if has_norm:
        found |= _norm(f"{name}.norm1", 64)
    for k in (1, 2, 3):
        for j in (0, 1):
            block, width = f"{name}.layer{k}.{j}", _WIDTHS[k]
            inputs = _WIDTHS[k - 1] if j == 0 else width
            found |= _conv(f"{block}.conv1", inputs, width) | _conv(f"{block}.conv2", width, width)
            if has_norm:
                found |= _norm(f"{block}.norm1", width) | _norm(f"{block}.norm2", width)
            if k > 1 and j == 0:
                found |= _conv(f"{block}.downsample.0", inputs, width, 1)
                if has_norm:
                    found |= _norm(f"{block}.downsample.1", width)
    return found | _conv(f"{name}.conv2", 128, 256, 1)


def _update_block(name: str) -> Shapes:
    found = _conv(f"{name}.encoder.convc1", 324, 256, 1) | _conv(f"{name}.encoder.convc2", 256, 192)
    found |= _conv(f"{name}.encoder.convf1", 2, 128, 7) | _conv(f"{name}.encoder.convf2", 128, 64)
    found |= _conv(f"{name}.encoder.conv", 256, 126)
    for k, kernel in ((1, (1, 5)), (2, (5, 1))):
        for gate in "zrq":
            found |= _conv(f"{name}.gru.conv{gate}{k}", 384, 128, kernel)
    found |= _conv(f"{name}.flow_head.conv1", 128, 256) | _conv(f"{name}.flow_head.conv2", 256, 2)
    return found | _conv(f"{name}.mask.0", 128, 256) | _conv(f"{name}.mask.2", 256, 576, 1)


def _convrelu(name: str, inputs: int, outputs: int, kernel: int = 3) -> Shapes:
    return _conv(f"{name}.0", inputs, outputs, kernel) | {f"{name}.1.weight": (outputs,)}


def _decoder(
    name: str, widths: tuple[int, int, int], first: int, inputs: int, body: tuple[int, int, int]
) -> Shapes:
    """An AMT decoder: a stack that upsamples features, and a block that computes a frame's flows.

    Args:
        name: prefix.
        widths: input, inner and output channels of the stack.
        first: number of its first convolution.
        inputs: input channels of the block.
        body: inner and output channels of the block, size of its first kernel.
    """
    stack, (start, inner, end) = f"{name}.upsample", widths
    found = _convrelu(f"{stack}.{first}", start, inner, 5)
    for k in range(first + 1, first + 4):
        found |= _convrelu(f"{stack}.{k}", inner, inner)
    found |= _convrelu(f"{stack}.{first + 4}", inner, end)
    found |= _conv(f"{stack}.{first + 5}", end, end, 1) | _norm(f"{stack}.{first + 6}", end)
    width, outputs, kernel = body
    found |= _convrelu(f"{name}.convblock.0", inputs, width, kernel)
    for k in (1, 2, 3):
        block = f"{name}.convblock.{k}"
        for j, channels in ((1, width), (2, 64), (3, width), (4, 64)):
            found |= _convrelu(f"{block}.conv{j}", channels, channels)
        found |= _conv(f"{block}.conv5", width, width) | {f"{block}.prelu.weight": (width,)}
    return found | _conv(f"{name}.convblock.4", width, outputs)


def _amt_update(name: str) -> Shapes:
    found = _conv(f"{name}.convc1", 648, 256, 1) | _conv(f"{name}.convc2", 256, 192)
    found |= _conv(f"{name}.convf1", 4, 128, 7) | _conv(f"{name}.convf2", 128, 64)
    found |= _conv(f"{name}.conv", 256, 188)
    found |= _conv(f"{name}.gru.0", 320, 192) | _conv(f"{name}.gru.2", 192, 192)
    for head, outputs in (("feat_head", 128), ("flow_head", 4)):
        found |= _conv(f"{name}.{head}.0", 192, 192) | _conv(f"{name}.{head}.2", 192, outputs)
    return found


def _lateral(name: str, channels: int) -> Shapes:
    return _conv(f"{name}.layers.0", channels, channels) | _conv(
        f"{name}.layers.2", channels, channels
    )
