"""The catalogue's rows of InterpAny-Clearer, and what its published folders are called."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, cast, get_args

from rtvfi.models.base import ModelInfo, with_weights

NUM_STEPS: Final = 2
"""Runs a picture of the variants with reference takes, unless asked otherwise; as the published
results."""


class Net(NamedTuple):
    """One of the networks, in all its variants."""

    published: str
    """Its part of a published folder's name."""
    gmac: float
    """10^9 multiply-adds of a 1920x1080 frame without reference."""
    gmac_reference: float
    """With reference, in ``NUM_STEPS`` steps."""
    pad_multiple: int
    licence: str
    """Of its folder of the published code."""


NETS: Final = {
    "rife": Net("RIFE", 265.2, 533.1, 32, "MIT"),
    "ifrnet": Net("IFRNet", 403.9, 810.6, 16, "CC-BY-NC-4.0"),
    "amt": Net("AMT-S", 936.5, 1861.2, 16, "CC-BY-NC-4.0"),
    "ema": Net("EMA-VFI", 2010.1, 4029.9, 32, "Apache-2.0"),
}
Variant = Literal["t", "d", "tr", "dr"]
VARIANTS: Final[tuple[Variant, ...]] = get_args(Variant)
"""Told the time; how far everything has gone; either of them, and a reference."""
EXTRA: Final = ("rife-d-pro", "rife-dr-pro", "rife-dr-vgg")
"""Other weights of RIFE: trained for longer, trained for how pictures look."""


class Named(NamedTuple):
    """What the name of such weights says."""

    network: str
    """A key of ``NETS``."""
    variant: Variant
    training: str
    """``pro`` or ``vgg``, see ``EXTRA``; empty for the first ones."""


def is_told_distance(variant: Variant) -> bool:
    """Whether it is told how far everything has gone (D, DR), not only the time (T, TR)."""
    return variant in ("d", "dr")


def has_reference(variant: Variant) -> bool:
    """Whether it is given a reference picture (TR, DR)."""
    return variant in ("tr", "dr")


def named(name: str) -> Named:
    """Read ``rife-dr-pro``, with or without ``interpany-`` before it."""
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
        num_frames=3 if is_told_distance(said.variant) else 2,
        licence=net.licence,
    )


_NAMES: Final = (*(f"{net}-{variant}" for net in NETS for variant in VARIANTS), *EXTRA)
PLACE: Final = 90
ROWS: Final = tuple(_row(name) for name in _NAMES)
"""Variants that are told distances look at a third picture where there is one, to see the pace."""

CHECKPOINTS: Final = ("flownet_sdi.pkl", "flownet_m.pkl", "latest.pth", "ema-vfi.pkl")
"""Names of the weight files in a published folder."""


def published_as(folder: str) -> str | None:
    """The id of a published folder, ``DR-RIFE-pro``; None for any other name."""
    known = {}
    for name in _NAMES:
        said = named(name)
        parts = (said.variant, NETS[said.network].published, said.training)
        known["-".join(filter(None, parts)).lower()] = name
    found = known.get(folder.lower())
    return found and f"interpany-{found}"
