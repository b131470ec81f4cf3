"""From a box around an object to its mask: Segment Anything, where the user has it.

Source: the packages segment_anything and mobile_sam, which share one interface.
"""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Final

import numpy as np

from rtvfi.core.errors import UsageError, WeightsMismatch
from rtvfi.engine.trusted import offline
from rtvfi.models.weights.file import read_tensors
from rtvfi.studio.cut_out import inside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

_KINDS: Final = {"vit_h": "vit_h", "vit_l": "vit_l", "vit_b": "vit_b", "mobile_sam": "vit_t"}
"""What a file's name holds, and the network that is: as the authors named both."""
_PACKAGES: Final = ("segment_anything", "mobile_sam")
_WHERE: Final = "docs/studio.md says where package and weights are"


class Anything:
    """Finds the object in a box; called as ``cut_out`` is.

    Args:
        checkpoint: weights as published, under the name they were published with.
        device: where to compute, as on the command line.

    Raises:
        UsageError: there is no such file or package.
        WeightsMismatch: the weights are of another network.
    """

    def __init__(self, checkpoint: Path, device: str) -> None:
        kind = next((_KINDS[part] for part in _KINDS if part in checkpoint.name), None)
        if kind is None:
            names = ", ".join(_KINDS)
            raise UsageError(f'--sam: the name "{checkpoint.name}" holds none of {names}', _WHERE)
        if not checkpoint.is_file():
            raise UsageError(f'--sam: "{checkpoint}" is not there', _WHERE)
        package = _package(kind)
        net = package.sam_model_registry[kind]()
        try:
            net.load_state_dict(read_tensors(checkpoint))
        except RuntimeError as error:
            raise WeightsMismatch(f'--sam: "{checkpoint}" is no {kind}', _WHERE) from error
        net.to(offline(device).device).eval()
        self._predictor = package.SamPredictor(net)
        self._lock = threading.Lock()
        self._seen: NDArray[np.uint8] | None = None

    def __call__(self, rgb: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.bool_]:
        """The pixels of the object inside a box; all of the box where none is found.

        Args:
            rgb: (H, W, 3).
            box: left, top, width, height in pixels; what lies outside the picture does not count.

        Returns:
            (H, W).

        Raises:
            UsageError: the box holds no pixel of the picture.
        """
        height, width = rgb.shape[:2]
        left, top, right, bottom = corners = inside((height, width), box)
        whole = np.zeros((height, width), bool)
        whole[top:bottom, left:right] = True
        with self._lock:  # a predictor holds one picture
            if self._seen is None or not np.array_equal(self._seen, rgb):
                self._seen = None
                self._predictor.set_image(rgb)  # seconds; boxes after it take a moment
                self._seen = rgb
            masks, *_ = self._predictor.predict(box=np.array(corners), multimask_output=False)
        mask: NDArray[np.bool_] = masks[0].astype(bool) & whole
        return mask if mask.any() else whole


def _package(kind: str) -> ModuleType:
    """The first package that has a network."""
    said = []
    for name in _PACKAGES:
        try:
            package = import_module(name)
        except (ImportError, RuntimeError) as error:  # the latter from torchvision of another torch
            said.append(str(error))
            continue
        if kind in package.sam_model_registry:
            return package
    wanted = "mobile_sam" if kind == "vit_t" else " or ".join(_PACKAGES)
    raise UsageError(f"--sam needs the package {wanted}: {'; '.join(said) or 'not here'}", _WHERE)
