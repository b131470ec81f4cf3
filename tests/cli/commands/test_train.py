from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from rtvfi.cli import main as cli
from rtvfi.models.cel.network import CelNet
from rtvfi.train.folder import RunFolder
from rtvfi.train.trainer import Trainer

if TYPE_CHECKING:
    from pathlib import Path

TINY = """
[scenes]
size = 64
fastest = 6
num_backgrounds = 2
num_sprites = 2
most_cels = 2
[feed]
num_scenes = 2
crop = 64
uses = 2
pool = 2
[train]
steps = 24
warmup = 2
cooldown = 4
validate_every = 8
checkpoint_every = 2
[shape]
features = [4, 4, 6]
match = [4, 4, 4]
widths = [6, 6, 8]
blocks = [1, 1, 1]
radii = [1, 2, 2]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def train(recipe: Path, out: Path, *more: str) -> int:
    return cli.main(["train", "--recipe", str(recipe), "--out", str(out), *more])


def start(recipe: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rtvfi", "train", "--recipe", str(recipe), "--out", str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def assert_same_weights(a: Path, b: Path) -> None:
    for name in ("last.pt", "best.pt"):
        first, second = (torch.load(run / name, weights_only=True) for run in (a, b))
        first, second = (run.get("average", run) for run in (first, second))
        for key, tensor in first.items():
            assert torch.equal(tensor, second[key]), (name, key)


def log_of(run: Path) -> list[dict[str, float]]:
    lines = (run / "log.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def test_the_same_seed_twice_gives_the_same_weights_log_and_plot(
    recipe: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        assert train(recipe, tmp_path / name) == 0
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    assert log_of(tmp_path / "a") == log_of(tmp_path / "b")
    assert [entry["step"] for entry in log_of(tmp_path / "a")] == [8, 16, 24]
    assert "held" in (tmp_path / "a" / "log.svg").read_text()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_scenes_drawn_by_workers_train_the_same_weights(recipe: Path, tmp_path: Path) -> None:
    assert train(recipe, tmp_path / "a") == 0
    assert train(recipe, tmp_path / "b", "--workers", "2") == 0
    assert_same_weights(tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_killed_again_and_again_ends_with_the_same_weights(
    recipe: Path, tmp_path: Path
) -> None:
    recipe.write_text(TINY.replace("steps = 24", "steps = 80"))
    assert train(recipe, tmp_path / "unbroken") == 0
    out = tmp_path / "killed"
    moments = random.Random(3)
    for _ in range(2):
        process = start(recipe, out)
        _wait_for_checkpoints(process, out, moments.randrange(1, 5))
        before = step_of(out)
        process.kill()
        said = process.communicate()[1]
        assert process.returncode == -signal.SIGKILL, said
        assert before <= step_of(out) < 80
    assert train(recipe, out) == 0
    assert_same_weights(tmp_path / "unbroken", out)
    assert log_of(tmp_path / "unbroken") == log_of(out)
    assert not list(out.glob("*.tmp"))


def step_of(out: Path) -> int:
    return int((RunFolder(out).checkpoint() or {"step": 0})["step"])


def _wait_for_checkpoints(process: subprocess.Popen[str], out: Path, count: int) -> None:
    """Until ``last.pt`` has been replaced so often; what happens next happens at any moment."""
    path = out / "last.pt"
    seen: set[int] = set()
    while len(seen) <= count:
        seen.add(path.stat().st_mtime_ns if path.exists() else 0)
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"it ended with {process.wait(timeout=0.002)}")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_told_to_stop_keeps_its_last_step(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(TINY.replace("steps = 24", "steps = 100000"))
    process = start(recipe, tmp_path / "run")
    _wait_for_checkpoints(process, tmp_path / "run", 2)
    os.kill(process.pid, signal.SIGTERM)
    said = process.communicate()[1]
    assert process.returncode == 130
    stored = RunFolder(tmp_path / "run").checkpoint() or {}
    assert f"stopped after step {stored['step']};" in said


def test_two_trainers_in_one_folder_are_refused(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RunFolder(tmp_path / "run").locked():
        assert train(recipe, tmp_path / "run") == 1
    assert "another process is training" in capsys.readouterr().err


def test_a_changed_recipe_is_said_and_the_old_one_kept(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(TINY.replace("steps = 24", "steps = 2"))
    assert train(recipe, tmp_path / "run") == 0
    recipe.write_text(TINY.replace("steps = 24", "steps = 4"))
    assert train(recipe, tmp_path / "run") == 0
    assert "train.steps 2 -> 4" in capsys.readouterr().err
    assert "steps = 2" in (tmp_path / "run" / "recipe-1.toml").read_text()
    assert [entry["step"] for entry in log_of(tmp_path / "run")] == [2, 4]


def test_a_run_can_start_from_a_weight_file(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe.write_text(TINY.replace("steps = 24", "steps = 0").partition("[shape]")[0])
    weights = {name: tensor.half() + 1 for name, tensor in CelNet().state_dict().items()}
    save_file(weights, tmp_path / "old.safetensors")
    torch.save(weights, tmp_path / "best.pt")
    started: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(Trainer, "start_from", lambda _, state: started.append(state))
    for name in ("old.safetensors", "best.pt"):
        assert train(recipe, tmp_path / "run", "--init", str(tmp_path / name)) == 0
        bias = started.pop()["encoder.stages.0.0.bias"]
        assert torch.equal(bias, torch.ones(16))
        assert bias.dtype == torch.float32


@pytest.mark.parametrize(
    ("content", "said"), [(None, "does not exist"), (b"x", "not a weight file")]
)
def test_training_does_not_start_from_what_is_not_a_weight_file(
    recipe: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    said: str,
) -> None:
    path = tmp_path / "old.safetensors"
    if content is not None:
        path.write_bytes(content)
    assert train(recipe, tmp_path / "run", "--init", str(path)) != 0
    assert said in capsys.readouterr().err


def test_a_run_or_weights_of_another_network_are_refused(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(TINY.replace("steps = 24", "steps = 1"))
    assert train(recipe, tmp_path / "run") == 0
    log = log_of(tmp_path / "run")
    recipe.write_text(TINY.replace("widths = [6, 6, 8]", "widths = [6, 6, 6]"))
    assert train(recipe, tmp_path / "run") == 1
    assert "has another network than the recipe" in capsys.readouterr().err
    assert log_of(tmp_path / "run") == log
    save_file({"weight": torch.zeros(2)}, tmp_path / "old.safetensors")
    assert train(recipe, tmp_path / "new", "--init", str(tmp_path / "old.safetensors")) == 1
    assert "do not fit the network" in capsys.readouterr().err


def test_a_run_from_before_checkpoints_between_validations_goes_on(
    recipe: Path, tmp_path: Path
) -> None:
    recipe.write_text(TINY.replace("steps = 24", "steps = 2"))
    assert train(recipe, tmp_path / "run") == 0
    path = tmp_path / "run" / "last.pt"
    stored = torch.load(path, weights_only=True)
    del stored["sums"]
    torch.save(stored, path)
    recipe.write_text(TINY.replace("steps = 24", "steps = 3"))
    assert train(recipe, tmp_path / "run") == 0
    assert [entry["step"] for entry in log_of(tmp_path / "run")] == [2, 3]


def test_a_sheet_of_the_recipe_is_drawn_without_training(recipe: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    assert cli.main(["train", "--recipe", str(recipe), "--sheet", str(sheet)]) == 0
    assert sheet.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--out is missing"),
        (["--out", "x", "--threads", "0"], '--threads is "0"'),
        (["--out", "x", "--workers", "-1"], '--workers is "-1"'),
        (["--out", "x", "--lpips", "0.1"], "--lpips without --network"),
        (["--out", "x", "--clips", "y"], "--clips without --select"),
        (["--out", "x", "--recipe", "nowhere.toml"], '"nowhere.toml" cannot be read'),
    ],
)
def test_mistakes_are_said(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_device_that_is_not_there_is_said(
    recipe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("it is there")
    assert train(recipe, tmp_path / "run", "--device", "cuda") == 1
    assert 'device "cuda" cannot be used' in capsys.readouterr().err
