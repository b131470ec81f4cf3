"""The geometry of a scene: a stack of textures, each with an exactly known motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Tensor


NONE = torch.zeros(1)
"""The default of optional fields: no such motion."""


class Layer(NamedTuple):
    """Placement and motion of one texture in each of N scenes; every field is (N,) or (1,)."""

    x: Tensor
    """Centre at time 1/2, pixels."""
    y: Tensor
    scale: Tensor
    """Half the texture's side, pixels."""
    angle: Tensor
    dx: Tensor
    """Displacement of the centre from time 0 to time 1, pixels."""
    dy: Tensor
    zoom: Tensor
    """Relative growth from time 0 to time 1."""
    roll: Tensor
    """Rotation from time 0 to time 1, radians."""
    bend: Tensor
    """Change of the bending wave's amplitude from time 0 to time 1, texture half sides."""
    wave: Tensor
    """Frequency of the bending wave, radians per texture half side."""
    phase: Tensor
    pivot: Tensor = NONE
    """The point of the texture that is placed at (x, y), in half sides right of its centre: the
    root of a limb.
    """
    arm: Tensor = NONE
    """For a limb on another limb: distance of its root from the joint at (x, y), pixels."""
    arm_angle: Tensor = NONE
    """Direction of the arm at time 1/2."""
    arm_roll: Tensor = NONE
    """Radians that the arm swings from time 0 to time 1."""
    pace: Tensor = NONE
    """-1 to 1: above 0 the motion starts fast, below 0 slowly; positions at times 0 and 1 stay."""
    fade: Tensor = NONE
    """-1 to 1: the change in opacity; below 0 the layer vanishes, above 0 it appears."""


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
        RGB, (N, 3, H, W); the index of the layer visible in each pixel, (N, H, W), int64; the
        pixel's position on that layer's texture, (N, H, W, 2), texture half sides.
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
        # Straight (not premultiplied) colour with zero alpha outside, so that no border colour
        # bleeds in.
        drawn = F.grid_sample(texture, grid, padding_mode="border", align_corners=False)
        inside = (grid.abs().amax(dim=-1) < 1)[:, None]
        alpha = drawn[:, 3:] * inside
        if bool((layer.fade != 0).any()):
            alpha = alpha * _opacity(layer, t).view(-1, 1, 1, 1)
        picture = picture + (drawn[:, :3] - picture) * alpha
        on_top = alpha[:, 0] > 0.5
        place = torch.where(on_top[..., None], grid, place)
        owner = owner.masked_fill(on_top, number)
    if picture is None or place is None:
        raise ValueError("a scene needs at least one layer")
    return picture, owner, place


def _paced(layer: Layer, t: Tensor) -> Tensor:
    """The fraction of its motion that a layer has covered at ``t``: monotonic from 0 to 1."""
    return t + layer.pace * t * (1 - t)


def _opacity(layer: Layer, t: Tensor) -> Tensor:
    return 1 - layer.fade.clamp(min=0) * (1 - t) + layer.fade.clamp(max=0) * t


def _column(value: Tensor) -> Tensor:
    return value[:, None, None]


