"""Generates painted surfaces from random numbers.

Every function uses the generator it is given, so the seed determines the picture. Textures are (3,
S, S), float32, RGB, [0, 1]. Their kinds are those of anime backgrounds: washes of colour, clutter
with the scale statistics of natural pictures (the dead leaves model: occluding shapes whose sizes
follow a power law), fur and grass, flat architecture with ruled lines.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812

if TYPE_CHECKING:
    from torch import Generator, Tensor


def uniform(g: Generator, low: float = 0.0, high: float = 1.0) -> float:
    """One number in [low, high)."""
    return low + (high - low) * float(torch.rand((), generator=g))


def integer(g: Generator, low: int, high: int) -> int:
    """One integer in [low, high)."""
    return int(torch.randint(low, high, (), generator=g))


def axes(size: int) -> tuple[Tensor, Tensor]:
    """Coordinates x, y of pixel centres, (S, S) each, in (-1, 1)."""
    line = (torch.arange(size, dtype=torch.float32) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return x, y


def palette(g: Generator, num_colours: int) -> Tensor:
    """(n, 3): related colours around one random colour, with outliers, of any brightness."""
    base = torch.rand(3, generator=g)
    spread = uniform(g, 0.1, 0.6)
    return (base + spread * torch.randn(num_colours, 3, generator=g)).clamp(0.02, 0.98)


def noise(g: Generator, size: int, falloff: float, stretch: float = 1.0) -> Tensor:
    """(S, S) noise of octaves 2, 4, ... S / 2, amplitude ~ frequency^-falloff, about unit variance.

    ``stretch`` > 1 stretches it along one axis by that factor (grass, hair, wood).
    """
    total = torch.zeros(size, size)
    power = 0.0
    octave = 2
    while octave <= size // 2:
        amplitude = octave**-falloff
        rows = max(2, round(octave / stretch))
        field = torch.randn(1, 1, rows, octave, generator=g)
        total += amplitude * F.interpolate(
            field, (size, size), mode="bicubic", align_corners=False
        ).reshape(size, size)
        power += amplitude**2 * 0.5
        octave *= 2
    return total / math.sqrt(power)


def turn(g: Generator, picture: Tensor) -> Tensor:
    """Rotate a texture by any angle (the border is mirrored)."""
    angle = uniform(g, 0, 2 * math.pi)
    c, s = math.cos(angle), math.sin(angle)
    theta = torch.tensor([[[c, -s, 0.0], [s, c, 0.0]]])
    grid = F.affine_grid(theta, [1, *picture.shape], align_corners=False)
    return F.grid_sample(picture[None], grid, padding_mode="reflection", align_corners=False)[0]


def wash(g: Generator, size: int) -> Tensor:
    """Noise of a random roughness laid over a few colours."""
    colours = palette(g, 3)
    falloff = uniform(g, 0.1, 1.0)
    a = torch.sigmoid(2 * noise(g, size, falloff))
    b = torch.sigmoid(2 * noise(g, size, falloff))
    picture = colours[0, :, None, None] * a + colours[1, :, None, None] * (1 - a)
    picture = picture * b + colours[2, :, None, None] * (1 - b)
    detail = noise(g, size, uniform(g, 0.2, 0.8)) * uniform(g, 0.0, 0.12)
    return (picture + detail).clamp(0, 1)


def fibres(g: Generator, size: int) -> Tensor:
    """Grass, fur, wood: stretched noise at any angle."""
    colours = palette(g, 3)
    a = torch.sigmoid(2.5 * noise(g, size, uniform(g, 0.2, 0.7), uniform(g, 3, 16)))
    b = torch.sigmoid(2 * noise(g, size, 1.0))
    picture = colours[0, :, None, None] * a + colours[1, :, None, None] * (1 - a)
    return turn(g, (picture + (colours[2, :, None, None] - 0.5) * b * 0.5).clamp(0, 1))


def clutter(g: Generator, size: int) -> Tensor:
    """Dead leaves: ellipses and slabs of power-law size, each with its own colour and shading."""
    picture = wash(g, size)
    colours = palette(g, 12)
    smallest = uniform(g, 2.0, 8.0)
    detail = noise(g, size, 0.5) * uniform(g, 0.0, 0.15)
    has_line = uniform(g) < 0.4
    for _ in range(integer(g, 60, 320)):
        radius = min(smallest * (uniform(g, 0.02, 1.0) ** -0.7), size / 4)
        cx, cy = uniform(g, 0, size), uniform(g, 0, size)
        x0, x1 = max(0, int(cx - radius)), min(size, int(cx + radius) + 1)
        y0, y1 = max(0, int(cy - radius)), min(size, int(cy + radius) + 1)
        x = torch.arange(x0, x1, dtype=torch.float32)[None] - cx
        y = torch.arange(y0, y1, dtype=torch.float32)[:, None] - cy
        angle = uniform(g, 0, math.pi)
        u = x * math.cos(angle) + y * math.sin(angle)
        v = (y * math.cos(angle) - x * math.sin(angle)) / uniform(g, 0.25, 1.0)
        if uniform(g) < 0.3:
            inside = radius * 0.7 - torch.maximum(u.abs(), v.abs())
        else:
            inside = radius - torch.sqrt(u * u + v * v)
        alpha = (inside + 0.5).clamp(0, 1)
        colour = colours[integer(g, 0, len(colours))][:, None, None] * uniform(g, 0.7, 1.2)
        shade = 1 + uniform(g, -0.4, 0.4) * u / radius + detail[y0:y1, x0:x1]
        fill = colour * shade
        if has_line:
            fill = fill * (1 - 0.8 * (1.5 - inside).clamp(0, 1))
        patch = picture[:, y0:y1, x0:x1]
        patch += (fill - patch) * alpha
    return picture.clamp(0, 1)


def foliage(g: Generator, size: int) -> Tensor:
    """Leaves, gravel, distant crowds: detail of a few pixels everywhere, under light and shade.

    Every pixel differs from its neighbours but resembles many others, which makes motion estimates
    noisy.
    """
    colours = palette(g, 4)
    grain = torch.randn(1, 4, size, size, generator=g)
    reach = integer(g, 0, 4)
    if reach:
        grain = F.avg_pool2d(grain, 2 * reach + 1, 1, reach)
    share = torch.softmax(grain[0] / grain.std() * uniform(g, 1.0, 6.0), dim=0)
    picture = torch.einsum("khw,kc->chw", share, colours)
    light = torch.sigmoid(1.5 * noise(g, size, uniform(g, 0.5, 1.2)))
    picture = picture * (1 - uniform(g, 0.2, 0.9) * light)
    return picture.clamp(0, 1)


def architecture(g: Generator, size: int) -> Tensor:
    """Flat or lightly shaded regions cut by straight edges, some of them ruled."""
    x, y = axes(size)
    colours = palette(g, 8)
    picture = colours[0, :, None, None].expand(3, size, size).clone()
    for _ in range(integer(g, 4, 24)):
        angle = uniform(g, 0, 2 * math.pi)
        if uniform(g) < 0.6:
            angle = round(angle / (math.pi / 2)) * math.pi / 2
        u = x * math.cos(angle) + y * math.sin(angle) - uniform(g, -1, 1)
        v = y * math.cos(angle) - x * math.sin(angle) - uniform(g, -1, 1)
        extent = uniform(g, 0.03, 0.9)
        inside = torch.minimum(extent - u.abs(), uniform(g, 0.03, 0.9) - v.abs()) * size / 2
        colour = colours[integer(g, 0, 8)][:, None, None] * (1 + uniform(g, -0.3, 0.3) * u)
        picture = picture + (colour - picture) * (inside + 0.5).clamp(0, 1)
        if uniform(g) < 0.4:
            line = (uniform(g, 0.6, 1.6) - inside.abs() + 0.5).clamp(0, 1)
            picture = picture * (1 - 0.9 * line)
    detail = noise(g, size, uniform(g, 0.3, 1.0)) * uniform(g, 0.0, 0.08)
    return (picture + detail).clamp(0, 1)


def background(g: Generator, size: int) -> Tensor:
    """A texture of any kind."""
    kinds = (wash, clutter, clutter, architecture, fibres, foliage, foliage)
    picture = kinds[integer(g, 0, len(kinds))](g, size)
    if uniform(g) < 0.3:
        # haze or night: less contrast, so that matching does not rely on strong edges
        picture = palette(g, 1)[0, :, None, None] * 0.6 + picture * 0.4
    return picture.clamp(0, 1)
