"""What the fuzzer does with a file: each route runs in a child of its own, with limits."""

from __future__ import annotations

import ctypes
import os
import random
import re
import resource
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import av

from rtvfi.cli import main as cli
from rtvfi.core.errors import RtvfiError
from rtvfi.core.options import SourceOptions, StreamOptions
from rtvfi.playing.opening import NothingToDo, Opener, Picture
from rtvfi.settings.config import PlayOptions

if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_BYTES: Final = 4 << 30
"""Address space a child may add to what it starts with."""
RESIDENT_BYTES: Final = 1 << 30
"""Memory in use that a file of a hundred kilobytes may cost; two rings of 256 MB are within it."""
CPU_SECONDS: Final = 40
WALL_SECONDS: Final = 120

PLAYED: Final = "played"
RECOVERED: Final = "recovered"
REFUSED: Final = "clean error"
FAILED: Final = "failure"


@dataclass(frozen=True)
class Verdict:
    """How a route ended."""

    outcome: str
    why: str
    seconds: float
    resident: int
    """Most memory in use, bytes."""


def info(path: Path, _folder: Path) -> int:
    """``rtvfi info FILE``."""
    return cli.main(["info", str(path)])


def render(path: Path, folder: Path) -> int:
    """``rtvfi render FILE`` without a network, losslessly; the file must be readable."""
    return _render(path, folder / "out.mkv", "--encoder", "ffv1", "--model", "linear")


def mp4(path: Path, folder: Path) -> int:
    """``rtvfi render FILE -o OUT.mp4`` with the network that is always there."""
    return _render(path, folder / "out.mp4", "--model", "dis", "--scale", "0.5")


def _render(path: Path, out: Path, *given: str) -> int:
    words = ["--device", "cpu", "--fps", "2x", "--hwaccel", "none", *given]
    code = cli.main(["render", str(path), "-o", str(out), *words])
    if code == 0:
        with av.open(str(out)) as made:
            next(made.decode(video=0))
    return code


def play(path: Path, _folder: Path) -> int:
    """What mpv does with our track, without mpv: reads and seeks at random."""
    from fakes import FakeMpv, FakePlayhead

    options = PlayOptions(
        files=(str(path),),
        model="copy",
        device="cpu",
        fps="2x",
        stream=StreamOptions(ring_bytes=64 << 20),
        source=SourceOptions(hwaccel="none"),
    )
    opener = Opener(options, FakePlayhead(1e9))
    failures: list[RtvfiError] = []
    try:
        opener.prefetch(options.files)
        viewing = opener.view(Picture((str(path),), 1), "2x", FakeMpv())
        feed = viewing.stream
        feed.on_failure = failures.append
        buffer = ctypes.create_string_buffer(1 << 16)
        rng = random.Random(0)
        for _ in range(12):
            feed.seek(rng.choice((0, feed.size - 1, rng.randrange(feed.size))))
            for _ in range(40):
                if not feed.read_into(ctypes.addressof(buffer), len(buffer)):
                    break
    except NothingToDo as reason:
        sys.stderr.write(f"warning: {reason.message}\n")
        return 0
    except RtvfiError as error:
        sys.stderr.write(f"error: {error.message}\n")
        return error.exit_code
    finally:
        opener.stop(time.monotonic() + 5)
    if failures:
        sys.stderr.write(f"error: {failures[0].message}\n")
        return 1
    return 0


def mpv(path: Path, _folder: Path) -> int:
    """``rtvfi play FILE`` with a real mpv, as fast as it goes."""
    options = ("vo=null", "ao=null", "config=no", "ytdl=no", "untimed=yes", "osc=no", "length=5")
    words = [word for option in (*options, "load-scripts=no") for word in ("--mpv", option)]
    return cli.main(
        ["play", str(path), "--model", "copy", "--device", "cpu", "--fps", "2x", *words]
    )


ROUTES: Final[dict[str, Callable[[Path, Path], int]]] = {
    "info": info,
    "render": render,
    "mp4": mp4,
    "play": play,
    "mpv": mpv,
}


def attempt(route: str, path: Path, folder: Path) -> Verdict:
    """Run a route in a child and judge how it ended.

    Args:
        route: a key of ``ROUTES``.
        path: the hostile file.
        folder: empty, for what is written.
    """
    said = folder / "said.txt"
    before = path.read_bytes() if path.is_file() else b""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_the_child(route, path, folder, said)
    status, used, is_late = _wait(child, began + WALL_SECONDS)
    seconds = time.monotonic() - began
    text = said.read_text(encoding="utf-8", errors="replace") if said.exists() else ""
    outcome, why = _judge(status, text, is_late=is_late)
    if used > RESIDENT_BYTES:
        outcome, why = FAILED, f"{used >> 20} MiB in use"
    ours = {
        "said.txt",
        *(f"out.{kind}{rest}" for kind in ("mkv", "mp4") for rest in ("", ".rtvfi")),
    }
    strays = {p.name for p in folder.iterdir()} - ours
    if strays:
        outcome, why = FAILED, f"wrote {', '.join(sorted(strays))}"
    if path.is_file() and not path.is_symlink() and path.read_bytes() != before:
        outcome, why = FAILED, "the input was changed"
    return Verdict(outcome, why, seconds, used)


def _be_the_child(route: str, path: Path, folder: Path, said: Path) -> NoReturn:
    code = 99
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(out, number)
        own = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        limit = own * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
        os.chdir(folder)
        code = ROUTES[route](path, folder)
    except BaseException:  # noqa: BLE001 - a traceback is what is looked for
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(child: int, deadline: float) -> tuple[int, int, bool]:
    """Exit status, memory and whether it had to be killed."""
    poller = os.pidfd_open(child)
    try:
        import select

        is_over = select.select([poller], [], [], max(0.0, deadline - time.monotonic()))[0]
        if not is_over:
            os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    finally:
        os.close(poller)
    return status, usage.ru_maxrss * 1024, not is_over


def _judge(status: int, text: str, *, is_late: bool) -> tuple[str, str]:
    lines = [line for line in text.splitlines() if line.strip()]
    last = lines[-1] if lines else ""
    if is_late:
        return FAILED, f"did not end in {WALL_SECONDS} s: {last}"
    if os.WIFSIGNALED(status):
        return FAILED, f"ended by signal {os.WTERMSIG(status)}: {last}"
    if "Traceback (most recent call last)" in text:
        return FAILED, last
    code = os.waitstatus_to_exitcode(status)
    errors = [line for line in lines if line.startswith("error: ")]
    if code in (1, 2):
        if len(errors) != 1 or len(errors[0]) > 400:
            return FAILED, f"{len(errors)} error lines with exit code {code}: {last}"
        return REFUSED, _general(errors[0].removeprefix("error: "))
    if code != 0:
        return FAILED, f"exit code {code}: {last}"
    remarks = [line for line in lines if line.startswith("warning: ")]
    if any("did not end in" in line for line in remarks):
        return FAILED, remarks[-1]
    if remarks:
        return RECOVERED, _general(remarks[0].removeprefix("warning: "))
    return PLAYED, ""


def _general(sentence: str) -> str:
    """A message without what is this file's own."""
    return re.sub(r'"[^"]*"|\S*/\S+', "FILE", re.sub(r"\d+(\.\d+)?", "N", sentence))
