"""Runs a loaded model in a faster form: compiled, or as a captured graph.

A network of hundreds of small kernels spends much of its time launching them. A graph (CUDA and
ROCm) captures them once, for one size and number of pictures, and launches them together; compiling
fuses some of them. Either form is prepared before anything is shown, from pictures of the stream's
size, compared with the eager model, and used only for inputs of exactly that kind. All other inputs
run eagerly, and so does everything if the form fails. Nothing is compiled or captured later.

Replays of graphs were reported to be silently wrong (ROCm 7.2.0 to 7.2.3, 2026-06: in about one
process of five). Therefore the first replays of a process and a sample of later ones are compared
with the eager network, bit by bit. If one differs, all graphs of the model are dropped.
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
"""Forms are prepared for calls with up to this many new pictures; larger calls run eagerly."""
LONG_CALL: Final = 0.1
"""Calls longer than this, in seconds, gain little from a graph: launching kernels takes 5 ms."""
GAIN: Final = 0.97
"""A form is used only if it takes less than this fraction of the eager time."""
FREE_MEMORY: Final = 0.25
"""Fraction of the device's memory that must remain free with a graph."""
FIRST: Final = 24
"""The first replays of every graph up to this number are compared with the eager network."""
SAMPLE: Final = 240
"""After that, every replay whose number is a multiple of this is compared."""
_WRONG_HIP: Final = "7.2."
"""Prefix of the versions of HIP whose graphs ``auto`` does not use."""
_WARM_UPS: Final = 3
_MOST_DIFFERENCE: Final = {torch.float32: 1e-3}
_MOST_DIFFERENCE_HALF: Final = 0.02
_REFUSALS: Final = (RuntimeError, OSError, ImportError)
"""What torch raises if a form cannot be created: no compiler, no memory, nothing to capture."""


@torch.inference_mode()
def fastest(
    model: Interpolator,
    pictures: Callable[[], Sequence[Picture]],
    device: torch.device,
    form: Form = "auto",
    num_new: int = 1,
    complain: Callable[[str], None] = log.warning,
) -> Interpolator:
    """The model itself, or the same model with its core run in a faster form.

    Args:
        model: ready to run; models without a core are returned unchanged.
        pictures: returns three different pictures of the size and type to prepare for.
        device: where the pictures and the model are.
        form: ``auto`` uses a graph on CUDA and ROCm if it is faster, otherwise the eager model.
        num_new: new pictures per call to prepare for, up to ``MOST_NEW``.
        complain: called at most once, on the interpolating thread, with a message if a graph gave a
            wrong picture.

    Returns:
        A model for use by one thread at a time, with the same results up to rounding.

    Raises:
        ModelError: an explicitly requested form cannot be created.
    """
    if form == "eager" or not isinstance(model, HasCore):
        return model
    if form == "auto" and device.type != "cuda":
        return model
    if form == "auto" and (torch.version.hip or "").startswith(_WRONG_HIP):
        _say(
            f"{model.info.id} runs without a graph: HIP {torch.version.hip} is known to replay "
            "some graphs wrongly"
        )
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
        f"{model.info.id}: a call takes {1e3 * taken:.1f} ms "
        f"{'compiled' if form == 'compile' else 'as a graph'}, {1e3 * eager:.1f} ms eager"
    )
    return made if is_kept else model


@cache
def _say(text: str) -> None:
    log.info(text)


def _calls(model: Interpolator, pictures: Sequence[Picture], num_new: int) -> list[Call]:
    """The calls to prepare for: every number of new pictures, with two different pairs (or, for
    three-frame models, on both sides of the centre).
    """
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
    """The model in that form, checked; ``auto`` requires a graph with bit-identical results.

    Raises:
        RuntimeError, OSError, ImportError: it cannot be created, or its pictures differ.
    """
    runner = ByKind(_compiled if form == "compile" else capturing(device, watch))
    made = model.with_runner(runner)
    with warnings.catch_warnings():
        # The compiler's warnings are advice for the authors of networks.
        warnings.simplefilter("ignore")
        # Twice, because the first call of a kind also creates the form.
        for call in [*calls, *calls]:
            got, wanted = call(made), call(model)
            _check(got, wanted)
            watch.is_exact = watch.is_exact and _is_same(got, wanted)
    runner.close()
    if not runner.num_kinds:
        raise RuntimeError("its core depends on decisions of the CPU")
    if form == "auto" and not watch.is_exact:
        raise RuntimeError(
            "its pictures differ in the last bits, so wrong ones could not be detected"
        )
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        if free < FREE_MEMORY * total:
            raise RuntimeError("it would leave too little free memory")
    return made


def _check(got: object, wanted: object) -> None:
    for mine, other in zip(_leaves(got), _leaves(wanted), strict=True):
        most = _MOST_DIFFERENCE.get(other.dtype, _MOST_DIFFERENCE_HALF)
        difference = (mine.float() - other.float()).abs().max().item()
        if not difference <= most:
            raise RuntimeError(
                f"its pictures differ by {difference:.2g}, at most {most:g} is allowed"
            )


