"""The options of generated scenes. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class SceneOptions:
    """The options of generated scenes."""

    size: int = 224
    """Side of the square picture, pixels; even."""
    fastest: float = 64.0
    """Largest motion between both ends, pixels."""
    slowest: float = 0.25
    """Smallest motion of moving objects, pixels."""
    most_cels: int = 8
    """Largest number of cels in one scene."""
    num_backgrounds: int = 96
    num_sprites: int = 160
    """Sprites of each texture size."""
    figures: float = 0.0
    """Fraction of batches with a body with arms and legs that rotate in their joints, and hair."""
    particles: float = 0.0
    """Fraction of batches with snow, rain, sparks or dust."""
    fades: float = 0.0
    """Fraction of scenes that fade, and of scenes in which something appears or vanishes."""
    sweeps: float = 0.0
    """Fraction of scenes in which everything moves by half of ``fastest`` or more."""
    zooms: float = 0.0
    """Fraction of scenes that zoom, each plane according to its depth."""
    compression: float = 0.0
    """Fraction of scenes with compression artefacts in both end frames, never in the middle one."""
    easing: float = 0.0
    """Fraction of cels that accelerate or slow down."""
    camera_easing: float = 0.0
    """Fraction of scenes whose background accelerates or slows down."""
    truth: bool = False
    """Also provide distance indices and visibility, which the training of ``cel`` does not use."""
