from __future__ import annotations

import pytest
import torch
from gimm_made import FLOAT, INFO, state

from rtvfi.core.errors import OutOfMemory
from rtvfi.models.gimm import memory
from rtvfi.models.gimm.memory import check_memory, free_bytes, needed_bytes
from rtvfi.models.gimm.model import FLOW_SCALES, Gimm

CPU = torch.device("cpu")
UHD = (2176, 3840)


def test_a_small_picture_needs_little_and_half_the_scale_less() -> None:
    assert needed_bytes(128, 128, 1, torch.float32) < 600 << 20
    whole, half, quarter = (needed_bytes(*UHD, s, torch.float16) for s in (1, 0.5, 0.25))
    assert quarter < half < whole
    assert half < 9.5e9
    assert needed_bytes(*UHD, 1, torch.float16) < needed_bytes(*UHD, 1, torch.float32)


def test_what_does_not_fit_is_refused_with_a_scale_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _device: 12 << 30)
    with pytest.raises(OutOfMemory, match="pictures of 3840x2176 at scale 1") as caught:
        check_memory(UHD, 1.0, (CPU, torch.float32), FLOW_SCALES)
    assert caught.value.hint == "--scale 0.5 fits"
    check_memory(UHD, 0.5, (CPU, torch.float32), FLOW_SCALES)
    monkeypatch.setattr(memory, "free_bytes", lambda _device: 1 << 30)
    with pytest.raises(OutOfMemory) as caught:
        check_memory(UHD, 1.0, (CPU, torch.float32), FLOW_SCALES)
    assert caught.value.hint == "only smaller pictures would fit"


def test_where_nobody_tells_what_is_free_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: (0, 0))
    assert free_bytes(CPU) is None
    check_memory(UHD, 1.0, (CPU, torch.float32), FLOW_SCALES)


def test_the_network_asks_once_for_each_size(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        "rtvfi.models.gimm.model.check_memory", lambda size, *_rest: asked.append(size)
    )
    net = Gimm(state(), INFO, FLOAT)
    for size in ((128, 128), (128, 128), (160, 128)):
        net._check_memory(*size)
    net.at_scale(0.5)._check_memory(160, 128)
    assert asked == [(128, 128), (160, 128), (160, 128)]
