"""RIFE 4.25 and DRBA with the published weights: on real pictures, on drawn ones, and end to end.

They run where the file is in the user's store ("rtvfi weights get rife-4.25"; .ci/run does that).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from rtvfi.cli.main import main
from rtvfi.models.catalogue import MODELS
from rtvfi.models.load import build_model
from rtvfi.models.weights.store import Store
from rtvfi.quality.drawn import scene_set
from rtvfi.quality.measure import finite_psnr
from rtvfi.quality.methods import Method, ModelMethod, method_of
from rtvfi.quality.triplets import Triplet, read_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

pytestmark = pytest.mark.weights

NAME = "rife-4.25"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    if not Store().has(NAME):
        pytest.skip(f"the weights of {NAME} are not here (rtvfi weights get {NAME})")
    return load_file(Store().path(NAME))


@pytest.fixture(scope="module")
def triplets(shared: Path) -> list[Triplet]:
    return read_list(shared / "clips/triplets/triplets.csv")


def method(state: dict[str, torch.Tensor]) -> ModelMethod:
    return ModelMethod(
        NAME, build_model(MODELS[NAME], state, CPU, torch.float32), CPU, torch.float32
    )


def psnr_of(method: Method, rows: list[Triplet]) -> float:
    made = [method.between(row.left, row.right).y for row in rows]
    return float(np.mean([finite_psnr(m, row.middle.y) for m, row in zip(made, rows, strict=True)]))


@pytest.mark.parametrize(
    ("name", "floor"), [("sintel_demo", 27.8), ("dwanko_hold", 33.0), ("bbb60", 27.8)]
)
def test_real_films_are_guessed_as_well_as_measured(
    name: str, floor: float, state: dict[str, torch.Tensor], triplets: list[Triplet]
) -> None:
    rows = [row for row in triplets if row.set_name == name]
    assert rows
    assert psnr_of(method(state), rows) > floor


def test_drawn_scenes_are_guessed_better_than_by_the_embedded_model(
    state: dict[str, torch.Tensor],
) -> None:
    rows = list(scene_set(2, 1).read())
    ours = psnr_of(method(state), rows)
    assert ours > 40
    assert ours > psnr_of(method_of("cel", CPU), rows) + 3


def test_just_after_a_picture_things_have_moved_on(state: dict[str, torch.Tensor]) -> None:
    net: Any = build_model(MODELS[NAME], state, CPU, torch.float32)
    ends = [torch.from_numpy(drawing(at)).float()[None, None] / 255 for at in (60, 84)]
    with torch.inference_mode():
        left, right = (net.prepare(end.expand(1, 3, -1, -1)) for end in ends)
        made = net.pair(left, right, [0.05, 0.1, 0.9])
    x = [ball_in((255 * picture[0]).numpy())[0] for picture in made]
    assert x == pytest.approx([61.2, 62.4, 81.6], abs=0.5)


@pytest.mark.parametrize(("dtype", "floor"), [(torch.float16, 75.0), (torch.bfloat16, 54.0)])
def test_half_precision_makes_the_same_pictures(
    dtype: torch.dtype, floor: float, state: dict[str, torch.Tensor], triplets: list[Triplet]
) -> None:
    row = next(row for row in triplets if row.set_name == "dwanko_hold")
    ends = [crop(picture.y) for picture in (row.left, row.right)]
    made = []
    for kind in (torch.float32, dtype):
        net: Any = build_model(MODELS[NAME], state, CPU, kind)
        with torch.inference_mode():
            pair = [net.prepare(end.to(kind)) for end in ends]
            made.append(net.pair(*pair, [0.5]).float())
    assert float(-10 * torch.log10((made[0] - made[1]).square().mean())) > floor


def crop(luma: NDArray[np.uint8], side: int = 192) -> torch.Tensor:
    """The middle of a picture, grey, (1, 3, side, side)."""
    top, left = (luma.shape[0] - side) // 2, (luma.shape[1] - side) // 2
    part = torch.from_numpy(luma[top : top + side, left : left + side].copy()).float() / 255
    return part.expand(1, 3, side, side)


# --- end to end: a ball drawn on twos, rolling over a still ground -----------------------------

SIZE = 192
RADIUS = 20
STEP = 12
"""Pixels from one drawing to the next."""
HOLD = 2
NUM_DRAWINGS = 7
RATE = 24


def drawing(at: int) -> NDArray[np.uint8]:
    """The ball at column ``at``; far brighter than the ground."""
    rng = np.random.default_rng(5)
    picture = np.kron(rng.integers(60, 110, (12, 12)), np.ones((16, 16))).astype(np.uint8)
    painted = np.kron(rng.integers(190, 250, (12, 12)), np.ones((4, 4))).astype(np.uint8)
    y, x = np.mgrid[:SIZE, :SIZE]
    ball = (x - at) ** 2 + (y - 96) ** 2 < RADIUS**2
    picture[ball] = painted[(y[ball] - 96) + 24, x[ball] - at + 24]
    return picture


@pytest.fixture
def rolling(tmp_path: Path) -> Path:
    """A lossless film of it."""
    path = tmp_path / "rolling.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", RATE)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(NUM_DRAWINGS * HOLD):
            picture = drawing(48 + STEP * (number // HOLD))
            rgb = np.repeat(picture[..., None], 3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def rendered(rolling: Path, tmp_path: Path, state: object) -> Callable[..., NDArray[np.float64]]:
    """Renders the film at 60 frames a second: of each frame the ball's x and share of its area."""
    del state  # only whether it is there

    def render(*words: str) -> NDArray[np.float64]:
        out = tmp_path / "out.mkv"
        command = ["render", str(rolling), "-o", str(out), "--device", "cpu", "--fps", "60"]
        assert main([*command, "--encoder", "ffv1", "--force", *words]) == 0
        with av.open(str(out)) as container:
            frames = [
                np.asarray(f.to_ndarray(format="gray"), np.uint8) for f in container.decode(video=0)
            ]
        return np.array([ball_in(frame) for frame in frames])

    return render


def ball_in(frame: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the ball is, and its area against the true one; it is far brighter than the ground."""
    _, columns = np.nonzero(frame > 160)
    return float(columns.mean()), len(columns) / (np.pi * RADIUS**2)


def test_passes_make_drawings_on_twos_move_evenly(
    rendered: Callable[..., NDArray[np.float64]],
) -> None:
    x, area = rendered("--model", NAME, "--style", "smooth", "--passes", "1").T
    inner = slice(8, -10)
    steps = np.diff(x)[inner]
    assert steps.mean() == pytest.approx(STEP / HOLD * RATE / 60, rel=0.05)
    assert steps.std() < 0.3 * steps.mean()
    assert np.all(abs(area[inner] - 1) < 0.1), "one ball, neither doubled nor torn"


def test_drba_keeps_the_rhythm_and_makes_whole_drawings(
    rendered: Callable[..., NDArray[np.float64]],
) -> None:
    x, area = rendered("--style", "rhythm").T  # the model is chosen
    assert np.all(np.diff(x) > -0.5), "it never rolls back"
    assert x[-1] - x[0] == pytest.approx(STEP * (NUM_DRAWINGS - 1), abs=1)
    assert np.all(abs(area - 1) < 0.2), "one ball, neither doubled nor torn"
