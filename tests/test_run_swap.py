"""Another torch for a GPU: made ready beside the old one, and taken only when it passes there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_run import Checkout, checkout, kfd
from test_run_chips import node

if TYPE_CHECKING:
    import subprocess

__all__ = ["checkout"]

PYTHON = """#!/bin/sh
echo "$0 $*" >>"$CALLS"
case $0 in *.venv.new*) env=new ;; *) env=old ;; esac
case $* in
    *"-m venv"*)
        for dir; do :; done
        mkdir -p "$dir/bin"
        cat "$0" >"$dir/bin/python"
        chmod +x "$dir/bin/python"
        printf '#!%s/bin/python\\n' "$dir" >"$dir/bin/tool"
        ;;
    *importlib.metadata*) cat "$CALLS.torch-$env" 2>/dev/null ;;
    *"selftest --rank"*)
        echo "what $env is like" >&2
        cat "$CALLS.rank-$env"
        ;;
    *"-m pip"*install*torch*==*) [ ! -e "$CALLS.offline" ] ;;
    "- "*) echo numpy ;;
esac
"""
OLD = "torch==2.11.0+rocm7.1"


@pytest.fixture
def old(checkout: Checkout) -> Checkout:
    """A machine whose GPU works with an old torch."""
    kfd(checkout)
    node(checkout.folder, 1, 110000)
    for name in ("mv", "chmod"):
        (checkout.tools / name).symlink_to(f"/bin/{name}")
    python = checkout.folder / ".venv/bin/python"
    python.write_text(PYTHON)
    checkout.tool("python3", PYTHON.partition("\n")[2])
    (checkout.folder / ".venv/mark").touch()
    checkout.state("torch-old", OLD)
    ranks(checkout, 4, 4)
    return checkout


def ranks(checkout: Checkout, before: int, after: int) -> None:
    checkout.state("rank-old", f"{before}\n")
    checkout.state("rank-new", f"{after}\n")


def start(checkout: Checkout, **environment: str) -> subprocess.CompletedProcess[str]:
    result = checkout.run("version", RTVFI_WEIGHTS="no", **environment)
    assert result.returncode == 0, result.stderr
    return result


def is_old(checkout: Checkout) -> bool:
    names = {path.name for path in checkout.folder.iterdir()}
    assert not names & {".venv.new", ".venv.old"}
    return (checkout.folder / ".venv/mark").exists()


@pytest.mark.parametrize(("before", "after"), [(4, 4), (3, 4), (0, 0), (0, 1)])
def test_a_torch_that_is_as_good_is_taken(old: Checkout, before: int, after: int) -> None:
    ranks(old, before, after)
    result = start(old)
    assert not is_old(old)
    assert "torch is now torch==2.12.0+rocm7.14.0" in result.stderr
    calls = old.calls()
    assert calls[-1].endswith(".venv/bin/python -P -m rtvfi version")
    tested = [line for line in calls if "selftest" in line]
    assert [".venv.new" in line for line in tested] == [False, True]
    # nothing was installed into the environment that worked
    assert all(".venv.new" in line for line in calls if " install " in line)
    assert ".venv.new" not in (old.folder / ".venv/bin/tool").read_text()
    old.state("torch-old", "torch==2.12.0+rocm7.14.0")
    start(old)
    assert len(old.calls()) == 1  # the next start only runs


@pytest.mark.parametrize(("before", "after"), [(4, 3), (4, 0), (2, 1)])
def test_a_torch_that_is_worse_is_not_taken(old: Checkout, before: int, after: int) -> None:
    ranks(old, before, after)
    result = start(old)
    assert is_old(old)
    assert "is not taken: what new is like" in result.stderr
    assert f"{OLD} stays; RTVFI_TORCH=rocm ./run version" in result.stderr
    calls = old.calls()
    here = [line for line in calls if "-m pip" in line and ".venv.new" not in line]
    assert here, "the other packages are those that the new version wants"
    assert not [line for line in here if "install" in line and "torch==" in line]
    assert start(old).stderr == ""
    assert len(old.calls()) == 1  # it is not tried again


@pytest.mark.parametrize("said", ["", "noise\n4\n", "Segmentation fault\n"])
def test_a_torch_whose_test_says_nothing_of_use_is_not_taken(old: Checkout, said: str) -> None:
    old.state("rank-new", said)
    start(old)
    assert is_old(old)


def test_a_torch_that_cannot_be_fetched_changes_nothing(old: Checkout) -> None:
    old.state("offline")
    result = start(old)
    assert is_old(old)
    assert "it could not be installed" in result.stderr


def test_the_next_torch_gets_its_own_chance(old: Checkout) -> None:
    ranks(old, 4, 0)
    start(old)
    run = old.folder / "run"
    run.write_text(run.read_text().replace("amd_version=2.12.0", "amd_version=2.14.0"))
    ranks(old, 4, 4)
    assert "torch is now torch==2.14.0" in start(old).stderr


def test_who_asks_for_it_gets_the_new_torch_at_once(old: Checkout) -> None:
    ranks(old, 4, 0)
    start(old)
    old.calls()
    start(old, RTVFI_TORCH="rocm")
    calls = old.calls()
    assert not [line for line in calls if "selftest" in line]
    assert [line for line in calls if "-m pip" in line and "torch[device-gfx1100]==2.12.0" in line]
    old.state("torch-old", "torch==2.12.0+rocm7.14.0")
    start(old)
    assert len(old.calls()) == 1  # and keeps it


def test_a_swap_that_was_cut_short_is_undone(old: Checkout) -> None:
    (old.folder / ".venv").rename(old.folder / ".venv.old")
    (old.folder / ".venv.new").mkdir()
    ranks(old, 4, 0)
    start(old)
    assert is_old(old)


def test_other_packages_alone_are_no_risk(old: Checkout) -> None:
    old.state("torch-old", "torch==2.12.0+rocm7.14.0")
    start(old)
    assert is_old(old)
    assert not [line for line in old.calls() if "selftest" in line]


def test_the_processors_torch_is_no_risk(old: Checkout) -> None:
    (old.folder / "dev/kfd").unlink()
    start(old)
    assert is_old(old)
    assert not [line for line in old.calls() if "selftest" in line]
