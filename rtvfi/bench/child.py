"""Runs measurements in a child process: ``python -m rtvfi.bench.child REQUEST``.

The child stops starting jobs when its time is up; the parent kills it if a job takes longer.
"""

from __future__ import annotations

import json
import logging
import resource
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.bench.jobs import CORE_TARGETS, TARGETS, Job, Measured, is_hopeless
from rtvfi.bench.pictures import film, film_info, viewing_of
from rtvfi.core.errors import RtvfiError, first_line
from rtvfi.core.frame import END
from rtvfi.core.hardware.kernels import kept_kernels
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.core.python_process import speaker
from rtvfi.engine.model_host import ModelHost
from rtvfi.engine.tuned import choose_kernels
from rtvfi.stream.plan.batch import Retimes, Retimes3
from rtvfi.stream.plan.planner import Retime, Retime3
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from av.container import OutputContainer
    from numpy.typing import NDArray

    from rtvfi.core.files import Json
    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.decode.container import Packet
    from rtvfi.stream.plan.batch import Work
    from rtvfi.stream.run.executors.base import AnyExecutor

_FRAMES: Final = 6
"""Number of different pictures, which a measurement repeats in a loop."""
_MOST_CALLS: Final = 15
_CLIP_FRAMES: Final = 96
_LOST: Final = 1.5
"""Seconds of computing per second of film above which higher target rates are not measured."""


def main(request: str) -> None:
    """Run jobs until all are finished or time is up.

    Args:
        request: JSON with ``jobs``, ``device``, ``call_seconds`` (time for one measured number)
            and ``seconds`` (time for everything).
    """
    logging.getLogger("rtvfi").setLevel(logging.ERROR)
    asked = json.loads(request)
    say = speaker()
    deadline = time.monotonic() + asked["seconds"]
    done: list[Measured] = []
    for number, row in enumerate(asked["jobs"]):
        if time.monotonic() > deadline:
            break
        say({"begun": number})
        measured = Measured(job=Job.of(row))
        try:
            _carry_out(measured, done, asked, deadline)
        except (RtvfiError, MemoryError) as error:
            measured.why_not = str(error) or "out of memory"
        except RuntimeError as error:
            measured.why_not = first_line(error)
        done.append(measured)
        say({"done": number, "found": measured.found})


def _carry_out(measured: Measured, done: list[Measured], asked: Json, deadline: float) -> None:
    seconds = asked["call_seconds"]
    if measured.job.kind == "media":
        measure_media(measured, seconds, deadline)
    elif is_hopeless(measured.job, done):
        measured.why_not = "already far too slow at a smaller flow scale"
    else:
        measure_model(measured, asked["device"], seconds, deadline)


# --- a model ---------------------------------------------------------------------------------


def measure_model(measured: Measured, device: str, seconds: float, deadline: float) -> None:
    """Time the work of playback for each pair of frames: upload, network, download.

    Args:
        measured: gets the results.
        device: a value of ``--device``.
        seconds: time for each target rate.
        deadline: value of ``time.monotonic`` at which to stop.
    """
    job = measured.job
    info = film_info(job.size)
    options = StreamOptions(flow_scale=job.flow_scale, form=job.form)
    host = ModelHost(device, options, is_live=True, num_threads=job.threads)
    if kept_kernels(device, job.model, (info.width, info.height)) is None:
        choose_kernels(host, job.model, viewing_of(info, Fraction(max(TARGETS))))
    _forget_peak()
    executor = host.executor(job.model, viewing_of(info, Fraction(max(TARGETS))))
    steps = _Steps(executor, film(info, _FRAMES))
    for target, num_new in TARGETS.items():
        if job.threads and target not in CORE_TARGETS:
            continue
        if (share := measured.share(48)) is not None and share > _LOST:
            break  # too slow already; higher rates would only be slower
        wall, cpu, waited = _median(partial(steps.step, num_new), seconds, deadline)
        measured.ms[num_new], measured.cpu_ms[num_new] = round(wall, 3), round(cpu, 3)
        measured.waited_ms[num_new] = round(waited, 3)
    measured.memory_bytes = _peak(host)


