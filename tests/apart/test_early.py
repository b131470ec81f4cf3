"""The engine of our own window is there before the window, and never outlives it."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from anympv import PATIENCE, ROOT, OwnWindow, wait_gone
from clips import ClipSpec

from rtvfi.apart import early
from rtvfi.apart.engines import Engines
from rtvfi.apart.sockets import FOR_MPV, place_for_mpv, remove_socket
from rtvfi.core.errors import DeviceError, UsageError
from rtvfi.settings.config import play_options, resolve_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from clips import Clips

pytestmark = pytest.mark.timeout(240)

FEATURE: Final = ClipSpec(num_frames=240, gop=48, audio=True)
DIES: Final = """
import os, signal, sys
from rtvfi.apart import early
from rtvfi.cli.main import main
early._serve = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(main())
"""
"""``rtvfi`` whose early engine is killed before it has done anything."""


# ---- the two ends ----


def child(*words: str) -> tuple[early.EarlyEngine, socket.socket]:
    """An engine that is some other program, and the engine's end of the channel."""
    ours, its = socket.socketpair()
    err, its_err = os.pipe()
    pid = os.posix_spawnp(
        words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, its_err, 2)]
    )
    os.close(its_err)
    return early.EarlyEngine(pid, ours, os.open(os.devnull, os.O_RDONLY), err), its


class Window:
    """A window that hears of the ends of its engines."""

    def __init__(self) -> None:
        self._told: queue.SimpleQueue[tuple[int | None, str]] = queue.SimpleQueue()
        self.engines = Engines(lambda status, messages: self._told.put((status, messages)))

    def ended(self) -> tuple[int | None, str]:
        """Wait for the news of an end."""
        return self._told.get(timeout=PATIENCE)


def test_the_window_learns_how_its_engines_ended_and_what_they_said() -> None:
    window = Window()
    for what, status, said in (
        ("echo error: it is broken >&2; exit 3", 3, "error: it is broken\n"),
        ("kill -9 $$", -9, ""),
    ):
        engine, its = child("sh", "-c", what)
        its.close()
        window.engines.adopt(engine)()
        assert window.ended() == (status, said)
        engine.kill()  # of one that has ended: nothing
        window.engines.start(json.dumps(["sh", "-c", what]))
        assert window.ended() == (status, said)
    ends = [engine.early_end for engine in window.engines.all]
    assert ends == ["it is broken"] * 2 + ["killed by SIGKILL"] * 2


def test_warnings_of_engines_reach_the_terminal_while_they_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    window = Window()
    window.engines.start(json.dumps(["sh", "-c", "echo warning: no sound >&2; exec sleep 1000"]))
    deadline = time.monotonic() + PATIENCE
    while "no sound" not in caplog.messages:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    window.engines.end("leave")
    assert window.ended() == (-9, "warning: no sound\n")
    assert window.engines.all[0].early_end == ""


def test_the_end_of_an_engine_is_reported_though_its_child_holds_its_pipes() -> None:
    window = Window()
    window.engines.start(json.dumps(["sh", "-c", "sleep 1000 & echo $! >&2; kill -9 $$"]))
    status, said = window.ended()
    os.kill(int(said), signal.SIGKILL)
    assert status == -signal.SIGKILL


def test_an_engine_is_waited_for_by_any_number_of_threads() -> None:
    engine, its = child("sleep", "1000")
    its.close()
    found: queue.SimpleQueue[int] = queue.SimpleQueue()
    threads = [threading.Thread(target=lambda: found.put(engine.wait())) for _ in range(4)]
    for thread in threads:
        thread.start()
    engine.kill()
    assert [found.get(timeout=PATIENCE) for _ in threads] == [-9] * 4
    assert engine.wait() == -9


def test_an_engine_that_does_not_end_by_itself_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "LEAVE_SECONDS", 0.05)
    engine, its = child("sleep", "1000")
    its.close()
    engine.close()
    wait_gone(engine.pid)


@pytest.mark.parametrize(("code", "kind"), [(1, DeviceError), (2, UsageError)])
def test_what_cannot_run_is_said_before_a_window_opens(code: int, kind: type[Exception]) -> None:
    engine, its = child("true")
    early._send(its, {"exit_code": code, "message": "no such GPU", "hint": "another"})
    its.close()
    with pytest.raises(kind, match="no such GPU"):
        engine.check()
    wait_gone(engine.pid)


