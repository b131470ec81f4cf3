"""The way down from form to form, with processes that only pretend."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import device_faults
import pytest

from rtvfi.core.hardware.verdict import FORMS, Form
from rtvfi.core.python_process import TOO_LONG
from rtvfi.engine.proof import trial
from rtvfi.engine.proof.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

BEGUN: list[dict[str, Any]] = [
    {"doing": "the import of torch"},
    {"doing": "the start of the device", "library": "MIOpen"},
    {"name": "Radeon"},
    {"doing": "a 3x3 convolution in float16"},
]
RIGHT: list[dict[str, Any]] = [
    *BEGUN,
    {"right": True, "is_repeatable": True},
    {"done": True, "gl": None},
]
CRASH = "it was ended by SIGSEGV"
Said = tuple[list[dict[str, Any]], str]


class Pretended:
    def __init__(self, said: Said) -> None:
        self._lines, self._end = said

    def found(self, deadline: float, silence: float) -> Iterator[dict[str, Any]]:
        assert deadline > silence > 0
        yield from self._lines

    def end(self) -> str:
        return self._end

    def kill(self) -> None:
        raise AssertionError("nobody abandoned it")


class Started:
    """Starts pretended processes, and keeps what they were asked."""

    def __init__(self, answer: Callable[[Form, str], Said]) -> None:
        self._answer = answer
        self.asked: list[tuple[Form, str]] = []

    def __call__(self, request: Mapping[str, Any]) -> Pretended:
        form = request["form"]
        self.asked.append((form, request["gl"]))
        return Pretended(self._answer(form, request["gl"]))


def test_what_is_right_is_tried_alone_and_beside_opengl() -> None:
    started = Started(lambda _form, _gl: (RIGHT, ""))
    found = Trial("cuda", started).verdict()
    assert found is not None
    assert (found.form, found.failures, found.name) == (FORMS[0], (), "Radeon")
    assert started.asked == [(FORMS[0], gl) for gl in ("none", "before", "after")]
    assert found.date


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ((BEGUN, CRASH), "a 3x3 convolution in float16 failed: it was ended by SIGSEGV"),
        (([*BEGUN, {"wrong": "a convolution is off by 0.01"}], ""), "is off by 0.01"),
        (([*BEGUN, {"refused": "miopenStatusUnknownError"}], ""), "miopenStatusUnknownError"),
    ],
    ids=["crash", "wrong", "refused"],
)
def test_what_fails_in_the_forms_before_is_not_used(number: int, bad: Said, words: str) -> None:
    started = Started(lambda form, _gl: bad if FORMS.index(form) < number else (RIGHT, ""))
    found = Trial("cuda", started).verdict()
    assert found is not None
    assert found.form == FORMS[number]
    assert len(found.failures) == 1  # the same is said once
    assert words in found.failures[0]
    assert words in found.sentence()


def test_where_no_form_is_right_the_processor_computes() -> None:
    found = Trial("cuda", Started(lambda _form, _gl: (BEGUN, CRASH))).verdict()
    assert found is not None
    assert found.form is None
    assert not found.is_torch_broken


def test_a_gpu_that_hung_twice_is_left_alone() -> None:
    started = Started(lambda _form, _gl: (BEGUN, TOO_LONG))
    found = Trial("cuda", started).verdict()
    assert found is not None
    assert found.form is None
    assert len(started.asked) == 2
    assert found.failures == ("a 3x3 convolution in float16 did not end",)


def test_a_torch_that_cannot_be_imported_is_not_tried_again() -> None:
    started = Started(lambda _form, _gl: (BEGUN[:1], CRASH))
    found = Trial("cuda", started).verdict()
    assert found is not None
    assert found.is_torch_broken
    assert len(started.asked) == 1


@pytest.mark.parametrize("order", ["before", "after"])
def test_a_crash_beside_opengl_is_told_apart(order: str) -> None:
    started = Started(lambda _form, gl: (BEGUN, CRASH) if gl == order else (RIGHT, ""))
    found = Trial("cuda", started).verdict()
    assert found is not None
    assert found.form == FORMS[0]
    assert found.fails_beside_window
    assert f"with OpenGL begun {order} it" in found.sentence(is_live=True)


def test_no_device_is_no_verdict() -> None:
    assert (
        Trial("cuda", Started(lambda _form, _gl: ([*BEGUN, {"absent": True}], ""))).verdict()
        is None
    )


def test_memory_that_is_full_says_nothing_about_the_device() -> None:
    found = Trial("cuda", Started(lambda _form, _gl: ([*BEGUN, {"full": True}], ""))).verdict()
    assert found is not None
    assert found.form is None
    assert not found.is_final


def test_bits_that_change_are_noted() -> None:
    said = [*BEGUN, {"right": True, "is_repeatable": False}, {"done": True}]
    found = Trial("cuda", Started(lambda _form, _gl: (said, ""))).verdict()
    assert found is not None
    assert found.form == FORMS[0]
    assert not found.is_repeatable


def test_a_test_that_was_abandoned_before_it_began_starts_nothing() -> None:
    started = Started(lambda _form, _gl: (RIGHT, ""))
    one = Trial("cuda", started)
    one.abandon()
    assert one.verdict() is None
    assert started.asked == []


def test_miopen_is_not_let_search_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Mapping[str, str]] = []

    def process(_module: str, _arguments: object, environ: Mapping[str, str]) -> Pretended:
        asked.append(environ)
        return Pretended((RIGHT, ""))

    monkeypatch.setenv("MIOPEN_FIND_MODE", "NORMAL")  # as warmup sets it
    monkeypatch.setattr(trial, "PythonProcess", process)
    assert Trial("cuda").verdict() is not None
    assert {environ["MIOPEN_FIND_MODE"] for environ in asked} == {"FAST"}


# --- real processes --------------------------------------------------------------------------


@pytest.fixture
def _hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(device_faults.__file__).rpartition("/")[0])
    monkeypatch.setenv("PYTHONPATH", str(device_faults.__file__).rpartition("/")[0])


@pytest.mark.usefixtures("_hooks")
def test_a_process_that_crashes_is_survived() -> None:
    found = Trial("cpu", **device_faults.hook("crash_at_import")).verdict()
    assert found is not None
    assert found.is_torch_broken
    assert found.failures == ("the import of torch failed: it was ended by SIGSEGV",)


@pytest.mark.usefixtures("_hooks")
def test_a_process_that_hangs_is_ended_when_nobody_wants_it() -> None:
    one = Trial("cpu", **device_faults.hook("hang_at_import"))
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(one.verdict()))
    thread.start()
    one.abandon()  # before it began, or in the middle of it
    thread.join(60)
    assert results == [None]


PROCESSOR = None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_hooks")
@pytest.mark.parametrize(
    ("fault", "form"),
    [
        ("crash", PROCESSOR),
        ("crash_in_half", FORMS[1]),
        ("crash_in_half_of_the_library", FORMS[1]),
        ("off", PROCESSOR),
        ("nan_in_half", FORMS[1]),
        ("wrong_with_the_library", FORMS[2]),
        ("refused_by_the_library", FORMS[2]),
        ("wrong_in_the_fifth_run", PROCESSOR),
        ("memory_full", PROCESSOR),
        ("crash_beside_opengl", FORMS[0]),
    ],
)
def test_each_fault_ends_in_its_form(fault: str, form: Form | None) -> None:
    found = Trial("cpu", **device_faults.hook(fault), silence=300).verdict()
    assert found is not None
    assert found.form == form
    assert found.fails_beside_window == (fault == "crash_beside_opengl")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("_hooks")
def test_a_process_that_says_nothing_for_long_is_ended() -> None:
    found = Trial("cpu", **device_faults.hook("hang_at_import"), silence=1).verdict()
    assert found is not None
    assert found.is_torch_broken
    assert "did not end" in found.failures[0]
