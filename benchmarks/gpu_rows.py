"""The rows of ``benchmarks.gpu``, group by group; each is a generator of JSON rows."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.models import random_state
from rtvfi.bench.jobs import Size
from rtvfi.bench.pictures import film, film_info
from rtvfi.core.errors import RtvfiError, first_line
from rtvfi.core.rates import Grid
from rtvfi.core.stamp import Stamp
from rtvfi.models.catalogue import MODELS
from rtvfi.models.fast import fastest
from rtvfi.models.load import build_model
from rtvfi.models.rife.shape import SHAPES, expected_parameters
from rtvfi.models.weights.file import read_tensors
from rtvfi.models.weights.store import Store
from rtvfi.stream.plan.batch import batches, needs, outputs_of
from rtvfi.stream.plan.planner import Again, Mid, Planner, PlanOptions
from rtvfi.stream.run.executors.convert import Converter
from rtvfi.stream.run.executors.interpolate import Interpolation
from rtvfi.stream.run.executors.lanes import CudaLanes, DirectLanes
from rtvfi.stream.run.executors.overlapped import Overlapped
from rtvfi.stream.run.executors.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray
    from torch import Tensor

    from benchmarks.gpu import Asked
    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.plan.batch import Batch

    Row = dict[str, Any]
    Payload = NDArray[np.uint8]

FILM_RATE, SHOWN_RATE = 24, 60
DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
REFUSALS = (RuntimeError, RtvfiError, MemoryError, OSError, ValueError, ImportError)


class Late(Exception):  # noqa: N818 - an ending, not an error
    """The group's time is up."""


