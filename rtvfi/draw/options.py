"""What scenes look like. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """What scenes look like."""

    size: int = 224
    """Side of the square picture, pixels; even."""
    fastest: float = 64.0
    """Largest motion between both ends, pixels."""
    slowest: float = 0.25
    """Smallest motion of what moves at all, pixels."""
    most_cels: int = 8
    """Largest number of cels in one scene."""
    num_backgrounds: int = 96
    num_sprites: int = 160
    """Sprites of each texture size."""
    figures: float = 0.0
    """Share of batches with a body whose arms and legs turn in their joints, and with hair."""
    particles: float = 0.0
    """Share of batches with snow, rain, sparks or dust."""
    fades: float = 0.0
    """Share of scenes that fade, and of scenes in which something appears or vanishes."""
    sweeps: float = 0.0
    """Share of scenes in which all of it moves by half of ``fastest`` or more."""
    zooms: float = 0.0
    """Share of scenes that zoom, each plane by its depth."""
    compression: float = 0.0
    """Share of scenes whose ends are compressed coarsely; the truth never is."""
    easing: float = 0.0
    """Share of cels that do not move evenly between both ends."""
    camera_easing: float = 0.0
    """Share of scenes whose background does not."""
    truth: bool = False
    """Also give distance indices and visibility, which no step of ``cel`` needs."""
