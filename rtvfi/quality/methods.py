"""The methods to compare: models as rtvfi runs them, ffmpeg's minterpolate, and MVTools
(``mvtools``, ``mvtools-flow``, ``mvtools-fast``).

A model is named by its id or its weight file, optionally with ``@SCALE`` for the flow scale:
``cel``, ``cel@0.5``, ``RUN/weights.safetensors@0.5``.
"""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import torch

from rtvfi.core.errors import UsageError
from rtvfi.core.ffmpeg import find_ffmpeg
from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, StreamInfo
from rtvfi.models.catalogue import find
from rtvfi.models.dis.family import DisOnTensors
from rtvfi.models.dis.model import Dis
from rtvfi.models.load import build_model, load_model
from rtvfi.models.weights.file import identify, read_tensors
from rtvfi.models.weights.store import find_weights, manifest, sha256_of
from rtvfi.quality import minterpolate, mvtools
from rtvfi.quality.triplets import Picture
from rtvfi.stream.plan.batch import Retimes
from rtvfi.stream.plan.planner import Retime
from rtvfi.stream.run.executors.codes import CodesInterpolation
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId
    from rtvfi.models.base import Interpolator
    from rtvfi.quality.triplets import Triplet
    from rtvfi.stream.run.executors.base import AnyExecutor

MINTERPOLATE: Final = "minterpolate"
REPEATS: Final = 3
"""How often a cost is measured; the minimum is reported."""
FLOW_SCALES: Final = ("0.25", "0.5", "1", "2", "4")
"""The flow scales that models accept; ``cel`` only those up to 1."""
WEIGHT_FILES: Final = (".safetensors", ".pkl", ".pth", ".pt")


class Method(Protocol):
    """A way to interpolate."""

    name: str
    origin: str
    """Hash of the weights or version of the program, so that results can be compared later."""

    def between(self, left: Picture, right: Picture) -> Picture:
        """Compute the picture half way between two."""
        ...

    def cost(self, triplet: Triplet) -> tuple[float, float]:
        """Wall and CPU seconds of one picture in the middle of a film."""
        ...


def picture_info(height: int, width: int) -> StreamInfo:
    """The properties of a stream of ``Picture``s: 4:2:0, full range, BT.709."""
    return StreamInfo(
        width=width,
        height=height,
        format=PIXEL_FORMATS["yuv420p"],
        color=ColorInfo(matrix=1, full_range=True),
        source_rate=Fraction(24),
        start=Fraction(0),
        duration=None,
        pixel_aspect=Fraction(1),
    )


def payload_of(picture: Picture) -> NDArray[np.uint8]:
    """The picture as a payload, the executor's input."""
    return np.concatenate([picture.y.ravel(), picture.uv.ravel()])


class ModelMethod:
    """A model in the executor that also plays films, including colour conversion and the copying
    of tiles that are equal in both pictures.
    """

    def __init__(
        self,
        name: str,
        model: Interpolator,
        device: torch.device,
        dtype: torch.dtype,
        weights: Path | None = None,
    ) -> None:
        self.name = name
        self._dtype = dtype
        self.origin = f"weights {sha256_of(weights)[:12]}" if weights is not None else ""
        self.model = model
        self._device = device
        self._executor: AnyExecutor | None = None
        self._shape: tuple[int, ...] = ()

    def between(self, left: Picture, right: Picture) -> Picture:
        """Compute the picture half way between two."""
        executor = self.executor(left.y.shape)
        executor.reset()
        return self._made(executor, {(0, 0): payload_of(left), (0, 1): payload_of(right)}, left)

    def cost(self, triplet: Triplet) -> tuple[float, float]:
        """Wall and CPU seconds of one picture. The left picture is prepared already, as in a film;
        the right one is new.
        """
        executor = self.executor(triplet.left.y.shape)
        executor.reset()
        pictures = {(0, 0): payload_of(triplet.left), (0, 1): payload_of(triplet.right)}
        self._made(executor, pictures, triplet.left)
        walls, cpus = [], []
        for _ in range(REPEATS):
            executor.keep({(0, 0)})
            wall, cpu = time.perf_counter(), time.process_time()
            self._made(executor, pictures, triplet.left)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        return min(walls), min(cpus)

    def executor(self, shape: tuple[int, ...]) -> AnyExecutor:
        """The executor for pictures of (H, W), which is cached until the size changes."""
        if self._executor is None or self._shape != shape:
            self._executor = self._executor_for(picture_info(*shape))
            self._shape = shape
        return self._executor

    def _executor_for(self, info: StreamInfo) -> AnyExecutor:
        if isinstance(self.model, DisOnTensors):
            # on one thread, so that its times can be compared with those of other methods
            return CodesInterpolation(Dis(self.model.flow_scale, info.format.bits), info)
        return Interpolation(self.model, info, self._device, self._dtype)

    def _made(
        self,
        executor: AnyExecutor,
        payloads: dict[ImageId, NDArray[np.uint8]],
        like: Picture,
    ) -> Picture:
        half_way = Retime(0, Fraction(0), (0, 0), (0, 1), Fraction(1, 2))
        payload = executor.run(Retimes((half_way,)), Pictures(payloads))[0]
        height, width = like.y.shape
        return Picture.from_bytes(payload.tobytes(), width, height)


class Minterpolate:
    """ffmpeg's filter minterpolate, which gets each input frame three times."""

    name = MINTERPOLATE

    def __init__(self) -> None:
        self.origin = minterpolate.version()

    def between(self, left: Picture, right: Picture) -> Picture:
        """Compute the picture half way between two."""
        return minterpolate.middle(left, right)

    def cost(self, triplet: Triplet) -> tuple[float, float]:
        """Wall and CPU seconds of one picture, the mean over twelve."""
        return minterpolate.cost([triplet.left, triplet.middle, triplet.right] * 4)


def method_of(word: str, device: torch.device, dtype: torch.dtype = torch.float32) -> Method:
    """Load the method with a name.

    Args:
        word: a name as in ``--models``.
        device: where a model runs.
        dtype: float type of a model's pictures.

    Raises:
        UsageError: there is no such model, file or flow scale, or a program is not installed.
        ModelError: the weights are missing or damaged.
    """
    if word == MINTERPOLATE:
        if find_ffmpeg() is None:
            raise UsageError("minterpolate needs ffmpeg, which is not installed", "install ffmpeg")
        return Minterpolate()
    if word in mvtools.MODES:
        return mvtools.MvTools(word)
    name, mark, scale = word.partition("@")
    if mark and scale not in FLOW_SCALES:
        raise UsageError(
            f'"{word}" has the flow scale "{scale}", expected one of {", ".join(FLOW_SCALES)}',
            f"{name}@0.5",
        )
    flow_scale = float(scale or 1)
    if Path(name).suffix in WEIGHT_FILES:
        model = _from_file(Path(name), device, dtype, flow_scale)
        return ModelMethod(word, model, device, dtype, Path(name))
    model = load_model(name, device, dtype, flow_scale)
    return ModelMethod(word, model, device, dtype, find_weights(name))


def _from_file(
    path: Path, device: torch.device, dtype: torch.dtype, flow_scale: float
) -> Interpolator:
    if not path.is_file():
        raise UsageError(f'"{path}" does not exist', "expected a weight file")
    state = read_tensors(path)
    found = identify(state)
    names = [e.name for e in manifest().values() if e.network == found.network]
    info = find(names[0] if names else found.network)  # an embedded network is named as its model
    return build_model(info, found.state, device, dtype, flow_scale)
