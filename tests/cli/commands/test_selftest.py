from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rtvfi.cli import main as cli
from rtvfi.core.hardware.verdict import FORMS, Verdict, keep
from rtvfi.engine import trusted

if TYPE_CHECKING:
    from pathlib import Path

PASSED = Verdict(form=FORMS[0], name="Radeon", date="2026-11-30", seconds=9)
REDUCED = replace(PASSED, form=FORMS[1], failures=("half is off",))
FAILED = replace(PASSED, form=None, failures=("it hung",))


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(trusted, "is_gpu_wanted", lambda _name: True)


def run(monkeypatch: pytest.MonkeyPatch, found: Verdict | None, *words: str) -> int:
    class Trial:
        def __init__(self, _device: str) -> None: ...

        def verdict(self) -> Verdict | None:
            return found

    monkeypatch.setattr(trusted, "Trial", Trial)
    return cli.main(["selftest", *words])


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (PASSED, 0, "Radeon computes correctly in half precision; tested on 2026-11-30 in 9 s"),
        (REDUCED, 0, "Radeon computes in float32, as its self-test demands (half is off)"),
        (FAILED, 1, "Radeon failed its self-test, so the processor computes (it hung)"),
    ],
)
def test_the_test_is_made_told_and_kept(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: Verdict,
    code: int,
    words: str,
) -> None:
    keep("auto", PASSED)  # is tested anew
    assert run(monkeypatch, found) == code
    assert words in capsys.readouterr().out
    assert run(monkeypatch, None, "--known") == code
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("found", "rank"),
    [(PASSED, 4), (REDUCED, 3), (replace(REDUCED, form=FORMS[3]), 1), (FAILED, 0), (None, 0)],
)
def test_the_launcher_gets_a_number(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    found: Verdict | None,
    rank: int,
) -> None:
    assert run(monkeypatch, found, "--rank") == 0
    said = capsys.readouterr()
    assert said.out == f"{rank}\n"
    assert said.err


def test_what_was_not_tested_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, None, "--known") == 1
    assert "the GPU has not been tested yet" in capsys.readouterr().err


def test_no_gpu_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trusted, "is_gpu_wanted", lambda _name: False)
    assert cli.main(["selftest"]) == 1
    assert "there is no GPU that this version of torch can use" in capsys.readouterr().err
