"""The script that is run where there is a GPU works where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from benchmarks import bare, gpu

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 600.0
"""Far more than it takes, on a busy machine too."""


def run(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    return done.stdout


def test_weights_are_read_without_safetensors(tmp_path: Path) -> None:
    wanted = {"a.weight": torch.randn(3, 2), "b": torch.arange(5), "c": torch.randn(2).half()}
    save_file(wanted, tmp_path / "w.safetensors", metadata={"from": "here"})
    found = bare.load_file(tmp_path / "w.safetensors")
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_a_row_is_a_line_under_its_heads() -> None:
    head = gpu.line({name: name for name in gpu.COLUMNS})
    row = gpu.line({"what": "upload", "size": "1920x1080", "ms": 1.234, "mb": 7, "note": "fine"})
    assert row.index("1.23") + 4 == head.index("ms") + 2
    assert row.endswith("7  fine")


def test_a_group_that_crashes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert list(gpu.rows_of("copies", gpu.Asked("cpu", True, "", 60.0))) == [
        {"what": "ended early", "note": "exit 1: no word"}
    ]


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_paths_and_copies_are_measured_on_a_processor(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    words = ["--device=cpu", "--small", f"--json={path}", "--groups=paths,copies"]
    said = run("-m", "benchmarks.gpu", *words, f"--seconds={SECONDS}")
    rows = json.loads(path.read_text())["rows"]
    shown = [row for row in rows if row["group"] == "paths" and "ms" in row]
    assert [row["what"] for row in shown] == ["rife-4.25, plain", "rife-4.25, overlapped"]
    assert [row["differ"] for row in shown] == [0, 0]
    graphs = [row["note"] for row in rows if row.get("form") == "graph"]
    assert len(graphs) == 2
    assert all("graphs are for CUDA and ROCm" in note for note in graphs)
    assert sum(row["group"] == "copies" and row["ms"] >= 0 for row in rows) == 6
    assert "overlapped" in said


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_torch_and_the_checkout_are_enough() -> None:
    code = (
        "import sys;"
        "sys.modules.update(dict.fromkeys(['platformdirs', 'safetensors', 'cv2', 'av']));"
        "from benchmarks.gpu import Asked, child;"
        f"[child(group, Asked('cpu', True, '', {SECONDS})) for group in ('drba', 'play')]"
    )
    rows = [json.loads(line) for line in run("-c", code).splitlines()]
    assert rows[0]["ms"] > 0
    assert rows[-2] == {"what": "render and play", "note": "no: PyAV is not here"}
