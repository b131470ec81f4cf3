"""The models of RIFE 4.x in the catalogue."""

from __future__ import annotations

from typing import Final

from rtvfi.models.base import ModelInfo, with_weights

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
"""Versions in one row have the same architecture; only the values of the weights differ."""


def _version_key(version: str) -> tuple[int, ...]:
    major, minor, *variant = version.split(".")
    return int(major), int(minor), len(variant), len("".join(variant))


def _rows() -> tuple[ModelInfo, ...]:
    versions = {
        version: (multiple, gmac)
        for names, multiple, gmac in RIFE_GROUPS.values()
        for version in names.split()
    }
    return tuple(
        with_weights(f"rife-{version}", "rife", *versions[version])
        for version in sorted(versions, key=_version_key)
    )


PLACE: Final = 40
ROWS: Final = _rows()
