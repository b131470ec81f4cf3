"""Work for an executor that takes some while other work is under way, and what comes of it."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from fakes import stream_info
from lanes import LateLanes
from made_weights import random_state

from rtvfi.core.frame import plane_views
from rtvfi.models.catalogue import MODELS
from rtvfi.models.linear.blend import Linear
from rtvfi.models.load import build_model, load_model
from rtvfi.models.weights.store import manifest, weight_name
from rtvfi.stream.plan.batch import Retimes
from rtvfi.stream.plan.planner import Copy, Mid, Retime
from rtvfi.stream.run.executors.executor import Overlapping
from rtvfi.stream.run.executors.overlapped import Overlapped
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.batch import Work
    from rtvfi.stream.run.executors.executor import Pending

    Payload = NDArray[np.uint8]

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ZERO, HALF = Fraction(0), Fraction(1, 2)
INFO = stream_info(66, 34)
NAMES = [(0, i) for i in range(6)]
A, B, C, D, E, F = NAMES


def film(info: StreamInfo) -> Pictures:
    """Six pictures of waves that move; their left third stands still."""
    payloads = {}
    for k, name in enumerate(NAMES):
        payloads[name] = np.zeros(info.payload_bytes, np.uint8)
        for plane in plane_views(payloads[name], info):
            y, x = np.ogrid[: plane.shape[0], : plane.shape[1]]
            moved = k * (x >= plane.shape[1] // 3)
            waves = np.sin((x + 2 * moved) / 5) * np.cos((y - moved) / 4)
            plane[:] = (0.5 + 0.4 * waves) * ((1 << info.format.bits) - 1)
    return Pictures(payloads)


def retimes(first: int, left: ImageId, right: ImageId, *ts: Fraction) -> Retimes:
    return Retimes(tuple(Retime(first + i, ZERO, left, right, t) for i, t in enumerate(ts)))


def between(index: int, left: int) -> Retimes:
    """The picture half way from picture ``left`` to the next."""
    return retimes(index, NAMES[left], NAMES[left + 1], HALF)


WORK: list[Work] = [
    retimes(0, A, B, Fraction(1, 4), HALF),
    Copy(2, ZERO, B),
    retimes(3, B, C, HALF),
    Mid((1, 0), B, C),
    Mid((1, 1), C, D),
    Copy(4, ZERO, (1, 0)),
    retimes(5, (1, 0), (1, 1), Fraction(1, 3)),
    Copy(6, ZERO, (1, 0)),
    retimes(7, D, E, Fraction(1, 8), Fraction(1, 4), HALF),
    retimes(10, E, F, HALF),
]


@lru_cache
def network(name: str) -> Any:
    if name == "linear":
        return Linear()
    if name == "cel":
        return load_model(name, CPU, torch.float32, 1.0)
    network = manifest()[weight_name(MODELS[name]) or ""].network
    return build_model(MODELS[name], random_state(network), CPU, torch.float32)


def overlapped(model: Any, lanes: Any = None, info: StreamInfo = INFO) -> Overlapped:
    return Overlapped(model, info, CPU, torch.float32, lanes or LateLanes())


def shown(executor: Any, info: StreamInfo = INFO, work: Sequence[Work] = WORK) -> dict[int, bytes]:
    """Everything, one piece of work always under way."""
    made: dict[int, bytes] = {}
    waiting: list[Pending] = []
    pictures = film(info)
    for piece in work:
        if not isinstance(executor, Overlapping):
            made |= {k: p.tobytes() for k, p in executor.run(piece, pictures).items()}
            continue
        waiting.append(executor.launch(piece, pictures))
        while len(waiting) > executor.depth:
            made |= {k: p.tobytes() for k, p in waiting.pop(0).finish().items()}
    for pending in waiting:
        made |= {k: p.tobytes() for k, p in pending.finish().items()}
    return made
