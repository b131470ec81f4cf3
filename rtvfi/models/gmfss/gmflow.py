"""GMFlow: estimates optical flow by global matching.

A transformer with attention between both pictures computes features. At 1/8 of the size, every
pixel is matched with all pixels of the other picture; at 1/4, with a neighbourhood. The flow of
pixels without a match is propagated from similar pixels.

One pass computes both directions, because the transformer processes both pictures anyway. The table
of scores is computed in pieces, so that memory grows with the number of pixels, not with its
square. Shifted windows are split into rectangles at the border of the picture; the original rolls
the picture and adds -100 to the scores between these rectangles, which is the same up to e^-100.

Source: Xu et al., "GMFlow: Learning Optical Flow via Global Matching" (2022).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn import functional

from rtvfi.models.gmfss.layers import Layers
from rtvfi.models.gmfss.shape import CHANNELS, NUM_BLOCKS
from rtvfi.models.warp import backwarp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from rtvfi.models.tuning import Tuning

MEAN = (0.485, 0.456, 0.406)
"""Mean of the training pictures, in [0, 1]."""
DEVIATION = (0.229, 0.224, 0.225)
SPLITS = (2, 8)
"""Number of windows along each side of the picture, at 1/8 and at 1/4 of the size."""
RADIUS = 4
"""Search radius of the second matching, in pixels of 1/4 of the size."""
NOWHERE = -1e4
"""Score of a match outside the picture."""
UPSAMPLING = 4
MOST_SCORES = 1 << 24
"""Maximum number of scores in one piece of the table of all pairs of pixels."""
MOST_TOKENS = 1 << 15
"""Maximum number of pixels for which a transformer layer processes both pictures together."""


class Matchable(NamedTuple):
    """The features of one picture for matching, in the dtype of the parameters."""

    coarse: Tensor
    """(1, 128, h/8, w/8)."""
    fine: Tensor
    """(1, 128, h/4, w/4)."""


class GmFlow:
    """The network.

    Args:
        state: parameters of the part ``flownet``.
        tuning: device, dtype and layout. Scores, matches and flow are float32 whatever the dtype.
    """

    def __init__(self, state: Mapping[str, Tensor], tuning: Tuning) -> None:
        self._layers = Layers(state, tuning)

    # --- one picture -------------------------------------------------------------------------

    def features(self, image: Tensor) -> Matchable:
        """Compute the features of a picture for matching.

        Args:
            image: (1, 3, h, w), [0, 1]; h and w multiples of 32, at least 64.
        """
        layers = self._layers
        mean, deviation = (
            image.new_tensor(numbers).view(1, 3, 1, 1) for numbers in (MEAN, DEVIATION)
        )
        x = _normalised(layers.conv("backbone.conv1", (image - mean) / deviation, stride=2)).relu()
        for stage, stride in ((1, 1), (2, 2), (3, 1)):
            x = self._residual(f"backbone.layer{stage}.0", x, stride, is_wider=stage > 1)
            x = self._residual(f"backbone.layer{stage}.1", x)
        x = layers.conv("backbone.conv2", x)
        return Matchable(
            layers.conv("backbone.trident_conv", x, stride=2),
            layers.conv("backbone.trident_conv", x),
        )

    def _residual(self, name: str, x: Tensor, stride: int = 1, *, is_wider: bool = False) -> Tensor:
        layers = self._layers
        y = _normalised(layers.conv(f"{name}.conv1", x, stride=stride)).relu()
        y = _normalised(layers.conv(f"{name}.conv2", y)).relu()
        if is_wider:
            x = _normalised(layers.conv(f"{name}.downsample.0", x, stride=stride))
        return (x + y).relu()

    # --- a pair ------------------------------------------------------------------------------

    def flows(self, a: Matchable, b: Matchable) -> tuple[Tensor, Tensor]:
        """Estimate the flow between two pictures in both directions.

        Returns:
            (1, 2, h, w) float32 each, pixels: from ``a`` to ``b`` on the grid of ``a``, and from
            ``b`` to ``a`` on the grid of ``b``.
        """
        flow = self._coarse(torch.cat((a.coarse, b.coarse)).float())
        flow = 2 * functional.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
        own = torch.cat((a.fine, b.fine)).float()
        flow, own = self._refined(own, flow)
        flow = self._full_size(flow, own)
        return flow[:1], flow[1:]

    def _coarse(self, features: Tensor) -> Tensor:
        """Both flows at 1/8 of the size: (2, 2, h, w), from features (2, 128, h, w)."""
        height, width = features.shape[-2:]
        x = self._attended(features, features.flip(0), SPLITS[0])[:2]
        tokens = x.flatten(1, 2)
        places = _places(height, width, x.device)
        flow = expected(tokens, tokens.flip(0), places.expand(2, -1, -1)) - places
        # The key is computed from the projected query; the weights were trained with this oddity.
        query = self._layers.linear("feature_flow_attn.q_proj", tokens)
        key = self._layers.linear("feature_flow_attn.k_proj", query)
        flow = expected(query, key, flow)
        return flow.transpose(1, 2).reshape(2, 2, height, width)

    def _refined(self, own: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """Both flows at 1/4 of the size, and the features used for them, (2, h, w, 128)."""
        other = backwarp(own.flip(0), flow, outside="zero")
        x = self._attended(own, other, SPLITS[1])
        own, other = x[:2], x[2:]
        flow = flow + nearby_match(own, other)
        query = self._layers.linear("feature_flow_attn.q_proj", own)
        key = self._layers.linear("feature_flow_attn.k_proj", own)
        return spread(query, key, flow), own

    def _full_size(self, flow: Tensor, features: Tensor) -> Tensor:
        """Upscale the flow by 4; each pixel is a weighted mean of the 3 x 3 around it."""
        layers = self._layers
        x = torch.cat((flow, features.permute(0, 3, 1, 2)), 1)
        x = layers.conv("upsampler.2", layers.conv("upsampler.0", x).relu()).float()
        batch, _, height, width = flow.shape
        weights = x.view(batch, 9, UPSAMPLING, UPSAMPLING, height, width).softmax(1)
        around = functional.unfold(UPSAMPLING * flow, 3, padding=1)
        around = around.view(batch, 2, 9, height, width)
        return torch.einsum("bkyxhw,bckhw->bchywx", weights, around).reshape(
            batch, 2, UPSAMPLING * height, UPSAMPLING * width
        )

    # --- the transformer ---------------------------------------------------------------------

    def _attended(self, a: Tensor, b: Tensor, splits: int) -> Tensor:
        """Features of both pictures after self-attention and cross-attention.

        Args:
            a: (N, 128, h, w) float32.
            b: the same of the other picture.
            splits: windows along each side.

        Returns:
            (2N, h, w, 128) float32, those of ``a`` first.
        """
        x = torch.cat((a, b)).permute(0, 2, 3, 1)
        x = x + _position_code(x.shape[1], x.shape[2], splits, x.device)
        for block in range(NUM_BLOCKS):
            name, is_shifted = f"transformer.layers.{block}", block % 2 == 1
            windows = _rectangles(x.shape[1], x.shape[2], splits, is_shifted=is_shifted)
            other = x.roll(len(a), 0)
            out = torch.empty_like(x)
            step = max(1, MOST_TOKENS // (x.shape[1] * x.shape[2]))
            for first in range(0, len(x), step):
                part = slice(first, first + step)
                seen = self._layer(f"{name}.self_attn", x[part], x[part], windows)
                out[part] = self._layer(f"{name}.cross_attn_ffn", seen, other[part], windows)
            x = out
        return x

    def _layer(self, name: str, x: Tensor, other: Tensor, windows: list[_Group]) -> Tensor:
        layers = self._layers
        query = layers.linear(f"{name}.q_proj", x)
        key = layers.linear(f"{name}.k_proj", other)
        value = layers.linear(f"{name}.v_proj", other)
        message = _in_windows(query, key, value, windows)
        message = layers.norm(f"{name}.norm1", layers.linear(f"{name}.merge", message))
        if name.endswith("ffn"):
            message = self._mixed(name, x, message)
        return x + message

    def _mixed(self, name: str, x: Tensor, message: Tensor) -> Tensor:
        """The feed-forward part, in chunks of pixels: its hidden layer is 8 times as wide."""
        layers = self._layers
        out = torch.empty_like(message)
        mine, heard, places = (t.flatten(0, 2) for t in (x, message, out))
        for first in range(0, len(mine), MOST_TOKENS // 2):
            part = slice(first, first + MOST_TOKENS // 2)
            y = layers.linear(f"{name}.mlp.0", torch.cat((mine[part], heard[part]), -1))
            y = layers.linear(f"{name}.mlp.2", functional.gelu(y))
            places[part] = layers.norm(f"{name}.norm2", y)
        return out


def _normalised(x: Tensor) -> Tensor:
    return functional.instance_norm(x)


# --- windows -----------------------------------------------------------------------------------


class _Group(NamedTuple):
    """Adjacent windows of the same size, in rows and columns."""

    top: int
    left: int
    rows: int
    """Number of rows of windows."""
    columns: int
    height: int
    """Height of a window in pixels."""
    width: int


def _rectangles(height: int, width: int, splits: int, *, is_shifted: bool) -> list[_Group]:
    return [
        _Group(top, left, rows, columns, h, w)
        for top, rows, h in _stretches(height, splits, is_shifted=is_shifted)
        for left, columns, w in _stretches(width, splits, is_shifted=is_shifted)
    ]


def _stretches(size: int, splits: int, *, is_shifted: bool) -> Iterator[tuple[int, int, int]]:
    """First pixel, number and length of the windows along one side.

    When shifted by half a window, the first and the last are the two halves of one window.
    """
    window = size // splits
    if not is_shifted:
        yield 0, splits, window
        return
    first = window // 2
    yield 0, 1, first
    yield first, splits - 1, window
    yield size - (window - first), 1, window - first


def _in_windows(query: Tensor, key: Tensor, value: Tensor, groups: list[_Group]) -> Tensor:
    """Attention within windows, (N, h, w, C)."""
    out = torch.empty_like(query)
    for group in groups:
        seen = functional.scaled_dot_product_attention(
            _cut(query, group), _cut(key, group), _cut(value, group)
        )
        _view(out, group).copy_(
            seen.view(-1, group.rows, group.columns, group.height, group.width, seen.shape[-1])
        )
    return out


def _cut(x: Tensor, group: _Group) -> Tensor:
    """The pixels of each window: (windows, 1, pixels, C)."""
    return _view(x, group).reshape(-1, 1, group.height * group.width, x.shape[-1])


def _view(x: Tensor, group: _Group) -> Tensor:
    """The windows as a view: (N, rows, columns, height, width, C)."""
    bottom = group.top + group.rows * group.height
    right = group.left + group.columns * group.width
    inner = x[:, group.top : bottom, group.left : right]
    split: Tensor = torch.unflatten(inner, 2, (group.columns, group.width))
    split = torch.unflatten(split, 1, (group.rows, group.height))
    return split.transpose(2, 3)


@lru_cache(maxsize=8)
def _position_code(height: int, width: int, splits: int, device: torch.device) -> Tensor:
    """The position encoding of pixels in their window: (h, w, 128), half for y, half for x."""
    rows, columns = height // splits, width // splits
    # Created outside inference mode, because training shares the cache.
    with torch.inference_mode(mode=False):
        code = torch.cat(
            (
                _waves(rows, device)[:, None].expand(-1, columns, -1),
                _waves(columns, device)[None].expand(rows, -1, -1),
            ),
            -1,
        )
        return code.repeat(splits, splits, 1)


def _waves(size: int, device: torch.device) -> Tensor:
    """Alternating sines and cosines of decreasing frequency: (size, 64)."""
    count = CHANNELS // 2
    place = torch.arange(1, size + 1, dtype=torch.float32, device=device)
    place = place / (size + 1e-6) * (2 * math.pi)
    order = torch.arange(count, dtype=torch.float32, device=device)
    angle = place[:, None] / 10000 ** (2 * order.div(2, rounding_mode="floor") / count)
    return torch.stack((angle[:, ::2].sin(), angle[:, 1::2].cos()), 2).flatten(1)


# --- matching ----------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _places(height: int, width: int, device: torch.device) -> Tensor:
    """x and y of every pixel: (1, h * w, 2) float32."""
    with torch.inference_mode(mode=False):
        y, x = torch.meshgrid(
            torch.arange(height, dtype=torch.float32, device=device),
            torch.arange(width, dtype=torch.float32, device=device),
            indexing="ij",
        )
        return torch.stack((x, y), -1).view(1, -1, 2)


def expected(query: Tensor, key: Tensor, values: Tensor) -> Tensor:
    """The mean of ``values``, weighted by the softmax of the scores of query and key; in float32.

    Args:
        query: (N, L, C).
        key: (N, L, C).
        values: (N, L, 2).

    Returns:
        (N, L, 2). The table of L x L scores is computed in pieces.
    """
    query, key = query.float() / query.shape[-1] ** 0.5, key.float()
    step = max(1, MOST_SCORES // key.shape[1])
    out = torch.empty_like(values)
    for n in range(len(query)):
        turned = key[n].T.contiguous()
        for first in range(0, query.shape[1], step):
            scores = query[n, first : first + step] @ turned
            out[n, first : first + step] = scores.softmax(-1) @ values[n]
    return out


def nearby_match(own: Tensor, other: Tensor) -> Tensor:
    """The displacement of each pixel's match among the 9 x 9 pixels around it.

    Args:
        own: (N, h, w, C) float32.
        other: the same of the other picture.

    Returns:
        (N, 2, h, w) float32, pixels.
    """
    batch, height, width, channels = own.shape
    reach = range(-RADIUS, RADIUS + 1)
    padded = functional.pad(other, (0, 0, RADIUS, RADIUS, RADIUS, RADIUS))
    scores = own.new_empty(batch, len(reach) ** 2, height, width)
    offsets = own.new_tensor([(x, y) for y in reach for x in reach])
    for k, (x, y) in enumerate((x, y) for y in reach for x in reach):
        moved = padded[:, RADIUS + y : RADIUS + y + height, RADIUS + x : RADIUS + x + width]
        torch.sum(own * moved, -1, out=scores[:, k])
        scores[:, k] *= channels**-0.5
        _blank(scores[:, k], y, x)
    return torch.einsum("bkhw,kc->bchw", scores.softmax(1), offsets)


def _blank(scores: Tensor, y: int, x: int) -> None:
    """Set the scores (N, h, w) of pixels that a shift of (y, x) takes outside to ``NOWHERE``."""
    rows, columns = scores.shape[-2:]
    scores[:, : max(-y, 0)] = NOWHERE
    scores[:, rows - max(y, 0) :] = NOWHERE
    scores[:, :, : max(-x, 0)] = NOWHERE
    scores[:, :, columns - max(x, 0) :] = NOWHERE


def spread(query: Tensor, key: Tensor, flow: Tensor) -> Tensor:
    """Replace the flow by the mean of the 3 x 3 pixels around, weighted by their similarity.

    Pixels outside the picture count with a score of 0 and a flow of 0.

    Args:
        query: (N, h, w, C), any float dtype; used as float32.
        key: the same.
        flow: (N, 2, h, w) float32.
    """
    query, key = query.float() / query.shape[-1] ** 0.5, key.float()
    height, width = flow.shape[-2:]
    keys = functional.pad(key, (0, 0, 1, 1, 1, 1))
    flows = functional.pad(flow, (1, 1, 1, 1))
    steps = [(y, x) for y in range(3) for x in range(3)]
    scores = [(query * keys[:, y : y + height, x : x + width]).sum(-1) for y, x in steps]
    weights = torch.stack(scores, 1).softmax(1)
    out = torch.zeros_like(flow)
    for k, (y, x) in enumerate(steps):
        out += weights[:, k : k + 1] * flows[..., y : y + height, x : x + width]
    return out
