"""Files of an installation: made from the code, and what the tools of the field say of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from typing import TYPE_CHECKING

import pytest
import share

from rtvfi.cli.main import COMMANDS
from rtvfi.core.program import version

if TYPE_CHECKING:
    from pathlib import Path

FILES = share.files()


def run(*words: str | Path) -> str:
    """What a tool says, which must not fail; skipped where it is not installed."""
    if shutil.which(str(words[0])) is None:
        pytest.skip(f"no {words[0]}")
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("place", FILES, ids=str)
def test_it_is_what_the_code_makes(place: Path) -> None:
    stored = (share.SHARE / place).read_text(encoding="utf-8")
    assert stored == FILES[place], "run tests/tables.py --write"


def test_there_is_nothing_else() -> None:
    there = {p.relative_to(share.SHARE) for p in share.SHARE.rglob("*") if p.is_file()}
    assert there == set(FILES)


def test_the_manual_page_has_every_command_and_troff_takes_it() -> None:
    page = share.SHARE / "man/man1/rtvfi.1"
    text = page.read_text()
    assert [c.name for c in COMMANDS if f".SS {c.name}\n" not in text] == []
    assert run("groff", "-man", "-ww", "-z", page) == ""


def test_metadata_and_desktop_entry_are_valid() -> None:
    run("desktop-file-validate", share.SHARE / "applications/rtvfi.desktop")
    run("appstreamcli", "validate", "--no-net", *share.SHARE.glob("metainfo/*"))


def test_the_package_of_arch_has_our_version_and_all_we_need() -> None:
    text = (share.ROOT / "packaging/aur/PKGBUILD").read_text()
    assert f"\npkgver={version()}\n" in text
    project = tomllib.loads((share.ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", line)[0] for line in project["dependencies"]}
    called = {"torch": "pytorch", "opencv-python-headless": "opencv"}
    missing = [n for n in names if f"'python-{called.get(n, n)}" not in text]
    assert missing == []
    run("bash", "-n", share.ROOT / "packaging/aur/PKGBUILD")
