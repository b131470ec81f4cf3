from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from rtvfi.core.errors import WeightsMismatch
from rtvfi.doctor.files import broken
from rtvfi.models.cel.network import CelNet, build
from rtvfi.models.cel.shape import CelShape
from rtvfi.train.export import export, main

if TYPE_CHECKING:
    from pathlib import Path

SHAPE = CelShape(features=(4, 4, 4), widths=(4, 4, 4), match=(4, 4, 4))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    with torch.random.fork_rng():
        torch.save(CelNet(SHAPE).state_dict(), tmp_path / "best.pt")
    lines = [{"step": step, "select": score} for step, score in ((1, 30.0), (2, 32.0), (3, 31.0))]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_an_exported_file_loads_in_half_precision(run: Path) -> None:
    export(run, run / "cel.safetensors", {})
    weights = load_file(run / "cel.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert build(weights).shape == SHAPE


def test_the_header_tells_which_step_and_how_good(run: Path) -> None:
    export(run, run / "cel.safetensors", {"machine": "a test"})
    with safe_open(run / "cel.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata["step"] == "2"
    assert metadata["select"] == "32.0"
    assert metadata["machine"] == "a test"
    assert metadata["licence"] == "CC0-1.0"


def test_a_damaged_file_is_told_by_the_hash_in_its_header(run: Path) -> None:
    path = run / "cel.safetensors"
    export(run, path, {})
    assert broken(path) == ""
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert "changed since" in broken(path)


def test_what_is_no_cel_network_is_not_exported(run: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, run / "best.pt")
    with pytest.raises(WeightsMismatch):
        export(run, run / "cel.safetensors", {})
    assert not (run / "cel.safetensors").exists()


def test_a_log_cut_short_by_a_kill_is_no_hindrance(run: Path) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "sel')
    assert export(run, run / "cel.safetensors", {})["step"] == "2"


def test_a_run_without_weights_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path), str(tmp_path / "cel.safetensors")])
    assert "has no best.pt" in capsys.readouterr().err