def _is_same(got: object, wanted: object) -> bool:
    """Whether all tensors are bit-identical; NaN and infinity in both count as equal."""
    return all(
        torch.equal(mine, other) or torch.equal(mine.nan_to_num(), other.nan_to_num())
        for mine, other in zip(_leaves(got), _leaves(wanted), strict=True)
    )


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """The time of the fastest of up to five calls within about a second, after one warm-up call."""
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
    """A ``Runner`` with a separate form for every kind of inputs that was seen before ``close``.

    Args:
        make: creates the form of a core for the kind of the given inputs.
    """

    def __init__(self, make: Callable[[Core, Inputs], Core]) -> None:
        self._make = make
        self._forms: dict[object, Core] = {}
        self._is_open = True

    @property
    def num_kinds(self) -> int:
        """Number of kinds of inputs that have a form."""
        return len(self._forms)

    def close(self) -> None:
        """Create no more forms; from now on, other kinds of inputs run eagerly."""
        self._is_open = False

    def __call__(self, core: Callable[..., R], *inputs: object) -> R:
        """Run the core, in the form for these inputs if there is one."""
        kind = _kind(inputs)
        if self._is_open and kind not in self._forms:
            self._forms[kind] = self._make(core, inputs)
        run = self._forms.get(kind)
        # A form gives what its core gives.
        return core(*inputs) if run is None else cast("R", run(*inputs))


def _compiled(core: Core, _inputs: Inputs) -> Core:
    # torch reads this when first needed; its default is a temporary folder, lost at reboot.
    kept = platformdirs.user_cache_path("rtvfi", appauthor=False) / "compiled"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(kept))
    compiled: Core = torch.compile(core, dynamic=False)
    return compiled


@dataclass(frozen=True, slots=True)
class Capture:
    """A captured graph."""

    out: object
    """The output tensors, overwritten by every replay."""
    replay: Callable[[], None]
    release: Callable[[], None] = lambda: None
    """Frees the graph's memory on the device."""


class Watch:
    """Checks replays of the graphs of a model. Used by the thread that interpolates.

    Args:
        name: id of the model, for messages.
        complain: called with a message if a replay was wrong.
    """

    def __init__(self, name: str, complain: Callable[[str], None]) -> None:
        self._name = name
        self._complain = complain
        self.is_exact = True
        """Whether replays must be bit-identical; if not, they may differ by rounding."""
        self.has_begun = False
        """Whether replays are counted and checked."""
        self.is_trusted = True
        """Whether no replay was wrong so far."""

    def begin(self) -> None:
        """Start checking replays; their time is measured before, without checks."""
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
                f"a graph of {self._name} gave a wrong picture in run {number}: graphs are off now"
            )
        return is_right


_graphs: WeakSet[Replayed] = WeakSet()


def release_graphs() -> None:
    """Release all graphs: exiting a process with live graphs was reported to corrupt memory."""
    for graph in list(_graphs):
        graph.release()


def capturing(device: torch.device, watch: Watch) -> Callable[[Core, Inputs], Core]:
    """A function that captures a core as a graph, for ``ByKind``. The graphs share their memory,
    because only one is replayed at a time.

    Raises:
        RuntimeError: the device does not support graphs.
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
            # Another thread may be playing: capture and check only the work of this thread.
            with torch.cuda.graph(
                graph, pool=pool, stream=stream, capture_error_mode="thread_local"
            ):
                out = core(*inputs)
            return Capture(out, graph.replay, graph.reset)

    return lambda core, inputs: Replayed(core, inputs, capture, watch)


class Replayed:
    """A core captured for inputs of one kind; inputs are copied in, results are copied out.

    Args:
        core: the core to capture; kept alive because the graph reads its parameters.
        inputs: inputs of the kind.
        capture: captures the core; replays read the tensors that it is given.
        watch: checks the replays.
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
        """Guards the graph, which the exiting process may release during a replay."""
        self._capture: Capture | None = capture(core, self._inputs)
        _graphs.add(self)

    def __call__(self, *inputs: object) -> object:
        """Run the core; the results are not overwritten by later calls."""
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
        """Release the graph; from now on the core runs eagerly. May be called on any thread."""
        with self._lock:
            if self._capture is not None:
                self._capture.release()
            self._capture = None


# --- nested tuples ---------------------------------------------------------------------------


def _mapped(change: Callable[[Tensor], Tensor], tree: object) -> object:
    """The same nested tuples, with every tensor replaced by ``change(tensor)``."""
    if isinstance(tree, torch.Tensor):
        return change(tree)
    if not isinstance(tree, tuple):
        return tree
    parts = [_mapped(change, part) for part in tree]
    make = getattr(type(tree), "_make", tuple)  # of named ones
    return make(parts)


def _leaves(tree: object) -> Iterator[Tensor]:
    """The tensors in nested tuples, in order."""
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, tuple):
        for part in tree:
            yield from _leaves(part)


def _kind(tree: object) -> object:
    """A key that is equal for inputs that can share a form: same sizes, types and constants."""
    if isinstance(tree, torch.Tensor):
        return tree.shape, tree.dtype, tree.device
    if isinstance(tree, tuple):
        return type(tree), tuple(_kind(part) for part in tree)
    return tree
