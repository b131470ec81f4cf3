"""Broken films break nothing else: a few seeds of the fuzzer each time, many when asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hostile.damage import KINDS, make
from hostile.films import Films

if TYPE_CHECKING:
    from pathlib import Path


def fuzz(root: Path, *words: str) -> str:
    """What the fuzzer prints; fails when a file broke anything."""
    command = [sys.executable, str(root / "tests/fuzz.py"), *words]
    env = os.environ | {"PYTHONPATH": str(root)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_broken_films_end_in_a_sentence_or_are_played(root: Path) -> None:
    totals = fuzz(root, "--seeds", "1000..1009").splitlines()[len(KINDS) + 1].split()
    assert (totals[:2], totals[-1]) == (["all", "27"], "0")


def test_the_same_seed_breaks_the_same_file(tmp_path: Path) -> None:
    made: list[list[bytes]] = []
    for name in ("a", "b"):
        films = Films(tmp_path / "films" / name)
        seeds = range(2 * len(KINDS))
        made.append([make(seed, films, tmp_path).path.read_bytes() for seed in seeds])
    assert made[0] == made[1]


@pytest.mark.parametrize("seed", [0, 50, 59, 113, 139, 342])
@pytest.mark.slow
def test_seeds_that_once_broke_something(root: Path, seed: int) -> None:
    fuzz(root, "--seeds", str(seed))


@pytest.mark.timeout(3600)
@pytest.mark.slow
def test_hundreds_of_broken_films(root: Path) -> None:
    fuzz(root, "--seeds", "0..400")


@pytest.mark.timeout(600)
@pytest.mark.mpv
@pytest.mark.slow
def test_a_real_mpv_survives_them_too(root: Path) -> None:
    fuzz(root, "--seeds", "0..60", "--routes", "mpv")


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_odd_films_from_elsewhere(root: Path, shared: Path) -> None:
    files = sorted(map(str, (shared / "clips/edge").iterdir()))
    fuzz(root, "--files", *files)
