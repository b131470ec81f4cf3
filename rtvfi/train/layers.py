"""The geometry of a scene: textures laid over each other, each with a motion known exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Tensor


class Layer(NamedTuple):
    """Placement and motion of one texture in each of N scenes; every field is (N,)."""

    x: Tensor
    """Centre at time 1/2, pixels."""
    y: Tensor
    scale: Tensor
    """Half the texture's side, pixels."""
    angle: Tensor
    dx: Tensor
    """Way of the centre from time 0 to time 1, pixels."""
    dy: Tensor
    zoom: Tensor
    """Relative growth from time 0 to time 1."""
    roll: Tensor
    """Radians from time 0 to time 1."""
    bend: Tensor
    """Amplitude growth of the wave from time 0 to time 1, texture half sides."""
    wave: Tensor
    """Radians per texture half side."""
    phase: Tensor


def render(
    layers: list[Layer], textures: list[Tensor], t: Tensor, size: int | tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw N scenes.

    Args:
        layers: back to front; the first one fills the picture.
        textures: of each layer (N, 4, T, T), RGB and straight alpha.
        t: (N,) the moment of each scene.
        size: height and width, or one number for both.

    Returns:
        RGB (N, 3, H, W); which layer owns each pixel (N, H, W) int64; where on its texture the
        pixel lies, (N, H, W, 2) in texture half sides.
    """
    n = t.shape[0]
    height, width = (size, size) if isinstance(size, int) else size
    x = torch.arange(width, dtype=torch.float32)
    y = torch.arange(height, dtype=torch.float32)[:, None]
    owner = torch.zeros(n, height, width, dtype=torch.int64)
    picture = place = None
    for number, (layer, texture) in enumerate(zip(layers, textures, strict=True)):
        grid = to_texture(layer, x, y, t)
        if picture is None or place is None:
            drawn = F.grid_sample(texture, grid, padding_mode="reflection", align_corners=False)
            picture, place = drawn[:, :3].contiguous(), grid
            continue
        # alpha times colour would bleed the fill's border; straight colour with zero alpha outside
        # does not
        drawn = F.grid_sample(texture, grid, padding_mode="border", align_corners=False)
        inside = (grid.abs().amax(dim=-1) < 1)[:, None]
        alpha = drawn[:, 3:] * inside
        picture = picture + (drawn[:, :3] - picture) * alpha
        on_top = alpha[:, 0] > 0.5
        place = torch.where(on_top[..., None], grid, place)
        owner = owner.masked_fill(on_top, number)
    if picture is None or place is None:
        raise ValueError("a scene needs at least one layer")
    return picture, owner, place


def _column(value: Tensor) -> Tensor:
    return value[:, None, None]


def to_texture(layer: Layer, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """Where pixels lie on a layer's texture at times ``t`` (N,).

    Args:
        layer: fields (N,).
        x: (W,) pixels.
        y: (H, 1) pixels.
        t: (N,).

    Returns:
        (N, H, W, 2), texture half sides from its centre.
    """
    q = t - 0.5
    angle, scale = layer.angle + layer.roll * q, layer.scale * (1 + layer.zoom * q)
    c, s = _column(torch.cos(angle) / scale), _column(torch.sin(angle) / scale)
    x = x - _column(layer.x + layer.dx * q)
    y = y - _column(layer.y + layer.dy * q)
    u, v = c * x + s * y, c * y - s * x
    if bool((layer.bend != 0).any()):
        # two shears one after the other: each is undone exactly by its negative
        wave, phase, bend = _column(layer.wave), _column(layer.phase), _column(layer.bend * q)
        u = u + bend * torch.sin(wave * v + phase)
        v = v + bend * torch.sin(wave * u + phase)
    return torch.stack((u, v), dim=-1)


def exact_flow(layers: list[Layer], owner: Tensor, place: Tensor, t: Tensor) -> Tensor:
    """Motion of each pixel of time ``t`` to both ends.

    Args:
        layers: the scene.
        owner: (N, h, w) layer of each pixel.
        place: (N, h, w, 2) texture coordinates.
        t: (N,).

    Returns:
        (N, 4, h, w) float32, full-size pixels: to time 0 (x, y), to time 1 (x, y).
    """
    shape = owner.shape
    own = Layer(
        *(
            torch.stack(values, dim=1).gather(1, owner.flatten(1)).view(shape)
            for values in zip(*layers, strict=True)
        )
    )
    here = to_picture(own, place, t)
    ends = (to_picture(own, place, t * 0), to_picture(own, place, t * 0 + 1))
    return torch.cat([end - here for end in ends], dim=1)


def to_picture(own: Layer, place: Tensor, t: Tensor) -> Tensor:
    """Where points of textures are in the picture at times ``t``; undoes ``to_texture``.

    Args:
        own: the layer of each point, fields (N, h, w).
        place: (N, h, w, 2) texture half sides.
        t: (N,).

    Returns:
        (N, 2, h, w) pixels, x then y.
    """
    q = _column(t - 0.5)
    u, v = place.unbind(dim=-1)
    bend = own.bend * q
    v = v - bend * torch.sin(own.wave * u + own.phase)
    u = u - bend * torch.sin(own.wave * v + own.phase)
    angle, scale = own.angle + own.roll * q, own.scale * (1 + own.zoom * q)
    c, s = torch.cos(angle) * scale, torch.sin(angle) * scale
    x = own.x + own.dx * q + c * u - s * v
    y = own.y + own.dy * q + s * u + c * v
    return torch.stack((x, y), dim=1)
