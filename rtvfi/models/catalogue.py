"""Every model rtvfi knows, whether its weights are here or not; no torch, no files."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from rtvfi.core.errors import UnknownModel
from rtvfi.core.program import typed
from rtvfi.models.base import ModelInfo, PadRule

RIFE_GROUPS: Final = {
    # group: (versions, pad multiple, 10^9 multiply-adds of one 1920x1080 frame and one encoding)
    "4.0": ("4.0 4.1", 64, 83.7),
    "4.2": ("4.2 4.3 4.4", 32, 83.7),
    "4.5": ("4.5", 32, 86.8),
    "4.6": ("4.6", 32, 87.6),
    "4.7": ("4.7 4.8 4.9", 32, 90.3),
    "4.10": ("4.10 4.11 4.12", 32, 103.5),
    "4.12.lite": ("4.12.lite 4.13.lite", 32, 59.7),
    "4.13": ("4.13 4.14 4.15 4.17 4.18 4.19 4.24", 32, 103.5),
    "4.14.lite": ("4.14.lite", 32, 65.9),
    "4.15.lite": ("4.15.lite 4.16.lite 4.17.lite", 32, 51.7),
    "4.20": ("4.20", 32, 114.6),
    "4.21": ("4.21 4.22 4.23", 32, 108.3),
    "4.22.lite": ("4.22.lite", 32, 49.8),
    "4.25": ("4.25 4.26", 64, 43.3),
    "4.25.lite": ("4.25.lite", 128, 20.3),
    "4.25.heavy": ("4.25.heavy", 64, 143.8),
    "4.26.heavy": ("4.26.heavy", 64, 48.1),
}
"""Versions on one row share keys, shapes and forward pass; only the trained numbers differ."""

DRBA_WEIGHTS: Final = "rife-4.26.heavy"
"""The network that DRBA is run with unless another encoder network is asked for."""


def _weight_free(model_id: str) -> ModelInfo:
    return ModelInfo(
        id=model_id,
        family=model_id,
        picture="yuv",
        num_frames=2,
        has_timestep_map=False,
        pad=PadRule(multiple=1),
        gmac_1080p=0.0,
        licence="MIT",
        weights=None,
    )


def _rife(version: str, multiple: int, gmac: float) -> ModelInfo:
    return ModelInfo(
        id=f"rife-{version}",
        family="rife",
        picture="rgb",
        num_frames=2,
        has_timestep_map=True,
        pad=PadRule(multiple=multiple, fill="zero"),
        gmac_1080p=gmac,
        licence="MIT",
        weights=f"rife-{version}.safetensors",
    )


def _triple(model_id: str, family: str, gmac: float, weights: str) -> ModelInfo:
    return ModelInfo(
        id=model_id,
        family=family,
        picture="rgb",
        num_frames=3,
        has_timestep_map=False,
        pad=PadRule(multiple=64, fill="zero"),
        gmac_1080p=gmac,
        licence="MIT",
        weights=f"{weights}.safetensors",
    )


def _version_key(version: str) -> tuple[int, ...]:
    major, minor, *variant = version.split(".")
    return int(major), int(minor), len(variant), len("".join(variant))


def _rows() -> list[ModelInfo]:
    versions = {
        version: (multiple, gmac)
        for names, multiple, gmac in RIFE_GROUPS.values()
        for version in names.split()
    }
    return [
        ModelInfo(
            id="cel",
            family="cel",
            picture="yuv",
            num_frames=2,
            has_timestep_map=False,
            pad=PadRule(multiple=2),
            gmac_1080p=18.0,
            licence="CC0-1.0",
            weights="cel.safetensors",
        ),
        _weight_free("linear"),
        _weight_free("copy"),
        *(_rife(v, *versions[v]) for v in sorted(versions, key=_version_key)),
        _triple("drba", "drba", 49.7, DRBA_WEIGHTS),
        _triple("distil-drba-v1", "distil-drba", 48.6, "distil-drba-v1"),
        _triple("distil-drba-v2-lite", "distil-drba", 13.2, "distil-drba-v2-lite"),
    ]


MODELS: Final[dict[str, ModelInfo]] = {row.id: row for row in _rows()}
"""By id, in the order they are listed to the user."""


def lighter(model_id: str) -> list[ModelInfo]:
    """Networks that can stand in for a model when it is too slow, the best first.

    They take the same pictures, as many a call, and half the multiply-adds at most.
    """
    row = find(model_id)
    most = (row.gmac_1080p or 0.0) / 2
    fitting = [
        other
        for other in MODELS.values()
        if (other.picture, other.num_frames) == (row.picture, row.num_frames)
        and other.gmac_1080p is not None
        and 0 < other.gmac_1080p <= most
    ]
    return fitting[::-1]  # newer versions stand behind older ones


def find(model_id: str) -> ModelInfo:
    """The row of that id.

    Raises:
        UnknownModel: there is none; the hint names the nearest.
    """
    row = MODELS.get(model_id)
    if row is None:
        near = get_close_matches(model_id, MODELS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else typed("models lists them")
        raise UnknownModel(f'there is no model "{model_id}"', hint=hint)
    return row
