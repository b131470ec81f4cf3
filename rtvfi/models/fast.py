"""The fastest way to run a loaded model: as it is, compiled, or as a captured graph.

A network of hundreds of small kernels spends much of its time on starting them. A graph (CUDA and
ROCm) records them once, for one size and number of pictures, and starts them together; compiling
fuses some. Either is made while nothing is shown yet, from pictures of the stream's own size, held
against what the model gives as it is, and used for inputs of exactly that kind; everything else,
and everything when it fails, runs as it is. Nothing is compiled or captured later on.

Replays of graphs were reported to be silently wrong (ROCm 7.2.0 to 7.2.3, 2026-06: in about one
process of five). So they are held against the network as it is, to the bit: the first ones of a
process and a sample of the later ones. When one differs, all graphs of the model are given up.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import warnings
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, TypeVar, cast
from weakref import WeakSet

import platformdirs
import torch

from rtvfi.core.errors import ModelError, first_line
from rtvfi.models.base import HasCore, Interpolator, TripleInterpolator, directly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from rtvfi.core.options import Form
    from rtvfi.models.base import Link, Picture, Prepared

    Core = Callable[..., object]
    Inputs = tuple[object, ...]
    Call = Callable[[Interpolator], Picture]

log = logging.getLogger(__name__)

R = TypeVar("R")

MOST_NEW: Final = 4
"""Pictures per call that are prepared for; calls for more run as they are."""
LONG_CALL: Final = 0.1
"""Seconds of a call that a graph cannot shorten much: starting its kernels takes about 5 ms."""
GAIN: Final = 0.97
"""Part of the time that a form must stay below to be chosen."""
FREE_MEMORY: Final = 0.25
"""Part of the device's memory that a graph must leave."""
FIRST: Final = 24
"""Replays of a graph, from its first on, that are held against the network as it is."""
SAMPLE: Final = 240
"""Later on, every so many."""
_WRONG_HIP: Final = "7.2."
"""Beginning of the versions of HIP whose graphs ``auto`` does not use."""
_WARM_UPS: Final = 3
_MOST_DIFFERENCE: Final = {torch.float32: 1e-3}
_MOST_DIFFERENCE_HALF: Final = 0.02
_REFUSALS: Final = (RuntimeError, OSError, ImportError)
"""What torch raises when a form cannot be had: no compiler, no memory, nothing to capture."""


@torch.inference_mode()
def fastest(
    model: Interpolator,
    pictures: Callable[[], Sequence[Picture]],
    device: torch.device,
    form: Form = "auto",
    num_new: int = 1,
    complain: Callable[[str], None] = log.warning,
) -> Interpolator:
    """The model itself, or the same network with its core run in a faster form.

    Args:
        model: ready to run; models without weights stay as they are.
        pictures: makes three unlike ones, of the size and type that will come.
        device: where they and the model are.
        form: ``auto`` keeps a graph on CUDA and ROCm when it is faster, anything else as it is.
        num_new: pictures per call to prepare for, up to ``MOST_NEW``.
        complain: told once, on the thread that makes pictures, when a graph was caught at
            giving wrong ones.

    Returns:
        a model for one thread at a time; its pictures are as good as the model's own.

    Raises:
        ModelError: a form that was asked for by name cannot be had.
    """
    if form == "eager" or not isinstance(model, HasCore):
        return model
    if form == "auto" and device.type != "cuda":
        return model
    if form == "auto" and (torch.version.hip or "").startswith(_WRONG_HIP):
        _say(f"{model.info.id} runs without a graph: HIP {torch.version.hip} replays some wrong")
        return model
    calls = _calls(model, pictures(), min(num_new, MOST_NEW))
    try:
        eager = _seconds(lambda: calls[0](model), device)
        if form == "auto" and eager > LONG_CALL:
            return model
        watch = Watch(model.info.id, complain)
        made = _made(model, calls, device, form, watch)
        taken = _seconds(lambda: calls[0](made), device)
        watch.begin()
    except _REFUSALS as error:
        reason = first_line(error)
        if form != "auto":
            raise ModelError(
                f'"{model.info.id}" cannot run in the form "{form}": {reason}',
                hint="use --compile eager",
            ) from error
        _say(f"{model.info.id} runs without a graph: {reason}")
        return model
    is_kept = form != "auto" or taken < GAIN * eager
    _say(
        f"{model.info.id}: a call takes {1e3 * taken:.1f} ms as "
        f"{'compiled' if form == 'compile' else 'a graph'}, {1e3 * eager:.1f} ms as it is"
    )
    return made if is_kept else model


@cache
def _say(text: str) -> None:
    log.info(text)


