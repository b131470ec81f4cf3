"""What a made picture is made of: source pictures, where each pixel of it is in them, how much.

A picture made between two that were made themselves would be fetched twice: every fetch is bilinear
and blurs, and every blend of two that do not quite meet thins dark lines. So a made picture
remembers its parts. Flow is still found between the made pictures, for that is where the motion is
even, but what is shown is fetched once, from source pictures, along the flows put together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from rtvfi.models.warp import backwarp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

NEAR: Final = 2.0
"""Pixels: two ways to the same source picture that lie nearer are one way, their mean."""


class Part(NamedTuple):
    """The share of one source picture in N made ones."""

    stack: Tensor
    """(1, 3 + features, H', W'): the source picture, padded; the same object for all its parts."""
    flow: Tensor
    """(N, 2, H', W') float32, pixels: where each pixel of the made picture is in it."""
    weight: Tensor
    """(N, 1, H', W') float32, 0..1; those of all parts of a picture add up to 1."""


def share(stack: Tensor, parts: Sequence[Part], flow: Tensor, weight: Tensor) -> list[Part]:
    """The parts of new pictures that come to them by way of one picture.

    Args:
        stack: that picture.
        parts: what it is made of, N = 1; empty for a source picture.
        flow: (N, 2, H', W') float32: where each pixel of the new pictures is in it.
        weight: (N, 1, H', W') float32: its share.
    """
    if not parts:
        return [Part(stack, flow, weight)]
    found = []
    for part in parts:
        known = torch.cat((part.flow, part.weight), 1).expand(len(flow), -1, -1, -1)
        there = backwarp(known, flow)
        found.append(Part(part.stack, flow + there[:, :2], weight * there[:, 2:]))
    return found


def merged(parts: Sequence[Part]) -> tuple[Part, ...]:
    """One part for every source picture.

    Where two ways to it disagree, something is hidden in one of them: the one that has more of the
    picture stands.
    """
    found: dict[int, Part] = {}
    for part in parts:
        other = found.get(id(part.stack))
        found[id(part.stack)] = part if other is None else _joined(other, part)
    return tuple(found.values())


def _joined(one: Part, other: Part) -> Part:
    weight = one.weight + other.weight
    step = other.flow - one.flow
    is_near = torch.linalg.vector_norm(step, dim=1, keepdim=True) < NEAR
    mean = torch.addcmul(one.flow, step, other.weight / weight.clamp(min=1e-6))
    stronger = torch.where(one.weight >= other.weight, one.flow, other.flow)
    return Part(one.stack, torch.where(is_near, mean, stronger), weight)


def picture_of(parts: Sequence[Part]) -> Tensor:
    """(N, 3, H', W') float32."""
    first, *more = (part.weight * backwarp(_colours(part), part.flow) for part in parts)
    for other in more:
        first.add_(other)
    return first


def _colours(part: Part) -> Tensor:
    return part.stack[:, :3].float().expand(len(part.flow), -1, -1, -1)
