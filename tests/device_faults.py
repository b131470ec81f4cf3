"""What may go wrong on a GPU, done on purpose: hooks for the self-test, which runs on the processor
here, and a table of the form that each fault ends in.

    PYTHONPATH=.:tests .venv/bin/python tests/device_faults.py
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from rtvfi.engine.proof.trial import ChildProcess, Request, Trial, started

if TYPE_CHECKING:
    from collections.abc import Callable

    Fault = Callable[[str, str, Any], Any]
    """Name of what was computed, name of its dtype, and the result to what comes of it."""

SHARE = 0.1
"""Of the side of the networks' shapes: enough for faults that are there everywhere."""


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> None:
    while True:
        signal.pause()


def _has_library() -> bool:
    import torch

    return torch.backends.cudnn.enabled


def _in_half(fault: Fault) -> Fault:
    """The same, in half precision alone."""

    def found(name: str, dtype: str, out: Any) -> Any:
        return fault(name, dtype, out) if dtype == "float16" else out

    return found


def _at(place: str, deed: Callable[[], object]) -> Fault:
    """A deed wherever the name of what was computed has that word."""

    def found(name: str, _dtype: str, out: Any) -> Any:
        if place in name:
            deed()
        return out

    return found


crash_at_import = _at("import", _crash)
hang_at_import = _at("import", _hang)
crash = _at("convolution", _crash)
hang = _at("convolution", _hang)
crash_in_half = _in_half(crash)


def crash_in_half_of_the_library(name: str, dtype: str, out: Any) -> Any:
    return crash_in_half(name, dtype, out) if "convolution" in name and _has_library() else out


hang_in_half = _in_half(hang)


def off(name: str, _dtype: str, out: Any) -> Any:
    return out + 1e-2 if "convolution" in name else out


off_in_half = _in_half(off)


def nan_in_half(name: str, dtype: str, out: Any) -> Any:
    if "convolution" in name and dtype == "float16":
        out[..., 0, 0] = float("nan")
    return out


def wrong_with_the_library(name: str, dtype: str, out: Any) -> Any:
    return off(name, dtype, out) if "convolution" in name and _has_library() else out


def refused_by_the_library(name: str, _dtype: str, out: Any) -> Any:
    if "convolution" in name and _has_library():
        raise RuntimeError("miopenStatusUnknownError")
    return out


_runs = [0]


def wrong_in_the_fifth_run(name: str, dtype: str, out: Any) -> Any:
    _runs[0] += "convolution" in name
    return off(name, dtype, out) if "convolution" in name and _runs[0] % 5 == 0 else out


def memory_full(name: str, _dtype: str, out: Any) -> Any:
    if "convolution" in name:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
    return out


def crash_beside_opengl(name: str, dtype: str, out: Any) -> Any:
    _runs[0] += name == "gl"
    return crash(name, dtype, out) if _runs[0] else out


def hook(fault: str) -> dict[str, Any]:
    """How a trial starts its processes so that they have a fault of that name."""

    def start(request: Request) -> ChildProcess:
        return started({**request, "hook": f"device_faults:{fault}", "share": SHARE})

    return {"start": start}


FAULTS = (
    "crash_at_import",
    "crash",
    "crash_in_half",
    "crash_in_half_of_the_library",
    "hang",
    "hang_in_half",
    "off",
    "off_in_half",
    "nan_in_half",
    "wrong_with_the_library",
    "refused_by_the_library",
    "wrong_in_the_fifth_run",
    "memory_full",
    "crash_beside_opengl",
)


def main() -> None:
    """Print the table."""
    sys.stdout.write("| fault | rendering | playing | what is said | s |\n|---|---|---|---|---|\n")
    for fault in FAULTS:
        begun = time.monotonic()
        # a process that works may be silent that long on a busy machine; one that hangs is cut off
        silence = 20.0 if fault.startswith("hang") else 120.0
        found = Trial("cpu", **hook(fault), silence=silence).verdict()
        assert found is not None
        forms = []
        for is_live in (False, True):
            form = found.form if found.works(is_live=is_live) else None
            library = "" if form is None or form.has_library else f", no {found.library}"
            forms.append("processor" if form is None else f"{form.dtype}{library}")
        said = found.sentence(is_live=True) or "nothing"
        seconds = time.monotonic() - begun
        sys.stdout.write(f"| {fault.replace('_', ' ')} | {' | '.join(forms)} | {said} ")
        sys.stdout.write(f"| {seconds:.0f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
