"""Turns a box around an object into a mask with Segment Anything, if the user has installed it.

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
from rtvfi.studio.cut_out import filled, inside

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import ModuleType

    from numpy.typing import NDArray

_KINDS: Final = {"vit_h": "vit_h", "vit_l": "vit_l", "vit_b": "vit_b", "mobile_sam": "vit_t"}
"""Part of a file's name -> the network, both as named by the authors."""
_PACKAGES: Final = ("segment_anything", "mobile_sam")
_WHERE: Final = "docs/studio.md says where to get package and weights"


class SegmentAnything:
    """Finds the object in a box; callable with the same arguments as ``cut_out``.

    Args:
        checkpoint: published weights, with their original file name.
        device: where to compute, a value of ``--device``.

    Raises:
        UsageError: the file does not exist, or no suitable package is installed.
        WeightsMismatch: the weights belong to another network.
    """

    def __init__(self, checkpoint: Path, device: str) -> None:
        kind = next((_KINDS[part] for part in _KINDS if part in checkpoint.name), None)
        if kind is None:
            names = ", ".join(_KINDS)
            raise UsageError(f'--sam: "{checkpoint.name}" contains none of {names}', _WHERE)
        if not checkpoint.is_file():
            raise UsageError(f'--sam: "{checkpoint}" does not exist', _WHERE)
        package = _package(kind)
        net = package.sam_model_registry[kind]()
        try:
            net.load_state_dict(read_tensors(checkpoint))
        except RuntimeError as error:
            raise WeightsMismatch(
                f'--sam: "{checkpoint}" does not have the weights of {kind}', _WHERE
            ) from error
        net.to(offline(device).device).eval()
        self._predictor = package.SamPredictor(net)
        self._lock = threading.Lock()
        self._seen: NDArray[np.uint8] | None = None

    def __call__(self, rgb: NDArray[np.uint8], box: Sequence[float]) -> NDArray[np.bool_]:
        """The mask of the object inside a box, found by the network; otherwise as ``cut_out``.

        Raises:
            UsageError: the box is outside the picture.
        """
        height, width = rgb.shape[:2]
        corners = inside((height, width), box)
        whole = filled((height, width), box)
        with self._lock:  # a predictor works on one picture at a time
            if self._seen is None or not np.array_equal(self._seen, rgb):
                self._seen = None
                self._predictor.set_image(rgb)  # takes seconds; further boxes are fast
                self._seen = rgb
            masks, *_ = self._predictor.predict(box=np.array(corners), multimask_output=False)
        mask: NDArray[np.bool_] = masks[0].astype(bool) & whole
        return mask if mask.any() else whole


def _package(kind: str) -> ModuleType:
    """The first installed package that has the network ``kind``."""
    errors = []
    for name in _PACKAGES:
        try:
            package = import_module(name)
        except (ImportError, RuntimeError) as error:  # the latter from torchvision of another torch
            errors.append(str(error))
            continue
        if kind in package.sam_model_registry:
            return package
    wanted = "mobile_sam" if kind == "vit_t" else " or ".join(_PACKAGES)
    reason = "; ".join(errors) or "it is not installed"
    raise UsageError(f"--sam needs the package {wanted}: {reason}", _WHERE)