class _Steps:
    """Plays through a film frame by frame, computing new pictures between each two frames."""

    def __init__(self, executor: AnyExecutor, frames: Sequence[NDArray[np.uint8]]) -> None:
        self._executor = executor
        self._frames = frames
        self._number = 0

    def step(self, num_new: int) -> None:
        """Advance by one film frame, computing ``num_new`` pictures."""
        around = range(self._number, self._number + self._executor.num_frames)
        names = [(0, k) for k in around]
        pictures = Pictures({name: self._frames[name[1] % len(self._frames)] for name in names})
        ts = [Fraction(k + 1, num_new + 1) for k in range(num_new)]
        work: Work
        if len(names) == 3:
            a, b, c = names
            half = Fraction(1, 2)
            work = Retimes3(tuple(Retime3(k, t, a, b, c, t + half) for k, t in enumerate(ts)))
        else:
            a, b = names
            work = Retimes(tuple(Retime(k, t, a, b, t) for k, t in enumerate(ts)))
        self._executor.keep(set(names))
        self._executor.run(work, pictures)
        self._number += 1


def _median(run: Callable[[], None], seconds: float, deadline: float) -> tuple[float, ...]:
    """Median times of a call in milliseconds, after one call for warming up.

    Returns:
        Elapsed time without waiting for a core, CPU time of all cores, time spent waiting for a
        core.
    """
    run()
    rows: list[tuple[float, ...]] = []
    end = min(time.monotonic() + seconds, deadline)
    while len(rows) < _MOST_CALLS and (not rows or time.monotonic() < end):
        began, cpu_before, waited_before = time.perf_counter(), time.process_time(), _waited()
        run()
        # Read before the end time, so that the difference below cannot be negative.
        waited = _waited() - waited_before
        cpu, wall = time.process_time() - cpu_before, time.perf_counter() - began
        rows.append((1000 * (wall - waited), 1000 * cpu, 1000 * waited))
    return tuple(map(statistics.median, zip(*rows, strict=True)))


def _waited() -> float:
    """Seconds that this thread has waited for a core so far; 0 if the system does not report it."""
    try:
        text = Path("/proc/thread-self/schedstat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    return int(text.split()[1]) / 1e9


def _forget_peak() -> None:
    """Reset the peak memory use of the process, if the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak(host: ModelHost) -> int:
    """Peak memory use in bytes: of the GPU if the model runs on one, else of this process."""
    if host.device is not None and host.device.type == "cuda":
        import torch

        peak = torch.cuda.max_memory_allocated(host.device)
        torch.cuda.reset_peak_memory_stats(host.device)
        return peak
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


# --- decoding and encoding -------------------------------------------------------------------


def measure_media(measured: Measured, seconds: float, deadline: float) -> None:
    """Time encoding a clip as for a recording, then decoding it as for playback.

    Args:
        measured: gets the results.
        seconds: time for each of the two.
        deadline: value of ``time.monotonic`` at which to stop.
    """
    info = film_info(measured.job.size)
    with tempfile.TemporaryDirectory(prefix="rtvfi-bench-") as folder:
        clip = Path(folder) / "clip.mkv"
        end = min(time.monotonic() + seconds, deadline)
        measured.encode_rate, measured.encoder = _encode(clip, info, end)
        end = min(time.monotonic() + seconds, deadline)
        measured.decode_rate, measured.decoder = _decode(clip, end)


def _encode(clip: Path, info: StreamInfo, end: float) -> tuple[float, str]:
    import av

    from rtvfi.stream.write.encoders.encode import open_encoder

    frames = film(info, 24)
    there_and_back = [*frames, *frames[-2:0:-1]]
    with av.open(str(clip), "w", format="matroska") as container:
        encoder = open_encoder(container, info, info.source_rate, EncodeOptions(is_live=True))
        try:
            start = time.perf_counter()
            count = 0
            while count < _CLIP_FRAMES and (count < 12 or time.monotonic() < end):
                payload = there_and_back[count % len(there_and_back)]
                _mux(container, encoder.encode(payload, count), info)
                count += 1
            _mux(container, list(encoder.flush()), info)
            taken = time.perf_counter() - start
        finally:
            encoder.close()
        return round(count / taken, 1), encoder.name


def _mux(container: OutputContainer, packets: list[Packet], info: StreamInfo) -> None:
    for packet in packets:
        packet.time_base = 1 / info.source_rate
        container.mux(packet)


def _decode(clip: Path, end: float) -> tuple[float, str]:
    from rtvfi.stream.decode.source import open_source

    source = open_source(str(clip), SourceOptions())
    try:
        start = time.perf_counter()
        count = 0
        while source.read() is not END:
            count += 1
            if time.monotonic() > end:
                break
        taken = time.perf_counter() - start
        return round(count / taken, 1), source.info.decoder
    finally:
        source.close()


if __name__ == "__main__":
    main(sys.argv[1])
