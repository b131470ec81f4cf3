"""What a self-test found out, in words and kept."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from rtvfi.core.hardware import guess, machine, verdict
from rtvfi.core.hardware.verdict import FORMS, Form, Verdict, keep, kept

PASSED = Verdict(form=FORMS[0], name="Radeon RX 7800", library="MIOpen", date="2026-11-30")
FAILED = replace(PASSED, form=None, failures=("a convolution failed: SIGSEGV", "it hung"))


@pytest.fixture(autouse=True)
def _cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("found", [PASSED, FAILED, replace(PASSED, form=Form(False, False))])
def test_a_verdict_is_kept_for_the_next_start(found: Verdict) -> None:
    assert kept("auto") is None
    keep("auto", found)
    assert kept("auto") == found
    assert kept("cuda:1") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda m, _: m.setattr(machine, "torch_version", lambda: "2.14.0+rocm7.2"),
        lambda m, _: m.setattr(machine, "kernel", lambda _root: "6.19.0"),
        lambda m, _: m.setattr(machine, "gpu_driver", lambda _root: "590.1"),
        lambda m, _: m.setattr(machine, "gpus", lambda _root: [machine.Gpu("amd", "x", "gfx1100")]),
        lambda m, _: m.setattr(verdict, "TEST_VERSION", 99),
        lambda m, _: m.setenv("HSA_OVERRIDE_GFX_VERSION", "11.0.0"),
    ],
    ids=["torch", "kernel", "driver", "chip", "test", "override"],
)
def test_a_change_below_makes_it_void(monkeypatch: pytest.MonkeyPatch, change: object) -> None:
    keep("auto", PASSED)
    change(monkeypatch, None)  # type: ignore[operator]
    assert kept("auto") is None


def test_the_mask_that_we_set_ourselves_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "")
    keep("auto", PASSED)
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "1")
    assert kept("auto") is None  # the user's
    monkeypatch.setenv(verdict.OWN_MASK, "1")
    assert kept("auto") == PASSED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": {}, "verdict": {}}', "null"])
def test_a_file_that_is_none_counts_as_not_tested(text: str) -> None:
    keep("auto", PASSED)
    (file,) = Path(verdict._file(verdict.key_of("auto"))).parent.iterdir()
    file.write_text(text)
    assert kept("auto") is None


def test_a_form_that_is_none_counts_as_not_tested() -> None:
    keep("auto", PASSED)
    file = verdict._file(verdict.key_of("auto"))
    file.write_text(file.read_text().replace('"form": [\n      true', '"form": [\n      7'))
    assert kept("auto") is None


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (FORMS[0], ""),
        (FORMS[1], "computes in float32, as"),
        (FORMS[2], "computes without MIOpen, as"),
        (FORMS[3], "computes in float32 and without MIOpen, as"),
        (None, "failed its self-test, so the processor computes"),
    ],
)
def test_what_is_given_up_is_one_sentence(form: Form | None, words: str) -> None:
    said = replace(PASSED, form=form, failures=("it was wrong",)).sentence()
    assert words in said
    assert (not said) == (not words)
    assert not words or said.startswith("Radeon RX 7800")


def test_the_sentence_tells_the_first_failure_only() -> None:
    assert FAILED.sentence().endswith("(a convolution failed: SIGSEGV)")


def test_what_fails_beside_a_window_renders_and_does_not_play() -> None:
    wrong = ("half is off", "with OpenGL it crashed")
    found = replace(PASSED, form=FORMS[1], fails_beside_window=True, failures=wrong)
    assert found.sentence(is_live=True).endswith("(with OpenGL it crashed)")
    assert found.sentence().endswith("(half is off)")
    found = replace(PASSED, fails_beside_window=True, failures=wrong[1:])
    assert found.works(is_live=False)
    assert not found.works(is_live=True)
    assert "the processor computes" in found.sentence(is_live=True)
    assert found.sentence() == ""


def test_a_gpu_that_failed_counts_as_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0+rocm7.2")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    assert guess.hardware_guess(tmp_path) == "rocm"
    keep("auto", FAILED, tmp_path)
    assert guess.hardware_guess(tmp_path) == "cpu"
