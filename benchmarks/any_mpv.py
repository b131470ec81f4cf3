"""Films in a real mpv with our script: how smooth, how far from the sound, how soon.

    PYTHONPATH=. .venv/bin/python -P benchmarks/any_mpv.py FILE ... [--fps 48] [--model dis]
        [--style plain] [--mpv OPTION ...] [--also COMMAND ...] [--tests]

Plays each film once, without a window, and prints a row of a table: the share of pictures that were
made, of the film's own and of those that stood in for lack of time, the 95th percentile of mpv's
``avsync``, dropped frames, and the seconds from the start of mpv to the first picture. ``--tests``
adds how the tests of the script went: every kind of seek, keys, playlists, engines and players that
are killed. ``--also`` runs the same with another mpv: by a command that runs a command elsewhere,
as in a chroot with a newer one.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
_BEFORE_END = 0.5
_HEAD = (
    "| mpv | film | rates | made | own | stand-ins | avsync p95 ms | dropped | first picture s |"
)


def main() -> None:
    """The report."""
    sys.path[:0] = [str(_ROOT / "tests")]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="+")
    for name, default in (("fps", "48"), ("model", "dis"), ("style", "plain")):
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--mpv", action="append", default=[])
    parser.add_argument("--also", action="append", default=[])
    parser.add_argument("--tests", action="store_true")
    parser.add_argument("--rows-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.rows_only:
        print(_HEAD)
        print("|---" * (_HEAD.count("|") - 1) + "|", flush=True)
    for file in arguments.file:
        print(_row(file, arguments), flush=True)
    if arguments.tests:
        print(f"| {_version()} | tests | {_tests()} |", flush=True)
    for command in arguments.also:
        words = [*shlex.split(command), sys.executable, "-P", "benchmarks/any_mpv.py"]
        words += [str(file) for file in arguments.file]
        for name in ("fps", "model", "style"):
            words += [f"--{name}", getattr(arguments, name)]
        words += [f"--mpv={option}" for option in arguments.mpv]
        words += ["--rows-only", *(["--tests"] if arguments.tests else [])]
        subprocess.run(words, check=True, cwd=_ROOT)


def _row(file: Path, arguments: argparse.Namespace) -> str:
    """Play a film; what there is to say of it."""
    from anympv import AnyMpv

    chosen = {name: getattr(arguments, name) for name in ("fps", "model", "style")}
    options = tuple(f"--{word}" for word in ("keep-open", *arguments.mpv))
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        with AnyMpv(Path(folder), file.resolve(), mpv=options, **chosen) as mpv:
            mpv.begin()
            first = time.monotonic() - begin
            end = mpv.player.duration - _BEFORE_END
            mpv.wait(lambda: (mpv.player.time_pos or 0) > end, "the end")
            told, drops = mpv.tell(), mpv.player.frame_drop_count
            version = mpv.player.mpv_version
    frames: dict[str, Any] = told["frames"]
    total = sum(frames.values())
    shares = [f"{frames.get(name, 0) / total:.0%}" for name in ("synthetic", "copy", "cheap")]
    late = sorted(map(abs, told["avsync_ms"]))
    p95 = f"{late[int(0.95 * (len(late) - 1))]:.1f}"
    rates = f"{told['source_rate']} to {told['target_rate']}"
    words = [version, file.name, rates, *shares, p95, str(drops), f"{first:.2f}"]
    return "| " + " | ".join(words) + " |" + ("" if not told["given_up"] else str(told["given_up"]))


def _version() -> str:
    said = subprocess.run(["mpv", "--version"], capture_output=True, text=True, check=True).stdout
    return " ".join(said.split()[:2])


def _tests() -> str:
    words = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    words += ["-m", "slow or not slow", "tests/apart/test_any_mpv.py"]
    said = subprocess.run(words, capture_output=True, text=True, check=False, cwd=_ROOT).stdout
    failed = re.findall(r"^FAILED (\S+)", said, re.MULTILINE)
    return "; ".join([said.strip().splitlines()[-1], *failed])


if __name__ == "__main__":
    main()
