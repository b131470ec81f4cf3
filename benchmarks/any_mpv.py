"""A film in a real mpv with our script: how smooth, how far from the sound, how soon.

    PYTHONPATH=. .venv/bin/python -P benchmarks/any_mpv.py FILE [--fps 48] [--model dis]
        [--style plain] [--mpv OPTION ...]

Plays the film once, without a window, and prints what the engine tells shortly before its end: the
share of pictures that were made, of the film's own and of those that stood in for lack of time, the
95th percentile of mpv's ``avsync``, dropped frames, and the seconds from the start of mpv to the
first picture.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

_BEFORE_END = 0.5


def main() -> None:
    """The report."""
    sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]
    from anympv import AnyMpv

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    for name, default in (("fps", "48"), ("model", "dis"), ("style", "plain")):
        parser.add_argument(f"--{name}", default=default)
    parser.add_argument("--mpv", action="append", default=[])
    arguments = parser.parse_args()
    chosen = {name: getattr(arguments, name) for name in ("fps", "model", "style")}
    options = tuple(f"--{word}" for word in ("keep-open", *arguments.mpv))
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        with AnyMpv(Path(folder), arguments.file.resolve(), mpv=options, **chosen) as mpv:
            mpv.begin()
            first = time.monotonic() - begin
            is_ours = mpv.is_ours_shown
            end = mpv.player.duration - _BEFORE_END
            mpv.wait(lambda: (mpv.player.time_pos or 0) > end, "the end")
            told, drops = mpv.tell(), mpv.player.frame_drop_count
    frames = told["frames"]
    total = sum(frames.values())
    shares = ", ".join(f"{name} {count / total:.0%}" for name, count in sorted(frames.items()))
    late = sorted(told["avsync_ms"])
    print(f"{arguments.file.name}: {told['source_rate']} to {told['target_rate']}, {chosen}")
    print(f"smooth from the first picture: {is_ours}; first picture after {first:.2f} s")
    print(f"{total} pictures: {shares}; given up: {told['given_up'] or 'nothing'}")
    print(f"avsync p95 {late[int(0.95 * (len(late) - 1))]:.1f} ms, dropped {drops}")


if __name__ == "__main__":
    main()