def _calls(model: Interpolator, pictures: Sequence[Picture], num_new: int) -> list[Call]:
    """What the stream will ask for: every number of pictures, two places or both sides of each."""
    a, b, c = (model.prepare(picture) for picture in pictures)
    if not isinstance(model, TripleInterpolator):
        spread = [[(k + 1) / (n + 1) for k in range(n)] for n in range(1, num_new + 1)]
        return [_pair(*places, ts) for ts in spread for places in ((a, b), (b, c))]
    links = model.link(a, b), model.link(b, c)
    halves = [[(k + 1) / (2 * n) for k in range(n)] for n in range(1, (num_new + 1) // 2 + 1)]
    return [
        _triple((a, b, c), links, [1 + side * t for t in ts]) for ts in halves for side in (-1, 1)
    ]


def _pair(a: Prepared, b: Prepared, ts: Sequence[float]) -> Call:
    return lambda model: model.pair(a, b, ts)


def _triple(
    frames: tuple[Prepared, Prepared, Prepared], links: tuple[Link, Link], ts: Sequence[float]
) -> Call:
    return lambda model: cast("TripleInterpolator", model).triple(frames, links, ts)


def _made(
    model: HasCore,
    calls: Sequence[Call],
    device: torch.device,
    form: Form,
    watch: Watch,
) -> Interpolator:
    """The model in that form, checked; ``auto`` is a graph that can be checked to the bit.

    Raises:
        RuntimeError, OSError, ImportError: it cannot be had, or gives other pictures.
    """
    runner = ByKind(_compiled if form == "compile" else capturing(device, watch))
    made = model.with_runner(runner)
    with warnings.catch_warnings():
        # The compiler's advice is for whoever writes networks.
        warnings.simplefilter("ignore")
        # Twice, for the first call of a kind is special.
        for call in [*calls, *calls]:
            got, wanted = call(made), call(model)
            _check(got, wanted)
            watch.is_exact = watch.is_exact and _is_same(got, wanted)
    runner.close()
    if not runner.num_kinds:
        raise RuntimeError("its core asks the processor for decisions")
    if form == "auto" and not watch.is_exact:
        raise RuntimeError("its pictures differ in the last bits, so a wrong one would not be seen")
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        if free < FREE_MEMORY * total:
            raise RuntimeError("it would leave too little memory")
    return made


def _check(got: object, wanted: object) -> None:
    for mine, other in zip(_leaves(got), _leaves(wanted), strict=True):
        most = _MOST_DIFFERENCE.get(other.dtype, _MOST_DIFFERENCE_HALF)
        difference = (mine.float() - other.float()).abs().max().item()
        if not difference <= most:
            raise RuntimeError(f"its pictures differ by {difference:.2g}, allowed is {most:g}")


def _is_same(got: object, wanted: object) -> bool:
    """Equal to the bit; what is no number in both counts as equal."""
    return all(
        torch.equal(mine, other) or torch.equal(mine.nan_to_num(), other.nan_to_num())
        for mine, other in zip(_leaves(got), _leaves(wanted), strict=True)
    )


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """The fastest of up to five calls in about a second, after one that is not counted."""
    times: list[float] = []
    run()
    while len(times) < 5 and sum(times) < 1:
        _finish(device)
        start = time.perf_counter()
        run()
        _finish(device)
        times.append(time.perf_counter() - start)
    return min(times)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


# --- runners ---------------------------------------------------------------------------------


class ByKind:
    """A ``Runner`` that has a form for every kind of inputs seen until it was closed.

    Args:
        make: from the core and inputs of a kind to what runs it for inputs of that kind.
    """

    def __init__(self, make: Callable[[Core, Inputs], Core]) -> None:
        self._make = make
        self._forms: dict[object, Core] = {}
        self._is_open = True

    @property
    def num_kinds(self) -> int:
        """Kinds of inputs with a form of their own."""
        return len(self._forms)

    def close(self) -> None:
        """From now on other kinds of inputs run as they are."""
        self._is_open = False

    def __call__(self, core: Callable[..., R], *inputs: object) -> R:
        """Run it."""
        kind = _kind(inputs)
        if self._is_open and kind not in self._forms:
            self._forms[kind] = self._make(core, inputs)
        run = self._forms.get(kind)
        # A form gives what its core gives.
        return core(*inputs) if run is None else cast("R", run(*inputs))


def _compiled(core: Core, _inputs: Inputs) -> Core:
    # Read when first needed; by default a folder of temporary files, which the next boot may empty.
    kept = platformdirs.user_cache_path("rtvfi", appauthor=False) / "compiled"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(kept))
    compiled: Core = torch.compile(core, dynamic=False)
    return compiled


@dataclass(frozen=True, slots=True)
class Capture:
    """A recorded run."""

    out: object
    """Where every replay puts its results."""
    replay: Callable[[], None]
    release: Callable[[], None] = lambda: None
    """Frees what the device keeps of it."""


class Watch:
    """Looks after the graphs of a model. Used by the thread that makes pictures.

    Args:
        name: the model's.
        complain: told when one gave a wrong picture.
    """

    def __init__(self, name: str, complain: Callable[[str], None]) -> None:
        self._name = name
        self._complain = complain
        self.is_exact = True
        """Replays can be checked to the bit; else as pictures are that differ by rounding."""
        self.has_begun = False
        """Replays are counted and checked."""
        self.is_trusted = True
        """No graph was caught so far."""

    def begin(self) -> None:
        """From now on replays are checked: their time was measured without."""
        self.has_begun = True

    def is_due(self, number: int) -> bool:
        """Whether this replay of a graph, counted from 1, is to be checked."""
        return number <= FIRST or number % SAMPLE == 0

    def judge(self, got: object, wanted: object, number: int) -> bool:
        """Whether a replay gave what it should; if not, no graph is trusted from now on."""
        if self.is_exact:
            is_right = _is_same(got, wanted)
        else:
            try:
                _check(got, wanted)
                is_right = True
            except RuntimeError:
                is_right = False
        if not is_right and self.is_trusted:
            self.is_trusted = False
            self._complain(
                f"a graph of {self._name} gave a wrong picture in run {number}: it goes on without"
            )
        return is_right


_graphs: WeakSet[Replayed] = WeakSet()


def release_graphs() -> None:
    """Let go of all graphs: ending a process with some alive was reported to damage memory."""
    for graph in list(_graphs):
        graph.release()


def capturing(device: torch.device, watch: Watch) -> Callable[[Core, Inputs], Core]:
    """What makes a graph of a core; the graphs share their memory, for one is replayed at a time.

    Raises:
        RuntimeError: the device knows no graphs.
    """
    if device.type != "cuda":
        raise RuntimeError("graphs are for CUDA and ROCm")
    pool = torch.cuda.graph_pool_handle()
    atexit.register(release_graphs)

    def capture(core: Core, inputs: Inputs) -> Capture:
        with torch.cuda.device(device):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(_WARM_UPS):
                    core(*inputs)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # Another thread may be playing: only what this one does is recorded, and judged.
            with torch.cuda.graph(
                graph, pool=pool, stream=stream, capture_error_mode="thread_local"
            ):
                out = core(*inputs)
            return Capture(out, graph.replay, graph.reset)

    return lambda core, inputs: Replayed(core, inputs, capture, watch)


class Replayed:
    """A core recorded for inputs of one kind: they are copied in, results are copied out.

    Args:
        core: what to record; kept, since the recording reads its parameters.
        inputs: of the kind it is for.
        capture: records it; the inputs it is given are those that a replay reads.
        watch: looks after it.
    """

    def __init__(
        self,
        core: Core,
        inputs: Inputs,
        capture: Callable[[Core, Inputs], Capture],
        watch: Watch,
    ) -> None:
        self._core = core
        self._inputs = cast("Inputs", _mapped(torch.clone, inputs))
        self._watch = watch
        self._num_runs = 0
        self._lock = threading.Lock()
        """The end of the process may come in the middle of a replay."""
        self._capture: Capture | None = capture(core, self._inputs)
        _graphs.add(self)

    def __call__(self, *inputs: object) -> object:
        """Results that no later call touches."""
        out = self._replayed(inputs) if self._watch.is_trusted else None
        if out is None:
            self.release()
            return directly(self._core, *inputs)
        self._num_runs += self._watch.has_begun
        if self._watch.has_begun and self._watch.is_due(self._num_runs):
            wanted = directly(self._core, *inputs)
            if not self._watch.judge(out, wanted, self._num_runs):
                return wanted
        return out

    def _replayed(self, inputs: Inputs) -> object:
        with self._lock:
            if self._capture is None:
                return None
            for mine, given in zip(_leaves(self._inputs), _leaves(inputs), strict=True):
                mine.copy_(given)
            self._capture.replay()
            return _mapped(torch.clone, self._capture.out)

    def release(self) -> None:
        """Let go of the recording; from now on the core runs as it is. On any thread."""
        with self._lock:
            if self._capture is not None:
                self._capture.release()
            self._capture = None


# --- nested tuples ---------------------------------------------------------------------------


def _mapped(change: Callable[[Tensor], Tensor], tree: object) -> object:
    """The same tuples around changed tensors."""
    if isinstance(tree, torch.Tensor):
        return change(tree)
    if not isinstance(tree, tuple):
        return tree
    parts = [_mapped(change, part) for part in tree]
    make = getattr(type(tree), "_make", tuple)  # of named ones
    return make(parts)


def _leaves(tree: object) -> Iterator[Tensor]:
    """The tensors, in order."""
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, tuple):
        for part in tree:
            yield from _leaves(part)


def _kind(tree: object) -> object:
    """Equal for inputs that one recording can serve: same sizes and types, same constants."""
    if isinstance(tree, torch.Tensor):
        return tree.shape, tree.dtype, tree.device
    if isinstance(tree, tuple):
        return type(tree), tuple(_kind(part) for part in tree)
    return tree
