"""``--enhance``: finds the weights of a restoring network, and wraps a source with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.core.errors import UsageError
from rtvfi.engine.device import keep_freed_memory
from rtvfi.engine.trusted import offline
from rtvfi.models.safa.rows import ENHANCERS
from rtvfi.models.weights.store import sha256_of, stored_weights

if TYPE_CHECKING:
    from rtvfi.models.safa.model import Safa
    from rtvfi.stream.decode.source import FrameSource


class Enhancer:
    """One restoring network for all files of a rendering; imports torch with the first file.

    Args:
        name: one of ``ENHANCERS``.
        device: its name as the user gave it.

    Raises:
        UsageError: there is no such network.
        WeightsMissing: its weights are not on this machine.
    """

    def __init__(self, name: str, device: str) -> None:
        if name not in ENHANCERS:
            raise UsageError(f'--enhance is "{name}", expected {" or ".join(ENHANCERS)}')
        self._path = stored_weights(name)
        self.weights = sha256_of(self._path)
        """SHA-256 of the weights: a rendering is resumed only with the same ones."""
        self._device_name = device
        self._loaded: Safa | None = None

    def wrap(self, source: FrameSource) -> FrameSource:
        """Wrap ``source``: the result returns its frames with restored pictures.

        Raises:
            DeviceError: the device cannot be used.
        """
        compute = offline(self._device_name)
        device, dtype = compute.device, compute.dtype
        if device.type == "cpu":
            keep_freed_memory()
        import torch

        from rtvfi.models.safa.model import Safa
        from rtvfi.models.tuning import tune
        from rtvfi.models.weights.file import read_tensors
        from rtvfi.stream.run.restored import Restored

        def load() -> Safa:
            if self._loaded is None:
                with torch.no_grad():
                    self._loaded = Safa(read_tensors(self._path), tune(device, dtype))
            return self._loaded

        return Restored(source, load, device, dtype)
