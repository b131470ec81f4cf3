"""The executor without torch: what ``test_interpolate`` asks of the other, on payloads."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from fakes import raising, stream_info
from held import held

from rtvfi.core.frame import plane_views
from rtvfi.models.dis.model import Dis
from rtvfi.stream.plan.batch import Retimes, Retimes3
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Copy, Mid, Retime, Retime3
from rtvfi.stream.run.executors.codes import CodesInterpolation
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId

A, B, C, M = (0, 0), (0, 1), (0, 2), (1, 0)
HALF, ZERO = Fraction(1, 2), Fraction(0)
INFO = stream_info()


def grey(level: int) -> NDArray[np.uint8]:
    payload = np.full(INFO.payload_bytes, 128, np.uint8)
    payload[: INFO.width * INFO.height] = level
    return payload


SOURCES = Pictures({A: grey(40), B: grey(80), C: grey(200)})


class Counted(Dis):
    """It writes down what it is asked."""

    def __init__(self) -> None:
        super().__init__(0.25, 8)
        self.num_prepared = self.num_motions = 0

    def prepare(self, planes):  # type: ignore[no-untyped-def]
        self.num_prepared += 1
        return super().prepare(planes)

    def motion(self, a, b):  # type: ignore[no-untyped-def]
        self.num_motions += 1
        return super().motion(a, b)


def executor(model: Dis | None = None) -> CodesInterpolation:
    return CodesInterpolation(model or Dis(0.25, 8), INFO)


def luma(payload: NDArray[np.uint8]) -> int:
    plane = plane_views(payload, INFO)[0]
    assert plane.min() == plane.max()
    return int(plane[0, 0])


def retimes(*ts: Fraction, left: ImageId = A, right: ImageId = B) -> Retimes:
    return Retimes(tuple(Retime(10 + k, ZERO, left, right, t) for k, t in enumerate(ts)))


def test_every_timestep_of_a_pair_has_its_payload() -> None:
    made = executor().run(retimes(Fraction(1, 4), HALF, Fraction(3, 4)), SOURCES)
    assert {index: luma(payload) for index, payload in made.items()} == {10: 50, 11: 60, 12: 70}


def test_motion_is_found_once_a_pair_and_pictures_prepared_once() -> None:
    model = Counted()
    work = executor(model)
    for t in (Fraction(1, 3), HALF):
        work.run(retimes(t), SOURCES)
    work.run(retimes(HALF, left=B, right=C), SOURCES)
    assert (model.num_motions, model.num_prepared) == (2, 3)
    work.keep({C})
    assert held(work) == 1
    work.reset()
    assert held(work) == 0


def test_passes_are_pictures_that_can_be_shown_and_retimed() -> None:
    work = executor()
    assert work.run(Mid(M, A, B), SOURCES) == {}
    shown = work.run(Copy(3, ZERO, M), SOURCES)
    assert luma(shown[3]) == 60
    made = work.run(retimes(HALF, left=M, right=C), SOURCES)
    assert luma(made[10]) == 130


def test_tiles_in_which_the_sources_agree_are_theirs() -> None:
    generator = np.random.default_rng(1)
    left = generator.integers(0, 256, INFO.payload_bytes, dtype=np.uint8)
    right = left.copy()
    for plane in plane_views(right, INFO):
        plane[:, plane.shape[1] // 2 :] = 255 - plane[:, plane.shape[1] // 2 :]
    made = executor().run(retimes(HALF), Pictures({A: left, B: right}))[10]
    for plane, same in zip(plane_views(made, INFO), plane_views(left, INFO), strict=True):
        quarter = plane.shape[1] // 4
        np.testing.assert_array_equal(plane[:, :quarter], same[:, :quarter])


def test_a_variant_is_another_flow_scale_and_pictures_stay() -> None:
    work = executor(Dis(0.5, 8))
    half = Variant(0.5)
    work.offer(half, work.model.at_scale(0.25))
    assert work.variants == {half}
    work.run(Mid(M, A, B), SOURCES)
    work.choose(half)
    assert work.model.flow_scale == 0.25
    assert luma(work.run(Copy(3, ZERO, M), SOURCES)[3]) == 60
    work.choose(FULL)
    assert work.model.flow_scale == 0.5


def test_three_frames_are_refused() -> None:
    with pytest.raises(TypeError, match="dis works on two frames"):
        executor().run(Retimes3((Retime3(1, ZERO, A, B, C, Fraction(1)),)), SOURCES)


def test_what_opencv_refuses_is_an_error_the_pipeline_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = executor()
    monkeypatch.setattr(work.model, "between", raising(cv2.error("refused")))
    with pytest.raises(RuntimeError, match="refused"):
        work.run(retimes(HALF), SOURCES)


def test_the_way_from_an_id_to_pictures_imports_no_torch() -> None:
    program = (
        "import sys\n"
        "from fractions import Fraction\n"
        "import numpy as np\n"
        "from rtvfi.bench.pictures import film, film_info, viewing_of\n"
        "from rtvfi.bench.jobs import Size\n"
        "from rtvfi.core.options import StreamOptions\n"
        "from rtvfi.engine.model_host import ModelHost\n"
        "from rtvfi.stream.plan.batch import Retimes\n"
        "from rtvfi.stream.plan.planner import Retime\n"
        "from rtvfi.stream.run.executors.pictures import Pictures\n"
        "info = film_info(Size(64, 48))\n"
        "viewing = viewing_of(info, Fraction(60))\n"
        "host = ModelHost('auto', StreamOptions())\n"
        "work = host.executor('dis', viewing)\n"
        "host.add_variants(work, 'dis', viewing)\n"
        "a, b = film(info, 2)\n"
        "half = Retimes((Retime(0, Fraction(0), (0, 0), (0, 1), Fraction(1, 2)),))\n"
        "made = work.run(half, Pictures({(0, 0): a, (0, 1): b}))\n"
        "assert made[0].size == info.payload_bytes and len(work.variants) == 2\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)\n"
    )
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
