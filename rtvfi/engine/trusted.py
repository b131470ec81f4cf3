"""The device that networks run on, in a form that has passed the self-test.

The result is stored for this process and, by ``verdict.keep``, for later ones.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import DeviceError
from rtvfi.core.hardware import machine
from rtvfi.core.hardware.verdict import FORMS, keep, kept
from rtvfi.engine.device import resolve_device, show_best_amd
from rtvfi.engine.proof.trial import Trial
from rtvfi.models.weights.store import find_weights

if TYPE_CHECKING:
    import torch

    from rtvfi.core.hardware.verdict import Verdict
    from rtvfi.core.options import SelfTest
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)

_OVERRIDE: Final = "--device auto takes the processor; --selftest off uses the GPU all the same"


@dataclass(frozen=True, slots=True)
class Compute:
    """The device that networks run on, and how to use it."""

    device: torch.device
    dtype: torch.dtype
    """dtype of pictures and parameters: float16 on a GPU that computes it correctly, else float32.
    """
    remark: str = ""
    """What was given up because of the self-test, for the user; empty if nothing."""
    has_library: bool = True
    """Whether MIOpen or cuDNN may be used."""
    is_repeatable: bool = True
    """Whether the same input always gives the same bits."""


class Trust:
    """What is known about one device. One thread at a time may call ``prove``; the other methods
    are for any thread.

    Args:
        name: name of the device, as the user gave it.
        selftest: ``auto`` tests a device not tested before, ``again`` always, ``off`` never.
        is_live: a window is in the same process.
    """

    def __init__(self, name: str, selftest: SelfTest = "auto", *, is_live: bool = False) -> None:
        self._name = name
        self._selftest = selftest
        self._is_live = is_live
        self._lock = threading.Lock()
        self._trial: Trial | None = None
        self._is_over = False
        self._is_asked = False
        """The stored verdict was looked up, or the device tested: no test is due."""
        self.verdict: Verdict | None = None
        """The result of the self-test; None if there is none."""

    @property
    def is_due(self) -> bool:
        """Whether the device must be tested before it can be used, which takes seconds or more."""
        if not self._is_asked:
            if not is_gpu_wanted(self._name) or self._selftest == "off":
                self._is_asked = True
            elif self._selftest == "auto":
                self.verdict = kept(self._name)
                self._is_asked = self.verdict is not None
        return not self._is_asked

    def prove(self) -> None:
        """Test the device if that is due; takes seconds, on a new machine minutes."""
        if not self.is_due:
            return
        with self._lock:
            if self._is_over:
                return
            self._trial = trial = Trial(_torch_name(self._name))
        log.info("the GPU is tested once, before it is used for the first time")
        found = trial.verdict()
        self._is_asked = True
        if found is None:
            return
        self.verdict = found
        if found.is_final:
            try:
                keep(self._name, found)
            except OSError as error:
                log.debug("the verdict cannot be kept: %s", error)

    @property
    def fails(self) -> bool:
        """Whether the device failed its test, so that the processor computes instead."""
        found = self.verdict
        return found is not None and not found.works(is_live=self._is_live)

    @property
    def remark(self) -> str:
        """What was given up because of the self-test, as a sentence; empty if nothing."""
        return "" if self.verdict is None else self.verdict.sentence(is_live=self._is_live)

    def abandon(self) -> None:
        """Stop a running test: its result is not needed any more."""
        with self._lock:
            self._is_over = True
            if self._trial is not None:
                self._trial.abandon()

    def check(self) -> None:
        """Raise an error if the user named this device and it failed its test.

        Raises:
            DeviceError: it failed its self-test.
        """
        if self.is_due or not self.fails:
            return
        found = self.verdict
        assert found is not None
        if self._name != "auto":
            why = "; ".join(found.failures)
            raise DeviceError(f'device "{self._name}" failed its self-test: {why}', _OVERRIDE)
        if found.is_torch_broken:
            raise DeviceError(
                f"torch cannot be loaded here: {'; '.join(found.failures)}",
                "--model dis needs none; RTVFI_TORCH=cpu ./run play installs the build without GPU",
            )

    def compute(self) -> Compute:
        """The device and how to use it; tests it first if that is due. Imports torch.

        Raises:
            DeviceError: the user named it, and it cannot be used.
        """
        self.prove()
        self.check()
        found, fails = self.verdict, self.fails
        # First, because it sets environment variables that torch reads when it is imported.
        device = resolve_device("cpu" if fails else self._name)
        import torch

        if fails:
            return Compute(device, torch.float32, self.remark)
        if device.type != "cuda":
            return Compute(device, torch.float32)
        if found is None:
            return Compute(device, torch.float16)
        form = found.form or FORMS[0]
        torch.backends.cudnn.enabled = form.has_library
        dtype = getattr(torch, form.dtype)
        return Compute(device, dtype, self.remark, form.has_library, found.is_repeatable)


def check_options(options: PlayOptions) -> None:
    """Check model and device of ``play`` before a window opens.

    Raises:
        WeightsMissing, DeviceError, UsageError: the model or device cannot be used.
    """
    find_weights(options.model)
    if options.device not in ("auto", "cpu"):
        resolve_device(options.device)
        # This uses a stored verdict only: an untested device is tested while the film plays.
        Trust(options.device, options.selftest, is_live=True).check()


def offline(name: str) -> Compute:
    """The device for work without a window; warns if the self-test made us give something up.

    Raises:
        DeviceError: the user named it, and it cannot be used.
    """
    found = Trust(name).compute()
    if found.remark:
        log.warning(found.remark)
    return found


def is_gpu_wanted(name: str) -> bool:
    """Whether a GPU may be used, decided without importing torch."""
    if name == "cpu" or "+cpu" in (machine.torch_version() or "+cpu"):
        return False
    return name != "auto" or (bool(machine.gpus()) and show_best_amd())


def _torch_name(name: str) -> str:
    _, _, number = name.partition(":")
    return f"cuda:{int(number)}" if number else "cuda"
