"""``rtvfi bench``: runs measurements within a time budget, prints and saves the results."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Final

from rtvfi.bench.choose import HOLDS, Choice, choose
from rtvfi.bench.cores import cores_needed, thread_counts
from rtvfi.bench.jobs import CORE_TARGETS, FILM_RATE, TARGETS, Job, Measured, Size, plan
from rtvfi.cli.grammar import add_device
from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.core.hardware import machine
from rtvfi.core.program import command_line
from rtvfi.core.python_process import PythonProcess
from rtvfi.models.catalogue import MODELS, find
from rtvfi.models.weights.auto import EMBEDDED
from rtvfi.models.weights.store import find_weights, is_available
from rtvfi.settings.config import will_use_gpu
from rtvfi.settings.keys import SETTINGS, checked
from rtvfi.settings.profile import Profile, save_profile

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping, Sequence

    from rich.table import Table

SUMMARY: Final = "measure how fast this machine is"

log = logging.getLogger(__name__)

SIZES: Final = ("854x480", "1280x720", "1920x1080")
MORE_SIZES: Final = (*SIZES, "3840x2160")
SCALES: Final = (0.25, 0.5, 1.0)
QUICK_SECONDS, FULL_SECONDS = 60.0, 300.0
_RESERVE_SECONDS: Final = 3.0
"""Time set aside for stopping the measuring process and printing."""
_LEAST_SECONDS: Final = 2.0
"""With less time left, no new process is started."""
_BUSY: Final = 0.2
"""Fraction of time lost to other programs above which a warning is logged."""
_MODULE: Final = "rtvfi.bench.child"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi bench``."""
    add = parser.add_argument
    add("--quick", action="store_true", help="finish within 60 s (otherwise within 5 min)")
    add("--save", action="store_true", help='save the best settings for "rtvfi play"')
    add("--json", action="store_true", help="print JSON")
    add(
        "--models",
        nargs="+",
        metavar="ID",
        help="models, most important first (default: all with weights on this machine)",
    )
    add(
        "--sizes",
        nargs="+",
        metavar="WxH",
        help=f"picture sizes, or 1080p (default {', '.join(SIZES)})",
    )
    add_device(add)
    parser.epilog = (
        f"->RATE: seconds of computing per second of a {FILM_RATE} fps film that is interpolated "
        f"to RATE. Up to {HOLDS:g}, playback keeps up."
    )


def main(arguments: argparse.Namespace) -> int:
    """Measure, print and, if asked to, save; returns the exit code.

    Raises:
        RtvfiError: nothing could be measured.
    """
    begun = time.monotonic()
    budget = QUICK_SECONDS if arguments.quick else FULL_SECONDS
    checked(SETTINGS["device"], arguments.device, "--device")
    models, sizes = _models(arguments.models, arguments.device), _sizes(arguments)
    is_quick = find(models[0]).is_torch_free
    threads = thread_counts(len(os.sched_getaffinity(0))) if is_quick else ()
    jobs = plan(models, sizes, SCALES, threads)
    request = {"device": arguments.device, "call_seconds": 0.8 if arguments.quick else 3.0}
    with _Progress(len(jobs), is_shown=sys.stderr.isatty()) as progress:
        results = measure(jobs, request, begun + budget - _RESERVE_SECONDS, progress.show)
    found = choose([row for row in results if not row.job.threads], models, arguments.device)
    if arguments.json:
        _print_json(results, found)
    else:
        _print_tables(results, found)
    if (busy := _busy(results)) > _BUSY:
        log.warning(
            "other programs used the CPU %.0f%% of the time; MS is corrected for that, decoding "
            "and encoding are not",
            100 * busy,
        )
    if found is None:
        raise RtvfiError(
            "nothing could be measured", hint=command_line("doctor shows what is missing")
        )
    if arguments.save:
        today = date.today().isoformat()
        made = Profile(machine=machine.fingerprint(), date=today, settings=found.settings)
        path = save_profile(made)
        log.info('saved for "rtvfi play" in %s', path)
    return 0


def _models(asked: Sequence[str] | None, device: str) -> list[str]:
    if asked is None:
        find_weights(EMBEDDED)
        on_gpu = will_use_gpu(device)
        return [
            info.id
            for info in MODELS.values()
            if (info.weights or (info.is_torch_free and not on_gpu)) and is_available(info)
        ]
    for name in asked:
        find(name)
        find_weights(name)
    return list(dict.fromkeys(asked))


def _sizes(arguments: argparse.Namespace) -> list[Size]:
    default = SIZES if arguments.quick else MORE_SIZES
    sizes = []
    for text in arguments.sizes or default:
        try:
            sizes.append(Size.of(text))
        except ValueError:
            raise UsageError(f'--sizes has "{text}", expected WxH or 1080p, 16 to 8192') from None
    return list(dict.fromkeys(sizes))


# --- measuring -------------------------------------------------------------------------------


def measure(
    jobs: Sequence[Job],
    request: Mapping[str, object],
    deadline: float,
    show: Callable[[int, str], None] = lambda *_: None,
) -> list[Measured]:
    """Run the jobs in a child process, replacing it when it crashes, until time is up.

    Args:
        jobs: in order of execution.
        request: the fields that ``child.main`` needs besides jobs and seconds.
        deadline: value of ``time.monotonic`` at which the child is stopped, finished or not.
        show: called with the number and a description of each job that starts.

    Returns:
        One result per job, in the same order.
    """
    results = [Measured(job=job, why_not="no time left") for job in jobs]
    first = 0
    while first < len(jobs) and deadline - time.monotonic() > _LEAST_SECONDS:
        asked = {
            **request,
            "jobs": [job.as_dict() for job in jobs[first:]],
            "seconds": deadline - time.monotonic(),
        }
        apart = PythonProcess(_MODULE, (json.dumps(asked),), os.environ)
        under_way = first
        try:
            for row in apart.found(deadline):
                if "begun" in row:
                    under_way = first + row["begun"]
                    show(under_way, _label(jobs[under_way]))
                else:
                    results[under_way] = Measured.of(jobs[under_way], row["found"])
        finally:
            why = apart.end()
        if not why:
            break
        if time.monotonic() < deadline:
            results[under_way].why_not = why
        first = under_way + 1
    return results


