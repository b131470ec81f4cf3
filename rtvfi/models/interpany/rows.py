"""The catalogue's rows of InterpAny-Clearer, and what its published folders are called."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, get_args

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


def _row(name: str) -> ModelInfo:
    network, variant, *_ = name.split("-")
    net = NETS[network]
    return with_weights(
        f"interpany-{name}",
        "interpany",
        net.pad_multiple,
        net.gmac_reference if variant.endswith("r") else net.gmac,
        num_frames=3 if variant.startswith("d") else 2,
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
        network, variant, *rest = name.split("-")
        known["-".join((variant.upper(), NETS[network].published, *rest)).lower()] = name
    found = known.get(folder.lower())
    return found and f"interpany-{found}"
