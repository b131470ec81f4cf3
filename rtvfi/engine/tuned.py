"""Times the ways of running convolutions on this card, with the model and size to be played."""

from __future__ import annotations

import logging
import statistics
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import ModelError, OutOfMemory, first_line
from rtvfi.core.hardware.kernels import Kernels, best, keep_kernels
from rtvfi.stream.plan.batch import Retimes
from rtvfi.stream.plan.planner import Retime
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rtvfi.core.frame import StreamInfo
    from rtvfi.engine.build import Viewing
    from rtvfi.engine.model_host import ModelHost
    from rtvfi.stream.run.executors.base import AnyExecutor

log = logging.getLogger(__name__)

_CALLS: Final = 5


def choose_kernels(
    host: ModelHost,
    model_id: str,
    viewing: Viewing,
    time_call: Callable[[AnyExecutor, StreamInfo], float] | None = None,
) -> Mapping[Kernels, float]:
    """Time every way, store the best one for the next start, and make the host use it.

    Args:
        host: loads the model on its device.
        model_id: the model to be played.
        viewing: a stream of the size to be played.
        time_call: returns the milliseconds of a call; replaced in tests.

    Returns:
        Milliseconds of a call for each way; empty on a processor, which has only one.
    """
    ways = host.ways(model_id)
    ms: dict[Kernels, float] = {}
    for way in ways:
        host.use_kernels(way)
        try:
            executor = host.executor(model_id, viewing)
            ms[way] = (time_call or call_ms)(executor, viewing.info)
        except (ModelError, OutOfMemory) as error:  # MIOpen may fail in one way only
            log.info("%s %s: %s", model_id, way.description(host.library), first_line(error))
            continue
        log.info("%s %s: %.1f ms a call", model_id, way.description(host.library), ms[way])
    if not ms:
        host.use_kernels(None)
        return ms
    chosen = best(ms, ways[0])
    host.use_kernels(chosen)
    size = viewing.info.width, viewing.info.height
    try:
        keep_kernels(host.device_name, model_id, size, chosen)
    except OSError as error:
        log.warning("the measurements cannot be stored: %s", first_line(error))
    return ms


def call_ms(executor: AnyExecutor, info: StreamInfo) -> float:
    """Median milliseconds of a call for one picture between two new ones, after a warm-up call."""
    import numpy as np

    times = []
    for number in range(_CALLS + 1):
        names = [(0, 2 * number), (0, 2 * number + 1)]
        grey = {
            name: np.full(info.payload_bytes, 0x10 + k, np.uint8) for k, name in enumerate(names)
        }
        work = Retimes((Retime(0, Fraction(0), names[0], names[1], Fraction(1, 2)),))
        executor.keep(set(names))
        begin = time.perf_counter()
        executor.run(work, Pictures(grey))  # returns when the picture is on the host
        times.append(1000 * (time.perf_counter() - begin))
    executor.reset()
    executor.take_times()
    return statistics.median(times[1:])
