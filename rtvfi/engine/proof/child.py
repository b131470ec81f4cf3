"""The child process of the self-test: ``python -m rtvfi.engine.proof.child REQUEST``.

Each step is reported before it begins, so that the parent knows where a crash or hang happened.
"""

from __future__ import annotations

import importlib
import json
import signal
import sys
from typing import TYPE_CHECKING

from rtvfi.core.errors import first_line
from rtvfi.core.hardware.verdict import Form
from rtvfi.core.python_process import speaker
from rtvfi.engine.proof.gl import start

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

    from rtvfi.engine.proof.kernels import Hook
    from rtvfi.engine.proof.trial import Request, Said

    Say = Callable[[Said], None]


def main(request: str) -> None:
    """Test a device in one form.

    Args:
        request: JSON of a ``Request``.
    """
    asked: Request = json.loads(request)
    asked["form"] = Form(*asked["form"])
    signal.alarm(int(asked["seconds"]))
    speak = speaker()

    def say(said: Said) -> None:
        speak(said)

    hook = _hook(asked["hook"])
    drawn = _draw(say, hook) if asked["gl"] == "before" else None
    say({"doing": "the import of torch"})
    hook("import", "", None)
    import torch

    torch.set_num_threads(1)
    torch.backends.cudnn.enabled = asked["form"].has_library
    library = "MIOpen" if torch.version.hip else "cuDNN"
    say({"doing": "the start of the device", "library": library})
    if asked["device"] != "cpu" and not torch.cuda.is_available():
        say({"absent": True})
        return
    device = torch.device(asked["device"])
    say({"name": "" if device.type == "cpu" else torch.cuda.get_device_name(device)})
    try:
        _try(device, asked, hook, say)
    except RuntimeError as error:
        line = first_line(error)
        say({"full": True} if "out of memory" in line else {"refused": line})
        return
    if asked["gl"] == "after":
        drawn = _draw(say, hook)
    say({"done": True, "gl": drawn and drawn[0]})


def _try(device: torch.device, asked: Request, hook: Hook, say: Say) -> None:
    import torch

    from rtvfi.engine.proof.kernels import kernels, tried

    is_repeatable = True
    # in half precision networks keep flow and lookups in float32
    is_half = asked["form"].is_half
    for dtype in (torch.float16, torch.float32) if is_half else (torch.float32,):
        name = str(dtype).removeprefix("torch.")
        for kernel in kernels(dtype, asked["share"]):
            if (
                dtype == torch.float32
                and asked["form"].is_half
                and "grid_sample" not in kernel.name
            ):
                continue
            say({"doing": f"{kernel.name} in {name}"})
            found = tried(kernel, device, dtype, hook)
            is_repeatable = is_repeatable and found.is_repeatable
            if found.wrong:
                say({"wrong": found.wrong})
                return
    say({"right": True, "is_repeatable": is_repeatable})


def _draw(say: Say, hook: Callable[..., object]) -> tuple[str, object]:
    say({"doing": "the start of OpenGL"})
    hook("gl", "", None)
    return start()


def _hook(name: str) -> Callable[..., Tensor]:
    if not name:
        return lambda _name, _dtype, out: out
    module, _, function = name.partition(":")
    made: Callable[..., Tensor] = getattr(importlib.import_module(module), function)
    return made


if __name__ == "__main__":
    main(sys.argv[1])
