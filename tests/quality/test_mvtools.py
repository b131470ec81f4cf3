"""MVTools as a method, with a stand-in for VapourSynth that speaks the same protocol."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from quality_pictures import scenery

from rtvfi.core.errors import DecodeError, UsageError
from rtvfi.quality.methods import method_of
from rtvfi.quality.mvtools import INTERPRETER, MODES
from rtvfi.quality.triplets import Triplet

if TYPE_CHECKING:
    from pathlib import Path

CPU = torch.device("cpu")
STAND_IN = """#!{python}
import json, sys
if sys.argv[1] == "-c":
    print("81")
    raise SystemExit
source, out = sys.stdin.buffer, sys.stdout.buffer
while line := source.readline():
    asked = json.loads(line)
    size = asked["width"] * asked["height"] * 3 // 2
    pictures = [source.read(size) for _ in range(asked["count"])]
    out.write(json.dumps({{"wall": 0.5, "cpu": 0.25}}).encode() + b"\\n")
    out.write(pictures[1] if asked["mode"] == "flow" else pictures[2])
    out.flush()
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "python"
    path.write_text(STAND_IN.format(python=sys.executable))
    path.chmod(0o755)
    monkeypatch.setenv(INTERPRETER, str(path))
    return path


def test_without_an_interpreter_one_sentence_says_which_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(INTERPRETER, raising=False)
    with pytest.raises(UsageError, match="needs VapourSynth, and RTVFI_VAPOURSYNTH is not set"):
        method_of("mvtools", CPU)


def test_an_interpreter_without_vapoursynth_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INTERPRETER, sys.executable)
    with pytest.raises(UsageError, match="has no VapourSynth with MVTools"):
        method_of("mvtools", CPU)
    monkeypatch.setenv(INTERPRETER, "/nowhere/python")
    with pytest.raises(UsageError, match="cannot be run"):
        method_of("mvtools", CPU)


@pytest.mark.usefixtures("stand_in")
def test_the_ends_are_given_twice_and_the_mode_is_told() -> None:
    left, right = scenery(), scenery(4)
    for name in MODES:
        method = method_of(name, CPU)
        made = method.between(left, right)
        wanted = left if MODES[name] == "flow" else right
        assert np.array_equal(made.y, wanted.y)
        assert np.array_equal(made.uv, wanted.uv)
        assert method.cost(Triplet("a_1", left, left, right)) == (0.5, 0.25)
        assert method.origin == "VapourSynth R81"


def test_a_process_that_ends_is_an_error(stand_in: Path) -> None:
    stand_in.write_text(
        stand_in.read_text().replace("source, out =", "raise SystemExit\nsource, out =")
    )
    method = method_of("mvtools", CPU)
    with pytest.raises(DecodeError, match="returned no picture"):
        method.between(scenery(), scenery(4))