class Place:
    """Where a group runs: device, weights, and the time that is left."""

    def __init__(self, asked: Asked, missing: list[str]) -> None:
        self._end = time.monotonic() + asked.seconds
        self.asked = asked
        self.missing = missing
        self.device = torch.device(asked.device)
        self.is_gpu = self.device.type == "cuda"
        self.dtype = torch.float16 if self.is_gpu else torch.float32
        self.state, self.weights = self._state()

    def _state(self) -> tuple[dict[str, Tensor], str]:
        if self.asked.weights:
            return read_tensors(Path(self.asked.weights)), "file"
        if Store().has("rife-4.25"):
            return read_tensors(Store().path("rife-4.25")), "store"
        return random_state(expected_parameters(SHAPES["4.25"])), "random"

    def model(self, name: str, dtype: torch.dtype | None = None) -> Any:
        """A model that runs with the weights of RIFE 4.25."""
        with torch.no_grad():
            return build_model(MODELS[name], self.state, self.device, dtype or self.dtype)

    def finish(self) -> None:
        """Wait for the device."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def check(self) -> None:
        """Raises ``Late`` when no row should begin."""
        if time.monotonic() > self._end:
            raise Late

    def row(self, what: str, measure: Callable[[], Row], **facts: Any) -> Row:
        """What ``measure`` finds, with memory; a refusal is a note."""
        self.check()
        if self.is_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        try:
            with torch.inference_mode():
                found = measure()
                self.finish()
        except REFUSALS as error:
            found = {"note": f"no: {first_line(error)[:160]}"}
        return {"what": what, "weights": self.weights} | facts | {"mb": self._peak()} | found

    def _peak(self) -> int:
        if self.is_gpu:
            return round(torch.cuda.max_memory_allocated(self.device) / 1e6)
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)

    def ms(self, run: Callable[[], object]) -> Row:
        """Median milliseconds of a call and its wait, after two that are not counted."""
        seconds, most = (0.05, 3) if self.asked.is_small else (0.5, 30)
        for _ in range(1 if self.asked.is_small else 2):
            run()
        times: list[float] = []
        while len(times) < most and (len(times) < 3 or sum(times) < seconds):
            self.finish()
            start = time.perf_counter()
            run()
            self.finish()
            times.append(time.perf_counter() - start)
        return {"ms": 1e3 * statistics.median(times)}


def info_of(size: tuple[int, int]) -> StreamInfo:
    """A film of that size."""
    return film_info(Size(*size))


def rgb(place: Place, size: tuple[int, int], dtype: torch.dtype) -> list[Tensor]:
    """Three pictures of a pan."""
    info = info_of(size)
    convert = Converter(info, place.device, dtype)
    return [convert.to_rgb(payload) for payload in film(info, 3)]


# --- the network ------------------------------------------------------------------------------


def network(place: Place) -> Iterator[Row]:
    """As it is and as a graph; the encoder of one new picture is part of every call."""
    for form in ("eager", "graph"):
        for dtype in DTYPES:
            for size in place.asked.sizes:
                for new in (1,) if place.asked.is_small else (1, 2, 3):
                    measure = partial(call, place, form, DTYPES[dtype], size, new)
                    yield place.row(
                        "rife-4.25", measure, size=named(size), dtype=dtype, form=form, new=new
                    )


def compiled(place: Place) -> Iterator[Row]:
    """By torch.compile, which may take minutes."""
    for size in place.asked.sizes:
        measure = partial(call, place, "compile", place.dtype, size, 1)
        facts = {"size": named(size), "dtype": dtype_name(place), "form": "compile", "new": 1}
        yield place.row("rife-4.25", measure, **facts)


def call(place: Place, form: Any, dtype: torch.dtype, size: tuple[int, int], new: int) -> Row:
    """One call for ``new`` pictures of a pair."""
    frames = rgb(place, size, dtype)
    model = place.model("rife-4.25", dtype)
    if form != "eager":
        model = fastest(model, lambda: frames, place.device, form, new)
    before = model.prepare(frames[0])
    ts = [(k + 1) / (new + 1) for k in range(new)]
    return place.ms(lambda: model.pair(before, model.prepare(frames[1]), ts))


def drba(place: Place) -> Iterator[Row]:
    """Three pictures, two new ones around the middle one; a link is made for every call."""
    for form in ("eager", "graph"):
        for size in place.asked.sizes:
            measure = partial(triple, place, form, size)
            facts = {"size": named(size), "dtype": dtype_name(place), "form": form, "new": 2}
            yield place.row("drba over rife-4.25", measure, **facts)


def triple(place: Place, form: Any, size: tuple[int, int]) -> Row:
    """A call and a link."""
    frames = rgb(place, size, place.dtype)
    model = place.model("drba")
    if form != "eager":
        model = fastest(model, lambda: frames, place.device, form, 4)
    a, b = (model.prepare(frame) for frame in frames[:2])
    left = model.link(a, b)

    def run() -> None:
        c = model.prepare(frames[2])
        model.triple((a, b, c), (left, model.link(b, c)), [0.75, 1.25])

    return place.ms(run)


# --- plans ------------------------------------------------------------------------------------


def plan(passes: int, num_frames: int) -> list[Batch]:
    """What is done for one scene."""
    options = PlanOptions(passes=passes)
    planner = Planner(Grid(Fraction(0), Fraction(1, SHOWN_RATE)), options)
    actions = []
    period = Fraction(1, FILM_RATE)
    for n in range(num_frames):
        actions += planner.push(Stamp(n, n * period, (n + 1) * period, cut=n == 0))
    return batches(actions + planner.flush())


class Shown:
    """A film carried out by an executor, again and again."""

    def __init__(self, executor: Any, info: StreamInfo, passes: int, num_frames: int) -> None:
        self._executor = executor
        frames = film(info, num_frames)
        self._frames = {(0, n): frame for n, frame in enumerate(frames)}
        self._plan = plan(passes, num_frames)
        self.made: dict[int, Payload] = {}

    def run(self) -> int:
        """All of it; the pictures made, without those that are copies of source frames."""
        executor, pictures = self._executor, Pictures(self._frames)
        executor.reset()
        self.made.clear()
        depth = getattr(executor, "depth", 0)
        waiting: list[Any] = []
        for place, batch in enumerate(self._plan):
            assert not isinstance(batch, Again)
            if isinstance(batch, Mid):
                pictures.plan(batch)
            if not depth:
                self.made |= executor.run(batch, pictures)
            else:
                waiting.append(executor.launch(batch, pictures))
                while len(waiting) > depth:
                    self.made |= waiting.pop(0).finish()
            later = {name for other in self._plan[place + 1 :] for name in needs(other)}
            executor.keep(later)
        for pending in waiting:
            self.made |= pending.finish()
        return sum(len(outputs_of(batch)) for batch in self._plan)


def timed_film(place: Place, shown: Shown) -> Row:
    """Milliseconds of a shown picture, the best of two runs after one that is not counted."""
    shown.run()
    best, count = float("inf"), 1
    for _ in range(2):
        place.finish()
        start = time.perf_counter()
        count = shown.run()
        best = min(best, time.perf_counter() - start)
    return {"ms": 1e3 * best / count, "fps": count / best}


def passes(place: Place) -> Iterator[Row]:
    """Rounds of midpoints before the pictures that are shown."""
    for size in place.asked.sizes[:2]:
        for rounds in range(4):

            def measure(size: tuple[int, int] = size, rounds: int = rounds) -> Row:
                info = info_of(size)
                model = place.model("rife-4.25")
                executor = Interpolation(model, info, place.device, place.dtype)
                return timed_film(place, Shown(executor, info, rounds, 8))

            facts = {"size": named(size), "dtype": dtype_name(place), "passes": rounds}
            yield place.row(f"film, {rounds} passes", measure, **facts)


def paths(place: Place) -> Iterator[Row]:
    """The plain executor and the one whose copies overlap."""
    for size in place.asked.sizes:
        for name in ("rife-4.25",) if place.asked.is_small else ("rife-4.25", "drba"):
            wanted: dict[int, Payload] = {}
            for kind, form in (
                ("plain", "eager"),
                ("overlapped", "eager"),
                ("plain", "graph"),
                ("overlapped", "graph"),
            ):
                measure = partial(path, place, kind, form, size, name, wanted)
                facts = {"size": named(size), "dtype": dtype_name(place), "form": form}
                yield place.row(f"{name}, {kind}", measure, **facts)


def path(
    place: Place,
    kind: str,
    form: Any,
    size: tuple[int, int],
    name: str,
    wanted: dict[int, Payload],
) -> Row:
    """A film of 12 frames; the first one measured says what the others should show."""
    info, model = info_of(size), place.model(name)
    if kind == "plain":
        executor = Interpolation(model, info, place.device, place.dtype)
    else:
        lanes = CudaLanes(place.device) if place.is_gpu else DirectLanes()
        executor = Overlapped(model, info, place.device, place.dtype, lanes)
    executor.warm_up(form, 2)
    shown = Shown(executor, info, 0, 6 if place.asked.is_small else 12)
    row = timed_film(place, shown)
    executor.take_times()
    shown.run()
    count = len(shown.made)
    stages = executor.take_times()
    row |= {f"{s}_ms": 1e3 * getattr(stages, s) / count for s in ("convert", "model", "download")}
    if not wanted:
        wanted |= shown.made
    differ = sum(not np.array_equal(wanted[k], shown.made[k]) for k in wanted)
    where = ", ".join(f"{s} {row[f'{s}_ms']:.2f}" for s in ("convert", "model", "download"))
    is_whole = getattr(executor, "_recorded", None) is not None
    what = " from codes to codes" if is_whole else ""
    return row | {
        "differ": differ,
        "note": f"{differ} of {count} pictures differ from the first row's; {where}{what}",
    }


# --- copies and conversion --------------------------------------------------------------------


def copies(place: Place) -> Iterator[Row]:
    """What surrounds the network, one by one."""
    for size in place.asked.sizes:
        info = info_of(size)
        payload = film(info, 1)[0]
        codes = torch.from_numpy(payload)
        there = codes.to(place.device)
        convert = Converter(info, place.device, place.dtype)
        with torch.inference_mode():
            picture = convert.to_rgb(payload)
        out = torch.empty(1, info.payload_bytes, dtype=torch.uint8, device=place.device)
        pinned = codes.pin_memory() if place.is_gpu else codes.clone()
        steps: dict[str, Callable[[], object]] = {
            "upload, pageable": lambda c=codes: c.to(place.device, copy=True),
            "upload, pinned": lambda t=there, p=pinned: t.copy_(p, non_blocking=True),
            "codes to RGB": lambda v=convert, t=there: v.to_rgb(t),
            "RGB to codes": lambda v=convert, p=picture, o=out: v.write(v.from_rgb(p), o),
            "download, pageable": lambda t=there: t.cpu(),
            "download, pinned": lambda t=there, p=pinned: p.copy_(t, non_blocking=True),
        }
        for what, run in steps.items():
            yield place.row(what, partial(place.ms, run), size=named(size))


# --- other families ---------------------------------------------------------------------------


def others(place: Place) -> Iterator[Row]:
    """With random weights, unless the store has them."""
    sizes = place.asked.sizes if place.asked.is_small else place.asked.sizes[1:]
    for size in sizes:
        for name in ("gmfss", "gmfss-union", "interpany-rife-dr", "gimm", "safa"):
            measure = partial(other, place, name, size)
            facts = {"size": named(size), "dtype": dtype_name(place), "new": 1}
            yield place.row(name, measure, **facts)


def other(place: Place, name: str, size: tuple[int, int]) -> Row:
    """One new picture of a pair, or one restored."""
    model = large(place, name)
    frames = rgb(place, size, place.dtype)
    before = model.prepare(frames[0])
    if name == "safa":
        return place.ms(lambda: model.restore(before, model.prepare(frames[1])))
    return place.ms(lambda: model.pair(before, model.prepare(frames[1]), [0.5]))


def large(place: Place, name: str) -> Any:
    """A network of another family."""
    from benchmarks.large_models import gimm, safa_parameters
    from rtvfi.models.gmfss.shape import expected_parameters as gmfss_parameters
    from rtvfi.models.interpany.rife import RifeNet
    from rtvfi.models.safa.model import Safa
    from rtvfi.models.tuning import tune

    if name == "gimm":
        return gimm(tune(place.device, place.dtype))
    if name == "safa":
        return Safa(random_state(safa_parameters()), tune(place.device, place.dtype))
    info = MODELS[name]
    if info.weights is not None and Store().has(info.weights):
        state = read_tensors(Store().path(info.weights))
    elif name.startswith("gmfss"):
        state = random_state(gmfss_parameters(name))
    else:
        with torch.device("meta"):
            net = RifeNet(True)
        state = random_state({k: tuple(v.shape) for k, v in net.state_dict().items()})
    return build_model(info, state, place.device, place.dtype)


# --- end to end -------------------------------------------------------------------------------


def play(place: Place) -> Iterator[Row]:
    """The programs themselves, started anew; the time of a start is part of it."""
    if "av" in place.missing:
        yield {"what": "render and play", "note": "no: PyAV is not here"}
        return
    size = place.asked.sizes[min(1, len(place.asked.sizes) - 1)]
    seconds = 1 if place.asked.is_small else 8
    model = "rife-4.25" if Store().has("rife-4.25") else "linear"
    with tempfile.TemporaryDirectory(prefix="rtvfi-gpu-") as folder:
        clip = Path(folder) / "clip.mkv"
        write_clip(clip, info_of(size), seconds * FILM_RATE)
        common = [f"--device={place.asked.device}", f"--model={model}", f"--fps={SHOWN_RATE}"]
        for overlap in ("off", "on"):
            words = [*common, f"--overlap={overlap}", "--style=plain"]
            for what, run in (("render", rendered), ("play", played)):
                measure = partial(run, clip, words, seconds)
                facts = {"size": named(size), "form": overlap}
                yield place.row(f"{what} {model}", measure, **facts)


def write_clip(path: Path, info: StreamInfo, num_frames: int) -> None:
    """A pan there and back, H.264."""
    import av

    frames = film(info, 24)
    there_and_back = [*frames, *frames[-2:0:-1]]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", FILM_RATE, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, "yuv420p"
        for n in range(num_frames):
            payload = there_and_back[n % len(there_and_back)]
            picture = payload.reshape(info.height * 3 // 2, info.width)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "yuv420p")))
        out.mux(stream.encode(None))


def program(words: list[str], seconds: float) -> float:
    """Wall seconds of a command of rtvfi.

    Raises:
        RuntimeError: it failed.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "rtvfi", *words],
        capture_output=True,
        text=True,
        timeout=30 + 8 * seconds,
        env=os.environ | {"RTVFI_CONFIG": ""},
    )
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1])
    return time.perf_counter() - start


