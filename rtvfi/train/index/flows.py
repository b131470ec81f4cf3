"""Optical flow for the index of real pictures: RAFT if its weights are installed, else DIS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import cv2
import torch

from rtvfi.models.catalogue import MODELS
from rtvfi.models.gimm.model import Gimm
from rtvfi.models.load import load_model
from rtvfi.models.weights.store import is_available
from rtvfi.train.index.septuplets import as_tensor

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.train.index.septuplets import Finder

WITH_RAFT: Final = ("gimm", "gimm-base")
"""Models whose weights contain RAFT, fine-tuned from the version that the authors use."""


def flow_finder(device: torch.device) -> tuple[str, Finder]:
    """A description of the flow method, and the function that computes flow."""
    found = next((name for name in WITH_RAFT if is_available(MODELS[name])), None)
    if found is None:
        return "OpenCV's DIS at full size", _dis()
    model = load_model(found, device, torch.float32)
    assert isinstance(model, Gimm)
    return f"RAFT from {found}", _raft(model, device)


def _dis() -> Finder:
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)

    def find(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
        first, second = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (a, b))
        flow = search.calc(first, second, None)  # type: ignore[call-overload]  # OpenCV
        return cast("NDArray[np.float32]", flow)

    return find


def _raft(model: Gimm, device: torch.device) -> Finder:
    def find(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = a.shape[:2]
        with torch.inference_mode():
            first, second = (model.prepare(as_tensor(x).to(device)) for x in (a, b))
            flow = model.flows(first, second)[0][0, :, :height, :width]
        found: NDArray[np.float32] = flow.permute(1, 2, 0).float().cpu().numpy()
        return found

    return find
