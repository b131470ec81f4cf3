"""``rtvfi render --enhance``, and rendering with the large networks, from file to file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from clips import FILM, Clips, ClipSpec
from files import off_grid, planes
from made_weights import constant_state, random_state

from rtvfi.cli.main import main
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.store import Store

if TYPE_CHECKING:
    from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
GREY = ClipSpec(size=(160, 90), num_frames=5, cuts=(3,), codec="ffv1")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Store()


def add(store: Store, tmp_path: Path, state: dict[str, Tensor], name: str) -> None:
    torch.save(state, tmp_path / "w.pkl")
    add_file(store, tmp_path / "w.pkl", name)


def paint(grey: float) -> dict[str, Tensor]:
    """SAFA that makes every picture plain grey."""
    state = constant_state("safa 0.5", 0.0)
    return state | {"lastconv1.1.bias": torch.full((12,), grey)}


def render(*words: str | Path) -> int:
    return main(["render", "--device", "cpu", "--encoder", "ffv1", *map(str, words)])


def lumas(path: Path) -> list[np.ndarray]:
    return [luma for _, (luma, *_) in planes(path)]


def test_pictures_are_restored_and_rate_and_size_stay(
    clips: Clips, store: Store, tmp_path: Path
) -> None:
    add(store, tmp_path, paint(0.5), "safa")
    target = tmp_path / "o.mkv"
    assert render(clips.get(GREY), "-o", target, "--enhance", "safa") == 0
    shown = lumas(target)
    assert len(shown) == GREY.num_frames
    assert all(luma.shape == (90, 160) for luma in shown)
    assert {int(value) for luma in shown for value in np.unique(luma)} == {126}
    assert off_grid([pts for pts, _ in planes(target)], FILM) < Fraction(1, 1000)


def test_new_frames_are_made_of_restored_ones(clips: Clips, store: Store, tmp_path: Path) -> None:
    add(store, tmp_path, paint(0.25), "safa")
    target = tmp_path / "o.mkv"
    words = ("--enhance", "safa", "--model", "linear", "--fps", "2x")
    assert render(clips.get(GREY), "-o", target, *words) == 0
    shown = lumas(target)
    assert len(shown) == 2 * GREY.num_frames
    assert {int(value) for luma in shown for value in np.unique(luma)} == {71}


def test_without_weights_it_says_how_to_get_them(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(clips.get(GREY), "-o", tmp_path / "o.mkv", "--enhance", "safa") == 1
    assert "hint: rtvfi weights get safa" in capsys.readouterr().err
    assert not (tmp_path / "o.mkv").exists()


def test_the_network_that_restores_is_no_model(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(clips.get(GREY), "-o", tmp_path / "o.mkv", "--model", "safa") == 2
    assert 'there is no model "safa"' in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_gimm_renders_a_film_with_a_cut_and_held_frames(
    clips: Clips, store: Store, tmp_path: Path
) -> None:
    # Motion below half a pixel and an even mask: new frames are near the mean of their neighbours.
    add(store, tmp_path, constant_state("gimm r", 1e-4), "gimm")
    spec = ClipSpec(size=(160, 90), num_frames=6, holds=(2, 1, 1), cuts=(4,), codec="ffv1")
    source, target = clips.get(spec), tmp_path / "o.mkv"
    words = ("--model", "gimm", "--style", "plain", "--fps", "3x")
    assert render(source, "-o", target, *words) == 0
    given, shown = lumas(source), lumas(target)
    assert len(shown) == 3 * len(given)
    for k, luma in enumerate(given):
        assert np.array_equal(shown[3 * k], luma)  # copies, to the last bit
    assert all(np.array_equal(shown[k], given[0]) for k in range(4))  # held
    for k in (10, 11):  # nothing between the scenes
        assert any(np.array_equal(shown[k], given[j]) for j in (3, 4))
    mean = given[1].astype(float) / 2 + given[2].astype(float) / 2
    assert np.abs(shown[4] - mean).mean() <= 3
    assert not any(np.array_equal(shown[4], given[k]) for k in (1, 2))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_network_with_motion_gives_pictures_and_the_same_ones_again(
    clips: Clips, store: Store, tmp_path: Path
) -> None:
    add(store, tmp_path, random_state("safa 0.5"), "safa")
    films = []
    for name in ("a.mkv", "b.mkv"):
        assert render(clips.get(GREY), "-o", tmp_path / name, "--enhance", "safa") == 0
        films.append(lumas(tmp_path / name))
    assert all(map(np.array_equal, *films))


def whole(path: Path) -> list[bytes]:
    """Every picture of a film, all its planes."""
    return [b"".join(plane.tobytes() for plane in picture) for _, picture in planes(path)]


NETWORKS = {"gmfss-union": "gmfss 4.26.heavy", "gimm": "gimm r", "safa": "safa 0.5"}
LARGE = (
    "--model gmfss-union --style rhythm --fps 2x",
    "--model gmfss-union --style smooth --passes 2 --fps 2x",
    "--model gimm --style plain --fps 60",
    "--enhance safa",
)


@pytest.fixture
def given(words: str, store: Store, tmp_path: Path) -> list[str]:
    """The words of a case, and weights for what they name; GIMM's are such that it blends."""
    name = words.split()[1]
    network = NETWORKS[name]
    state = constant_state(network, 1e-4) if name == "gimm" else random_state(network)
    add(store, tmp_path, state, name)
    return words.split()


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("words", LARGE)
def test_a_scene_is_made_of_its_own_frames_alone(
    given: list[str], clips: Clips, tmp_path: Path
) -> None:
    half = 2 if "gimm" in given else 4  # frames of a scene; GIMM takes its time
    spec = ClipSpec(size=(160, 90), num_frames=2 * half, rate=Fraction(24), codec="ffv1")
    both = clips.get(replace(spec, cuts=(half,)))
    first = clips.get(replace(spec, num_frames=half))
    films = {}
    for name, source, *more in (
        ("both", both),
        ("first", first),
        ("second", both, "--start", str(half / 24)),
    ):
        assert render(source, "-o", tmp_path / f"{name}.mkv", *given, *more) == 0
        films[name] = whole(tmp_path / f"{name}.mkv")
    assert films["both"] == films["first"] + films["second"]
    assert len(set(films["both"]) - set(whole(both))) >= half


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("words", LARGE)
def test_equal_frames_give_equal_frames(given: list[str], clips: Clips, tmp_path: Path) -> None:
    spec = ClipSpec(size=(160, 90), num_frames=5, holds=(5,), rate=Fraction(24), codec="ffv1")
    target = tmp_path / "o.mkv"
    assert render(clips.get(spec), "-o", target, *given) == 0
    shown = set(whole(target))
    assert len(shown) == 1
    assert (shown == set(whole(clips.get(spec)))) is ("--model" in given)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "words",
    [
        "--model gmfss-union --style rhythm --fps 30",
        "--model gimm --style plain --fps 30",
        "--enhance safa",
    ],
)
def test_memory_stays_flat_over_200_frames(
    words: str, given: list[str], clips: Clips, tmp_path: Path
) -> None:
    source = clips.get(ClipSpec(size=(160, 90), num_frames=200, rate=Fraction(24), codec="ffv1"))
    command = [sys.executable, "-m", "rtvfi", "render", str(source), "-o", str(tmp_path / "o.mkv")]
    command += ["--device", "cpu", "--encoder", "ffv1", "--json", *given]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        under_way = (line for line in child.stdout if json.loads(line).get("frames", 0) > 20)
        used = [kib for _ in under_way if (kib := resident_kib(child.pid))]
    assert child.returncode == 0
    assert len(lumas(tmp_path / "o.mkv")) >= 200
    early, late = used[: len(used) // 4], used[-(len(used) // 4) :]
    sys.stdout.write(f"{words}: {max(early) >> 10} MiB early, {max(late) >> 10} MiB late\n")
    assert max(late) < 1.05 * max(early)


def resident_kib(pid: int) -> int:
    """0 once the process is gone."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmRSS:\s+(\d+)", text)
    return int(found[1]) if found else 0
