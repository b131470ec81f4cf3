"""What a GPU would do or refuse, on a processor: recordings, and no waiting for the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from rtvfi.models.fast import Capture, _leaves

if TYPE_CHECKING:
    from collections.abc import Callable


def recorded(core: Callable[..., Any], inputs: tuple[Any, ...]) -> Capture:
    """As a graph: it reads the tensors it was recorded with, and writes into always the same."""
    out = core(*inputs)

    def replay() -> None:
        for kept, new in zip(_leaves(out), _leaves(core(*inputs)), strict=True):
            kept.copy_(new)

    return Capture(out, replay)


FROM_THE_HOST = {"lift_fresh", "tensor", "as_tensor", "from_numpy"}
TO_THE_HOST = {"item", "tolist", "cpu", "numpy", "__bool__", "__float__", "__int__", "__index__"}
TO_THE_HOST |= {"_local_scalar_dense", "nonzero", "equal"}


class OnTheDevice(TorchDispatchMode):
    """Fails where a graph could not be captured: numbers that come from the host or go there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        check_name(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


class CalledOnTheDevice(TorchFunctionMode):
    """The same for what is called from Python."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        check_name(getattr(func, "__name__", ""))
        return func(*args, **(kwargs or {}))


def check_name(name: str) -> None:
    assert name not in FROM_THE_HOST | TO_THE_HOST, f"{name} waits for the host"


def watched(core: Callable[..., Any], *inputs: Any) -> Any:
    with CalledOnTheDevice(), OnTheDevice():  # type: ignore[no-untyped-call]
        return core(*inputs)