def to_texture(layer: Layer, x: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """The positions of pixels on a layer's texture at times ``t``.

    Args:
        layer: fields (N,).
        x: (W,) pixels.
        y: (H, 1) pixels.
        t: (N,).

    Returns:
        (N, H, W, 2), texture half sides from its centre.
    """
    q = _paced(layer, t) - 0.5
    angle, scale = layer.angle + layer.roll * q, layer.scale * (1 + layer.zoom * q)
    c, s = _column(torch.cos(angle) / scale), _column(torch.sin(angle) / scale)
    x = x - _column(layer.x + layer.dx * q)
    y = y - _column(layer.y + layer.dy * q)
    if bool((layer.arm != 0).any()):
        swing = layer.arm_angle + layer.arm_roll * q
        x = x - _column(layer.arm * torch.cos(swing))
        y = y - _column(layer.arm * torch.sin(swing))
    u, v = c * x + s * y, c * y - s * x
    if bool((layer.pivot != 0).any()):
        u = u + _column(layer.pivot)
    if bool((layer.bend != 0).any()):
        # two successive shears; the negative of each is its exact inverse
        wave, phase, bend = _column(layer.wave), _column(layer.phase), _column(layer.bend * q)
        u = u + bend * torch.sin(wave * v + phase)
        v = v + bend * torch.sin(wave * u + phase)
    return torch.stack((u, v), dim=-1)


def exact_flow(layers: list[Layer], owner: Tensor, place: Tensor, t: Tensor) -> Tensor:
    """The exact flow from each pixel at time ``t`` to both ends.

    Args:
        layers: the scene.
        owner: (N, h, w) layer of each pixel.
        place: (N, h, w, 2) texture coordinates.
        t: (N,).

    Returns:
        (N, 4, h, w) float32, full-size pixels: to time 0 (x, y), to time 1 (x, y).
    """
    own = owned(layers, owner)
    here = to_picture(own, place, t)
    ends = (to_picture(own, place, t * 0), to_picture(own, place, t * 0 + 1))
    return torch.cat([end - here for end in ends], dim=1)


def exact_index(
    layers: list[Layer], owner: Tensor, place: Tensor, t: Tensor, *, is_back: bool = False
) -> Tensor:
    """The exact distance index: the fraction of its motion from time 0 to time 1 that each pixel of
    time 0 has covered at ``t``.

    It is the partial motion projected onto the whole one (Zhong et al., "Clearer Frames, Anytime",
    2024).

    Args:
        layers: the scene.
        owner: (N, h, w) layer of each pixel of time 0.
        place: (N, h, w, 2) its texture coordinates.
        t: (N,).
        is_back: from time 1 to time 0 instead, of the pixels of time 1.

    Returns:
        (N, 1, h, w), float32; NaN where nothing moves, outside 0..1 where something turns back.
    """
    own = owned(layers, owner)
    moments = (t * 0, t, t * 0 + 1)
    here, there, end = (
        to_picture(own, place, moment) for moment in (moments[::-1] if is_back else moments)
    )
    part, whole = there - here, end - here
    index: Tensor = (part * whole).sum(1, keepdim=True) / whole.square().sum(1, keepdim=True)
    return index


def owned(layers: list[Layer], owner: Tensor) -> Layer:
    """The parameters of the layer visible in every pixel.

    Args:
        layers: the scene.
        owner: (N, h, w), index of the layer.

    Returns:
        A layer whose fields are (N, h, w).
    """
    n = len(owner)
    return Layer(
        *(
            torch.stack([value.expand(n) for value in values], dim=1)
            .gather(1, owner.flatten(1))
            .view(owner.shape)
            for values in zip(*layers, strict=True)
        )
    )


def seen_from(owner: Tensor, motion: Tensor, other: Tensor) -> Tensor:
    """Which pixels are also visible at another time.

    Args:
        owner: (N, h, w), layer of each pixel.
        motion: (N, 2, h, w), flow of each pixel to the other time, in pixels of this size.
        other: (N, h, w), layer of each pixel at the other time.

    Returns:
        (N, h, w) bool; False outside the picture.
    """
    height, width = owner.shape[-2:]
    x = (torch.arange(width) + motion[:, 0]).round().long()
    y = (torch.arange(height)[:, None] + motion[:, 1]).round().long()
    is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    flat = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    seen = other.flatten(1).gather(1, flat.flatten(1)).view(owner.shape)
    return is_inside & (seen == owner)


def to_picture(own: Layer, place: Tensor, t: Tensor) -> Tensor:
    """The positions of texture points in the picture at times ``t``; the inverse of ``to_texture``.

    Args:
        own: the layer of each point, fields (N, h, w).
        place: (N, h, w, 2) texture half sides.
        t: (N,).

    Returns:
        (N, 2, h, w) pixels, x then y.
    """
    q = _paced(own, _column(t)) - 0.5
    u, v = place.unbind(dim=-1)
    bend = own.bend * q
    v = v - bend * torch.sin(own.wave * u + own.phase)
    u = u - bend * torch.sin(own.wave * v + own.phase)
    u = u - own.pivot
    angle, scale = own.angle + own.roll * q, own.scale * (1 + own.zoom * q)
    c, s = torch.cos(angle) * scale, torch.sin(angle) * scale
    swing = own.arm_angle + own.arm_roll * q
    x = own.x + own.dx * q + own.arm * torch.cos(swing) + c * u - s * v
    y = own.y + own.dy * q + own.arm * torch.sin(swing) + s * u + c * v
    return torch.stack((x, y), dim=1)