def _label(job: Job) -> str:
    return " ".join([job.model or "decoding and encoding", str(job.size)])


class _Progress:
    """A progress bar on stderr."""

    def __init__(self, total: int, *, is_shown: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}"))
        console = Console(stderr=True)
        self._bars = Progress(*columns, console=console, transient=True, disable=not is_shown)
        self._bar = self._bars.add_task("starting", total=total)

    def __enter__(self) -> _Progress:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, number: int, what: str) -> None:
        """Show that job ``number`` has started."""
        self._bars.update(self._bar, completed=number, description=what)


# --- printing --------------------------------------------------------------------------------


def _print_json(results: Sequence[Measured], found: Choice | None) -> None:
    document = {
        "machine": machine.fingerprint(),
        "results": [row.as_dict() for row in results],
        "settings": found and found.settings,
        "holds_up_to": str(found.size) if found and found.is_held else None,
    }
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")


def _print_tables(results: Sequence[Measured], found: Choice | None) -> None:
    from rich.console import Console

    console = Console(markup=False, highlight=False)
    console.print(machine.fingerprint())
    console.print()
    networks = [row for row in results if row.job.kind == "model"]
    console.print(_model_table([row for row in networks if not row.job.threads]))
    console.print(
        f"MS: time per new frame. ->RATE: seconds of computing per second of a {FILM_RATE} fps\n"
        f"film interpolated to RATE; up to {HOLDS:g}, playback keeps up. -: not measured."
    )
    if by_threads := [row for row in networks if row.job.threads and row.ms]:
        console.print()
        console.print(_core_table(by_threads))
        console.print(
            f"->{max(CORE_TARGETS)} by number of threads, and how many cores are enough (estimated "
            "beyond the measured\nnumbers). -: no number is enough."
        )
    console.print()
    console.print(_media_table([row for row in results if row.job.kind == "media"]))
    for line in _reasons(results):
        console.print(line)
    if found is None:
        return
    console.print()
    if found.is_held:
        console.print(f"Best settings for play, in real time up to {found.size}:")
    else:
        console.print(
            "No settings keep up in real time on this machine. The closest ones for play:"
        )
    for key, value in found.settings.items():
        console.print(f"  {key:<10} {value}", soft_wrap=True)


def _busy(results: Sequence[Measured]) -> float:
    """Fraction of the time that was spent waiting for a core, 0 to 1."""
    waited = sum(sum(row.waited_ms.values()) for row in results)
    worked = sum(sum(row.ms.values()) for row in results)
    return waited / (waited + worked) if waited else 0.0


def _reasons(results: Sequence[Measured]) -> list[str]:
    """The reasons why rows have no numbers, with how many rows each affects."""
    counts = Counter(row.why_not for row in results if row.why_not)
    return [f"{count} not measured: {reason}" for reason, count in counts.items()]


def _model_table(rows: Sequence[Measured]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("MODEL", overflow="fold")
    for name in ("SIZE", "SCALE", "MS", "CPU MS", *(f"->{t}" for t in TARGETS), "MEMORY"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        job = row.job
        head = (job.model, str(job.size), f"{job.flow_scale:g}")
        if not row.ms:
            table.add_row(*head, "-", "-", *("-" for _ in TARGETS), "-")
            continue
        shares = [row.share(target) for target in TARGETS]
        table.add_row(
            *head,
            f"{row.ms[1]:.1f}",
            f"{row.cpu_ms[1]:.1f}",
            *("-" if share is None else f"{share:.2f}" for share in shares),
            "-" if row.memory_bytes is None else f"{row.memory_bytes / 1e6:.0f} MB",
        )
    return table


def _core_table(rows: Sequence[Measured]) -> Table:
    from rich.table import Table

    counts = sorted({row.job.threads for row in rows})
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    needed = [f"CORES ->{target}" for target in CORE_TARGETS]
    for name in ("SIZE", "SCALE", *map(str, counts), *needed):
        table.add_column(name, justify="right", no_wrap=True)
    for size, scale in dict.fromkeys((row.job.size, row.job.flow_scale) for row in rows):
        own = [row for row in rows if (row.job.size, row.job.flow_scale) == (size, scale)]
        shares = {
            target: {r.job.threads: s for r in own if (s := r.share(target)) is not None}
            for target in CORE_TARGETS
        }
        by_count = [shares[max(CORE_TARGETS)].get(count) for count in counts]
        cores = [cores_needed(of, HOLDS) if of else None for of in shares.values()]
        table.add_row(
            str(size),
            f"{scale:g}",
            *("-" if share is None else f"{share:.2f}" for share in by_count),
            *("-" if count is None else str(count) for count in cores),
        )
    return table


def _media_table(rows: Sequence[Measured]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("SIZE", justify="right")
    for name in ("DECODING", "BY", "ENCODING", "BY"):
        table.add_column(name, justify="right" if name != "BY" else "left")
    for row in rows:
        decode, encode = (
            "-" if rate is None else f"{rate:.0f} fps"
            for rate in (row.decode_rate, row.encode_rate)
        )
        table.add_row(str(row.job.size), decode, row.decoder, encode, row.encoder)
    return table
