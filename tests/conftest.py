"""Fixtures every test may use, and what holds for every one: no thread left, no ERROR logged."""

from __future__ import annotations

import ctypes.util
import logging
import os
import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from clips import Clips
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator

# Before torch is imported: on small pictures its threads mostly wait for each other, and on a busy
# machine they multiply the time of the whole suite by ten.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent
THREAD_GRACE_SECONDS = 30.0
"""How long a thread that was told to end may take to do so."""


# --- for every test --------------------------------------------------------------------------

# A slow machine is not a wrong program: no test looks at wall time.
settings.register_profile("rtvfi", deadline=None)
settings.load_profile("rtvfi")


@pytest.fixture(autouse=True)
def _own_settings_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of whoever runs the tests are not read, nor what was measured for them, nor how
    they were started.
    """
    monkeypatch.delenv("RTVFI_COMMAND", raising=False)
    monkeypatch.setenv("RTVFI_CONFIG", "")
    monkeypatch.setenv("XDG_DATA_HOME", "/nonexistent")


@pytest.fixture(autouse=True)
def _no_thread_left() -> Generator[None]:
    before = set(threading.enumerate())
    yield
    new = [
        thread
        for thread in threading.enumerate()
        # A thread of mpv's that once called into Python stays listed, as a dummy.
        if thread not in before and not isinstance(thread, threading._DummyThread)
    ]
    for thread in new:
        thread.join(THREAD_GRACE_SECONDS)
    left = [thread.name for thread in new if thread.is_alive()]
    if left:
        pytest.fail(f"threads left behind: {', '.join(left)}")


@pytest.fixture
def inference() -> Generator[None]:
    """torch without gradients."""
    import torch

    with torch.inference_mode():
        yield


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def _logged_errors() -> Generator[list[logging.LogRecord]]:
    handler = _Errors()
    logging.getLogger().addHandler(handler)
    yield handler.records
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def error_log(_logged_errors: list[logging.LogRecord]) -> list[logging.LogRecord]:
    """What was logged at ERROR so far; a test that asks for it may cause some."""
    return _logged_errors


@pytest.fixture(autouse=True)
def _no_error_logged(
    request: pytest.FixtureRequest, _logged_errors: list[logging.LogRecord]
) -> Generator[None]:
    yield
    if _logged_errors and "error_log" not in request.fixturenames:
        pytest.fail("logged: " + "; ".join(record.getMessage() for record in _logged_errors))


@pytest.fixture(autouse=True)
def _surroundings_restored() -> Generator[None]:
    folder, state, numpy_state = Path.cwd(), random.getstate(), np.random.get_state()
    yield
    random.setstate(state)
    np.random.set_state(numpy_state)
    if Path.cwd() != folder:
        os.chdir(folder)
        pytest.fail("the working directory was changed")


# --- what a machine may lack -----------------------------------------------------------------


def _lacks(need: str) -> str:
    """Why tests with that marker cannot run here, or nothing."""
    if need == "mpv" and not ctypes.util.find_library("mpv"):
        return "no libmpv"
    if need == "vaapi" and not any(Path("/dev/dri").glob("renderD*")):
        return "no VA-API device"
    if need == "gpu":
        import torch

        if not torch.cuda.is_available():
            return "no GPU"
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip by marker."""
    for need in ("mpv", "vaapi", "gpu"):
        if item.get_closest_marker(need) and (reason := _lacks(need)):
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """RTVFI_REQUIRE=gpu,mpv: a test with such a marker that skips, for whatever reason, fails."""
    report = yield
    required = [need for need in os.environ.get("RTVFI_REQUIRE", "").split(",") if need]
    needed = [need for need in required if item.get_closest_marker(need)]
    if report.skipped and needed and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped, but RTVFI_REQUIRE asks for {', '.join(needed)}: {report.longrepr}"
        )
    return report


# --- material --------------------------------------------------------------------------------


@pytest.fixture
def logging_restored() -> Generator[None]:
    """For tests of ``cli.main``, which configures logging for a process of its own."""
    root, ours = logging.getLogger(), logging.getLogger("rtvfi")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Clips made by code, written once per session when first asked for."""
    return Clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of material that is not part of the project: $RTVFI_SHARED, else beside it."""
    folder = Path(os.environ.get("RTVFI_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip("no shared folder (RTVFI_SHARED)")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT
