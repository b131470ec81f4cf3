"""What a worker says it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.cluster.work import code, difference, identity

if TYPE_CHECKING:
    from pathlib import Path


def test_checkouts_of_one_version_are_told_apart_by_their_code(tmp_path: Path) -> None:
    hashes = []
    for folder, content in (("a", "x = 1\n"), ("b", "x = 1\n"), ("c", "x = 2\n")):
        package = tmp_path / folder / "rtvfi"
        (package / "core").mkdir(parents=True)
        (package / "core" / "frame.py").write_text(content)
        (package / "notes.txt").write_text(folder)
        hashes.append(code(package))
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_worker_with_other_code_is_refused_with_both_named() -> None:
    here = identity("linear", None)
    assert not difference(here, identity("linear", None))
    there = here | {"code of rtvfi": "0123456789ab"}
    expected = f"its code of rtvfi is 0123456789ab, expected {here['code of rtvfi']}"
    assert difference(here, there) == expected
