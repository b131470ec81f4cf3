"""The result of a GPU's self-test, stored for the next start. Does not import torch.

A verdict is valid for one chip, build of torch, driver and kernel: when one of them changes, so
does the name of the file, and the GPU is tested again.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import platformdirs

from rtvfi.core.files import write_whole
from rtvfi.core.hardware import machine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rtvfi.core.files import Json

TEST_VERSION: Final = 1
"""Increase it when the test checks more: GPUs that passed the weaker test are then tested again."""

VARIABLES: Final = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
    "ROCR_VISIBLE_DEVICES",
)
"""Environment variables that change how a GPU behaves: the verdict depends on them."""

OWN_MASK: Final = "RTVFI_OWN_MASK"
"""The value that rtvfi itself gave ROCR_VISIBLE_DEVICES. It follows from the GPUs present, so the
verdict need not depend on it.
"""


class Form(NamedTuple):
    """How networks compute on a GPU."""

    is_half: bool
    """Pictures and parameters in float16, else in float32."""
    has_library: bool
    """Convolutions use MIOpen (ROCm) or cuDNN (CUDA), else torch's own kernels."""

    @property
    def dtype(self) -> str:
        """Name of the dtype of pictures and parameters."""
        return "float16" if self.is_half else "float32"


FORMS: Final = (Form(True, True), Form(False, True), Form(True, False), Form(False, False))
"""All forms, in the order in which they are tried: the fastest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of the self-test of a device."""

    form: Form | None
    """The first form with correct results; None if none was correct: the CPU must compute."""
    failures: tuple[str, ...] = ()
    """What went wrong in each form tried before it, one sentence each."""
    library: str = "cuDNN"
    """The name of the library for convolutions: MIOpen or cuDNN."""
    name: str = ""
    """Name of the device, as torch reports it."""
    is_repeatable: bool = True
    """The same input gave the same bits every time."""
    fails_beside_window: bool = False
    """It works alone, but not in a process that draws with OpenGL, as the player does."""
    is_torch_broken: bool = False
    """torch cannot even be imported: nothing may import it."""
    is_final: bool = True
    """It may be stored; False (after running out of memory, for example): the next start tests
    again.
    """
    date: str = ""
    """YYYY-MM-DD."""
    seconds: float = 0.0
    """Duration of the test."""

    def works(self, *, is_live: bool) -> bool:
        """Whether networks may run on the device; ``is_live`` = in the process of the window."""
        return self.form is not None and not (is_live and self.fails_beside_window)

    def sentence(self, *, is_live: bool = False) -> str:
        """What was given up and why, for the user; empty when nothing was."""
        what, why = self.name or "the GPU", "".join(self.failures[:1])
        if not self.works(is_live=is_live):
            if self.form is not None:  # alone it works: the last failure is the window's
                why = self.failures[-1]
            return f"{what} failed its self-test, so the processor computes ({why})"
        assert self.form is not None
        if self.form == FORMS[0]:
            return ""
        changes = [] if self.form.is_half else ["in float32"]
        changes += [] if self.form.has_library else [f"without {self.library}"]
        return f"{what} computes {' and '.join(changes)}, as its self-test demands ({why})"


def key_of(device: str, root: Path = machine.ROOT) -> dict[str, str]:
    """Everything that a verdict depends on, by name.

    Args:
        device: its name as the user gave it.
        root: root of the file system to read, for tests.
    """
    found = [f"{gpu.name} {gpu.arch}".strip() for gpu in machine.gpus(root)]
    return {
        "test": str(TEST_VERSION),
        "device": device,
        "gpus": ", ".join(found),
        "torch": machine.torch_version() or "none",
        "driver": machine.gpu_driver(root),
        "kernel": machine.kernel(root),
        **{name: os.environ[name] for name in VARIABLES if _is_set(name)},
    }


def _is_set(name: str) -> bool:
    value = os.environ.get(name)
    is_ours = name == "ROCR_VISIBLE_DEVICES" and value == os.environ.get(OWN_MASK)
    return bool(value) and not is_ours


def _file(key: Mapping[str, str]) -> Path:
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("rtvfi", appauthor=False) / "selftest" / f"{name}.json"


def kept(device: str, root: Path = machine.ROOT) -> Verdict | None:
    """The stored verdict on a device; None when it must be tested."""
    key = key_of(device, root)
    try:
        document = json.loads(_file(key).read_text(encoding="utf-8"))
        return _verdict(document["verdict"]) if document["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def keep(device: str, verdict: Verdict, root: Path = machine.ROOT) -> None:
    """Store a verdict for the next start.

    Raises:
        OSError: the file cannot be written.
    """
    key = key_of(device, root)
    path = _file(key)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({"key": key, "verdict": asdict(verdict)}, indent=2) + "\n")


def _verdict(row: Json) -> Verdict:
    form = row["form"]
    if form is not None and Form(*form) not in FORMS:
        raise ValueError("it is no form")
    return Verdict(
        **row | {"form": form and Form(*form), "failures": tuple(map(str, row["failures"]))}
    )
