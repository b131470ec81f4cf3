"""Stand-ins for packages that a bare machine lacks: torch and the checkout are enough.

``stand_in()`` must be called before anything of rtvfi is imported. Only what the benchmark needs of
a package works: folders of ``platformdirs``, reading of ``safetensors``; OpenCV and PyAV can be
imported and do nothing.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class _Nothing(ModuleType):
    """A package of which every name is an exception that nobody raises."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


def load_file(path: str | Path) -> dict[str, Any]:
    """The tensors of a safetensors file: a length, a header in JSON, the numbers."""
    import torch

    data = bytearray(Path(path).read_bytes())
    length = int.from_bytes(data[:8], "little")
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    types |= {"I64": torch.int64, "I32": torch.int32, "U8": torch.uint8, "BOOL": torch.bool}
    made = {}
    for name, row in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in row["data_offsets"])
        numbers = torch.frombuffer(data[begin:end], dtype=types[row["dtype"]])
        made[name] = numbers.reshape(row["shape"])
    return made


def stand_in() -> list[str]:
    """Put stand-ins where packages are missing.

    Returns:
        Their names.
    """
    missing = [name for name in _MAKERS if not _is_here(name)]
    for name in missing:
        _MAKERS[name](name)
    return missing


def _is_here(name: str) -> bool:
    loaded = sys.modules.get(name)
    # A stand-in was found by nobody.
    return loaded.__spec__ is not None if loaded else importlib.util.find_spec(name) is not None


def _nothing(name: str) -> None:
    sys.modules[name] = _Nothing(name)


def _folders(name: str) -> None:
    module = ModuleType(name)

    def folder(*_: object, **__: object) -> Path:
        return Path.home() / ".cache" / "rtvfi"

    for what in ("cache", "config", "data", "state"):
        setattr(module, f"user_{what}_path", folder)
    sys.modules[name] = module


def _safetensors(name: str) -> None:
    outer, inner = _Nothing(name), _Nothing(f"{name}.torch")
    inner.load_file = load_file  # type: ignore[attr-defined]
    outer.torch = inner  # type: ignore[attr-defined]
    sys.modules |= {name: outer, f"{name}.torch": inner}


_MAKERS: dict[str, Callable[[str], None]] = {
    "platformdirs": _folders,
    "safetensors": _safetensors,
    "cv2": _nothing,
    "av": _nothing,
}