def rendered(clip: Path, words: list[str], seconds: float) -> Row:
    """Pictures per second of wall time."""
    out = clip.with_name("out.mkv")
    taken = program(["render", str(clip), "-o", str(out), "--force", *words], seconds)
    shown = seconds * SHOWN_RATE
    note = f"{taken:.1f} s, start included"
    return {"ms": 1e3 * taken / shown, "fps": shown / taken, "note": note}


def played(clip: Path, words: list[str], seconds: float) -> Row:
    """How many pictures came too late for the network."""
    report = clip.with_name("report.json")
    quiet = ["--mpv", "vo=null", "--mpv", "ao=null", f"--report={report}"]
    program(["play", str(clip), *words, *quiet], seconds)
    found = json.loads(report.read_text(encoding="utf-8"))
    return {"report": found, "note": json.dumps(found.get("frames", found))[:160]}


def named(size: tuple[int, int]) -> str:
    """1920x1080."""
    return f"{size[0]}x{size[1]}"


def dtype_name(place: Place) -> str:
    """float16."""
    return str(place.dtype).removeprefix("torch.")


GROUPS: dict[str, Callable[[Place], Iterator[Row]]] = {
    "paths": paths,
    "network": network,
    "drba": drba,
    "passes": passes,
    "copies": copies,
    "play": play,
    "others": others,
    "compile": compiled,
}
