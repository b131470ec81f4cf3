"""Pictures that do not fit are refused before anything is made of them."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from rtvfi.core.errors import OutOfMemory
from rtvfi.models import memory
from rtvfi.models.gimm.memory import needed_bytes as of_gimm
from rtvfi.models.gmfss.model import needed_bytes as of_gmfss
from rtvfi.models.memory import MemoryCheck, Need, free_bytes

CPU = torch.device("cpu")
UHD = (2176, 3840)
GIMM = Need("GIMM-VFI", partial(of_gimm, dtype=torch.float32), (0.25, 0.5, 1.0))
GMFSS = Need("GMFSS", of_gmfss, (0.25, 0.5))


def there_are(monkeypatch: pytest.MonkeyPatch, gib: float) -> None:
    monkeypatch.setattr(memory, "free_bytes", lambda _device: int(gib * 2**30))


def refused(need: Need, size: tuple[int, int] = UHD) -> OutOfMemory:
    with pytest.raises(OutOfMemory) as caught:
        MemoryCheck(need, CPU).check(size, 1.0)
    return caught.value


def test_a_small_picture_needs_little_and_half_the_scale_less() -> None:
    assert of_gimm(128, 128, 1, torch.float32) < 600 << 20
    whole, half, quarter = (of_gimm(*UHD, s, torch.float16) for s in (1, 0.5, 0.25))
    assert quarter < half < whole
    assert half < 9.5e9
    assert of_gimm(*UHD, 1, torch.float16) < of_gimm(*UHD, 1, torch.float32)


@pytest.mark.parametrize(
    ("size", "scale", "measured_mib"), [((384, 640), 1, 896), ((768, 1280), 1, 1945)]
)
def test_what_gmfss_needs_is_bounded_and_not_by_far(
    size: tuple[int, int], scale: float, measured_mib: int
) -> None:
    assert 1 < of_gmfss(*size, scale) / (measured_mib << 20) < 1.3


def test_what_does_not_fit_is_refused_with_a_scale_that_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there_are(monkeypatch, 12)
    error = refused(GIMM)
    assert "GIMM-VFI needs up to" in error.message
    assert "pictures of 3840x2176 at scale 1" in error.message
    assert error.hint == "--scale 0.5 fits"
    MemoryCheck(GIMM, CPU).check(UHD, 0.5)


def test_where_no_scale_is_enough_a_size_that_fits_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there_are(monkeypatch, 8)
    assert refused(GMFSS).hint == "pictures of 2560x1440 would fit"
    there_are(monkeypatch, 0.1)
    assert refused(GMFSS).hint == "only smaller pictures would fit"


def test_where_nobody_tells_what_is_free_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: (0, 0))
    assert free_bytes(CPU) is None
    MemoryCheck(GIMM, CPU).check(UHD, 1.0)


def test_each_size_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    there_are(monkeypatch, 64)
    check = MemoryCheck(GIMM, CPU)
    check.check(UHD, 1.0)
    there_are(monkeypatch, 0.1)  # taken by what it was asked for
    check.check(UHD, 1.0)
    with pytest.raises(OutOfMemory):
        check.check(UHD, 2.0)
