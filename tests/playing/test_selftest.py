"""A GPU that is tested while a film plays: the film plays on, whatever comes of it."""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import device_faults
import pytest
from clips import Clips, ClipSpec
from playing import Playing

from rtvfi.core.hardware.verdict import FORMS, Form, Verdict
from rtvfi.core.options import StreamOptions
from rtvfi.engine import trusted
from rtvfi.engine.proof.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable

    Play = Callable[..., Playing]

pytestmark = pytest.mark.mpv

FEATURE = ClipSpec(num_frames=84, size=(160, 90))
PLAIN = StreamOptions(style="plain")
PASSED = Verdict(form=FORMS[0], name="Radeon", library="MIOpen")
FAILED = replace(PASSED, form=None, failures=("a convolution failed: it was ended by SIGSEGV",))


class Slow:
    """A self-test that ends when the test says so, or when it is abandoned."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self.may_end, self.begun, self.is_abandoned = (threading.Event() for _ in range(3))

    def __call__(self, _device: str) -> Slow:
        return self

    def verdict(self) -> Verdict | None:
        self.begun.set()
        assert self.may_end.wait(60)
        return None if self.is_abandoned.is_set() else self._verdict

    def abandon(self) -> None:
        self.is_abandoned.set()
        self.may_end.set()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Slow:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(trusted, "is_gpu_wanted", lambda name: name != "cpu")
    made = Slow(PASSED)
    monkeypatch.setattr(trusted, "Trial", made)
    return made


def playing(monkeypatch: pytest.MonkeyPatch, film: Path, **more: Any) -> Playing:
    fields: dict[str, Any] = {"model": "linear", "stream": PLAIN, "device": "auto"}
    return Playing(monkeypatch, film, **fields | more)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, clips: Clips) -> Play:
    """``playing`` with a clip."""
    return partial(playing, monkeypatch, clips.get(FEATURE))


def wait_for_the_model(film: Playing) -> None:
    """Wait until all that the end of the test brings about has been done."""
    showing, joined = film._player._showing, threading.Event()
    tester = showing.model._tester
    assert tester is not None
    tester.do(lambda: showing._worker.do(joined.set))
    assert joined.wait(60)


def test_the_film_plays_to_its_end_while_the_gpu_is_tested(
    play: Play, slow: Slow, tmp_path: Path
) -> None:
    out = tmp_path / "report.json"
    options = {"pause": "no", "speed": "4"}
    with play(mpv=options, report=out) as film:
        assert slow.begun.wait(60)
        assert film.join() == 0  # the test has not ended yet
    report = json.loads(out.read_text())
    assert slow.is_abandoned.is_set()
    assert report["frames"]["produced"] >= FEATURE.num_frames
    assert report["frames"]["interpolated"] == 0


def test_the_model_joins_when_the_gpu_has_passed(
    play: Play, slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with play() as film:
        assert slow.begun.wait(60)
        film.wait_for("playback-restart")
        film.land(1.0)  # seeking works meanwhile
        model = film._player._showing.model
        assert model._executor is None
        slow.may_end.set()
        wait_for_the_model(film)
        assert model._executor is not None
        film.land(2.0)
    said = [r.getMessage() for r in caplog.records]
    assert said.count("the GPU is tested before its first use; the film plays meanwhile") == 1


def test_a_gpu_that_fails_leaves_the_film_to_dis(
    play: Play, slow: Slow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    slow._verdict = FAILED
    out = tmp_path / "report.json"
    fields = {"is_model_ours": True, "report": out}
    with play(**fields) as film:
        assert slow.begun.wait(60)
        slow.may_end.set()
        wait_for_the_model(film)
        film.land(1.0)
    report = json.loads(out.read_text())
    assert report["live"]["model"] == "dis"
    assert report["live"]["selftest"].startswith("Radeon failed its self-test")
    said = [r.getMessage() for r in caplog.records if "failed its self-test" in r.getMessage()]
    assert said == [report["live"]["selftest"]]


def test_a_gpu_asked_for_by_name_is_not_replaced(
    play: Play, slow: Slow, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slow._verdict = FAILED
    slow.may_end.set()
    out = tmp_path / "report.json"
    with play(device="cuda:0", report=out) as film:
        assert slow.begun.wait(60)
        wait_for_the_model(film)
        film.land(1.0)  # as it is
    report = json.loads(out.read_text())
    assert report["frames"]["interpolated"] == 0
    assert 'device "cuda:0" failed its self-test' in report["live"]["failure"]
    assert "--selftest off" in caplog.text


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("fault", "form"),
    [("crash", None), ("hang_in_half", FORMS[1]), ("off", None), ("nan_in_half", FORMS[1])],
)
def test_the_film_plays_while_children_crash_and_hang(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str, form: Form | None
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(device_faults.__file__).parent))
    monkeypatch.setattr(trusted, "is_gpu_wanted", lambda name: name != "cpu")
    more = device_faults.hook(fault)
    monkeypatch.setattr(trusted, "Trial", lambda _: Trial("cpu", **more, silence=30))
    options = {"pause": "no", "loop-file": "inf"}
    with playing(monkeypatch, clips.get(FEATURE), mpv=options) as film:
        seen: list[float] = []
        film.mpv.observe_property("time-pos", lambda *_: seen.append(time.monotonic()))
        film.wait_for("playback-restart")
        film.wait(lambda: film._player._showing.model._tester is not None, "the test")
        tester, tested = film._player._showing.model._tester, threading.Event()
        assert tester is not None
        tester.do(tested.set)
        assert tested.wait(300)
        trust = film._player._showing.model.host.trust
        assert trust.verdict is not None
        assert trust.verdict.form == form
        gaps = [b - a for a, b in pairwise(seen)]
        sys.stderr.write(f"{fault}: {len(seen)} pictures, longest gap {max(gaps):.2f} s\n")
        assert len(seen) > FEATURE.num_frames  # it went round