@pytest.mark.parametrize("line", [b"{}\n", b""])
def test_an_engine_that_is_well_or_dead_keeps_no_window_from_opening(line: bytes) -> None:
    engine, its = child("true")
    its.sendall(line)
    its.close()
    engine.check()
    engine.close()


def test_a_process_with_threads_begins_none() -> None:
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    options = play_options(resolve_config({"model": "copy"}, preset="default"), ("film.mkv",))
    try:
        assert early.begin(options) is None
    finally:
        leave.set()
        thread.join()


def test_nobody_is_waited_for_who_does_not_listen_when_the_window_has_ended(tmp_path: Path) -> None:
    ours, its = socket.socketpair()
    ours.close()
    with its:
        assert early._connected(tmp_path / "nobody.sock", its) is None


@pytest.mark.parametrize("runtime", ["", "/no/such/folder", "/proc/version"])
def test_the_socket_of_a_window_leaves_no_folder(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
    path = place_for_mpv()
    assert path.parent.stat().st_mode & 0o777 == 0o700
    remove_socket(path, FOR_MPV)
    assert not path.parent.exists()


# ---- all of it ----


class Dying(OwnWindow):
    """A window whose first engine dies at once."""

    def _command(self, mpv: tuple[str, ...], files: list[str]) -> list[str]:
        words = super()._command(mpv, files)
        return [sys.executable, "-P", "-c", DIES, *words[words.index("play") :]]


def marked(mark: str) -> list[int]:
    """Processes with this text in the environment they were started with."""
    found = []
    for entry in [*Path("/proc").iterdir()]:  # read at once: processes come and go
        if not entry.name.isdecimal():
            continue
        try:
            if mark.encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it has ended
            continue
    return found


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., tuple[subprocess.Popen[str], str]]:
    """Begins ``rtvfi play``, apart, with an environment that tells all its processes."""

    def begin(*words: str) -> tuple[subprocess.Popen[str], str]:
        mark = uuid.uuid4().hex
        runtime = tmp_path / "run"
        runtime.mkdir(mode=0o700)
        command = ["play", "--engine", "apart", "--model", "copy", "--device", "cpu", *words]
        environ = {"PYTHONPATH": str(ROOT), "RTVFI_CONFIG": "", "RTVFI_MARK": mark}
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rtvfi", *command, "--mpv", "vo=null", "--mpv", "ao=null"],
            env={**os.environ, **environ, "XDG_RUNTIME_DIR": str(runtime)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return process, mark

    return begin


def left(mark: str, tmp_path: Path) -> list[Path]:
    """Wait until none of the processes is there; what else is left."""
    for pid in marked(mark):
        wait_gone(pid)
    return [*(tmp_path / "run").iterdir()]


@pytest.mark.mpv
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("bad.mkv",), 1, "cannot be played"),
        (("bad.mkv", "--mpv", "no-such=1"), 2, 'no option "no-such"'),
    ],
    ids=["no film", "no window"],
)
def test_no_engine_is_left_without(
    play: Callable[..., tuple[subprocess.Popen[str], str]],
    tmp_path: Path,
    words: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    bad = tmp_path / "bad.mkv"
    bad.write_text("no film")
    process, mark = play(str(bad), *words[1:])
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, errors
    assert said in errors
    assert left(mark, tmp_path) == []


@pytest.mark.mpv
def test_an_engine_that_dies_before_the_window_is_there_is_followed_by_another(
    clips: Clips, tmp_path: Path
) -> None:
    with Dying(tmp_path, clips.get(FEATURE)) as window:
        window.begin()
        window.wait_ours()
        window.quit()


@pytest.mark.mpv
def test_the_first_engine_is_begun_by_the_window_and_ends_with_ctrl_c(
    clips: Clips, tmp_path: Path
) -> None:
    with OwnWindow(tmp_path, clips.get(FEATURE)) as window:
        window.begin()
        window.wait_ours()
        pid = window.tell()["pid"]
        assert Path(f"/proc/{pid}/comm").read_text() == "rtvfi-engine\n"
        assert os.getsid(pid) == pid
        window.process.send_signal(signal.SIGINT)
        window.leaves_nothing(pid, 130)
