"""The models of InterpAny-Clearer in the catalogue, and the names of its published folders."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, cast, get_args

from rtvfi.models.base import ModelInfo, with_weights

NUM_STEPS: Final = 2
"""Default number of steps of the variants with reference, as in the published results."""


class Net(NamedTuple):
    """One of the networks; each has several variants."""

    published: str
    """Name of the network in the names of published folders."""
    gmac: float
    """10^9 multiply-adds for one 1920x1080 frame, without reference."""
    gmac_reference: float
    """The same with reference, in ``NUM_STEPS`` steps."""
    pad_multiple: int
    licence: str
    """Licence of the network's folder in the published code."""


NETS: Final = {
    "rife": Net("RIFE", 265.2, 533.1, 32, "MIT"),
    "ifrnet": Net("IFRNet", 403.9, 810.6, 16, "CC-BY-NC-4.0"),
    "amt": Net("AMT-S", 936.5, 1861.2, 16, "CC-BY-NC-4.0"),
    "ema": Net("EMA-VFI", 2010.1, 4029.9, 32, "Apache-2.0"),
}
Variant = Literal["t", "d", "tr", "dr"]
VARIANTS: Final[tuple[Variant, ...]] = get_args(Variant)
"""Input of the variants: a timestep (T), a distance index (D), or one of them and a reference (R).
"""
EXTRA: Final = ("rife-d-pro", "rife-dr-pro", "rife-dr-vgg")
"""More weights of RIFE: trained longer (``pro``), or with a perceptual loss (``vgg``)."""


class Named(NamedTuple):
    """The parts of the name of a weight file."""

    network: str
    """A key of ``NETS``."""
    variant: Variant
    training: str
    """``pro`` or ``vgg``, see ``EXTRA``; empty for the standard weights."""


def takes_distance(variant: Variant) -> bool:
    """Whether the variant takes a distance index (D, DR) instead of a timestep (T, TR)."""
    return variant in ("d", "dr")


def has_reference(variant: Variant) -> bool:
    """Whether the variant takes a reference picture (TR, DR)."""
    return variant in ("tr", "dr")


def named(name: str) -> Named:
    """Parse a name like ``rife-dr-pro``, with or without the prefix ``interpany-``."""
    network, variant, *training = name.removeprefix("interpany-").split("-")
    return Named(network, cast("Variant", variant), "".join(training))


def _row(name: str) -> ModelInfo:
    said = named(name)
    net = NETS[said.network]
    return with_weights(
        f"interpany-{name}",
        "interpany",
        net.pad_multiple,
        net.gmac_reference if has_reference(said.variant) else net.gmac,
        num_frames=3 if takes_distance(said.variant) else 2,
        licence=net.licence,
    )


_NAMES: Final = (*(f"{net}-{variant}" for net in NETS for variant in VARIANTS), *EXTRA)
PLACE: Final = 90
ROWS: Final = tuple(_row(name) for name in _NAMES)
"""Variants with a distance index use a third picture, where there is one, to estimate the pace."""

CHECKPOINTS: Final = ("flownet_sdi.pkl", "flownet_m.pkl", "latest.pth", "ema-vfi.pkl")
"""Possible names of the weight file in a published folder."""


def published_as(folder: str) -> str | None:
    """The model id for the name of a published folder, like ``DR-RIFE-pro``; None for others."""
    known = {}
    for name in _NAMES:
        said = named(name)
        parts = (said.variant, NETS[said.network].published, said.training)
        known["-".join(filter(None, parts)).lower()] = name
    found = known.get(folder.lower())
    return found and f"interpany-{found}"
