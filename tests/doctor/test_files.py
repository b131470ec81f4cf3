from __future__ import annotations

import hashlib
import json
import shutil
import struct
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from rtvfi.core.data import data_path
from rtvfi.doctor import files
from rtvfi.doctor.finding import Place
from rtvfi.models.weights.store import Receipt, Store, sha256_of
from rtvfi.settings import config
from rtvfi.settings.profile import profile_file

if TYPE_CHECKING:
    from pathlib import Path

HERE = Place({"HOME": "/home/me"})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = Store()
    store.make_folder()
    return store


def test_weights_are_held_against_their_receipts(store: Store) -> None:
    for name in ("rife-4.25.lite", "mine"):
        store.path(name).write_bytes(b"numbers")
        receipt = Receipt(
            origin="here",
            original_sha256="",
            network="rife 4.25.lite",
            sha256=sha256_of(store.path(name)),
        )
        store.write_receipt(name, receipt)
    assert [f.level for f in files.check_weights(HERE)] == ["ok", "ok"]
    store.path("mine").write_bytes(b"other numbers")
    store.path("alone").touch()
    bad = {f.text: f.hint for f in files.check_weights(HERE) if f.level == "fail"}
    assert bad == {
        "mine: it has changed since it was stored": "rtvfi weights get mine",
        "alone: its receipt is missing": "rtvfi weights get alone",
    }


def test_missing_embedded_weights_fail(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rtvfi.core.data.data_folders", lambda kind: (store.folder / kind,))
    first, _ = files.check_weights(HERE)
    assert (first.level, "cel.safetensors" in first.text) == ("fail", True)


def test_a_cut_off_weight_file_is_seen(tmp_path: Path) -> None:
    good = data_path("weights", "cel.safetensors").read_bytes()
    path = tmp_path / "cel.safetensors"
    path.write_bytes(good)
    assert files.broken(path) == ""
    for kept in (len(good) - 1, 1000, 9, 3, 0):
        path.write_bytes(good[:kept])
        assert "truncated" in files.broken(path), kept
    path.write_bytes(b"\xff" * 1000)
    assert "not a weight file" in files.broken(path)
    path.unlink()
    assert "cannot be read" in files.broken(path)


def test_a_weight_file_with_other_numbers_is_seen(tmp_path: Path) -> None:
    def write(digest: str) -> Path:
        table = {
            "__metadata__": {"sha256": digest},
            "a": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
        }
        head = json.dumps(table).encode()
        path = tmp_path / "made.safetensors"
        path.write_bytes(struct.pack("<Q", len(head)) + head + b"abc")
        return path

    assert files.broken(write(hashlib.sha256(b"abc").hexdigest())) == ""
    assert "changed since" in files.broken(write(hashlib.sha256(b"abd").hexdigest()))


@pytest.mark.parametrize(
    ("free", "level"), [(10 << 20, "fail"), (1 << 30, "warn"), (1 << 40, "ok")]
)
def test_little_room_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: int, level: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "not made yet"))
    findings = list(files.check_disk(HERE))
    assert [f.level for f in findings] == [level] * 3
    assert not (tmp_path / "not made yet").exists()


def test_a_file_in_place_of_a_folder_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    first, *_ = files.check_disk(HERE)
    assert first.level == "warn"


def test_without_home_there_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    first, *rest = files.check_disk(Place({}))
    assert first.hint == "set HOME"
    assert len(rest) == 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("style = plain", "is not TOML"),
        ("sytle = 'plain'", 'no key "sytle"'),
        ("style = 'plan'", '"plan", expected smooth'),
    ],
)
def test_a_bad_line_in_the_users_file_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "rtvfi.toml"
    path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("RTVFI_CONFIG", str(path))
    (finding,) = files.check_settings(HERE)
    assert (finding.level, said in finding.text, bool(finding.hint)) == ("fail", True, True)


def test_a_good_file_is_named_with_what_is_in_force(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "rtvfi.toml"
    path.write_text("style = 'off'", encoding="utf-8")
    monkeypatch.setenv("RTVFI_CONFIG", str(path))
    first, second = files.check_settings(HERE)
    assert (first.level, second.level) == ("ok", "ok")
    assert "style off" in second.text


def test_a_file_that_is_named_and_missing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTVFI_CONFIG", "/no/such/file")
    (finding,) = files.check_settings(HERE)
    assert finding.level == "fail"


def test_settings_measured_elsewhere_are_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert [f.level for f in files.check_settings(HERE)] == ["ok", "ok"]
    profile_file().parent.mkdir(parents=True)
    profile_file().touch()
    assert [f.level for f in files.check_settings(HERE)] == ["ok", "warn", "ok"]


def test_the_model_that_plays_is_named_and_a_better_one_for_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (finding,) = files.check_model(HERE)
    assert finding.level == "ok"
    assert finding.text.endswith("is used (auto, on a processor)")
    monkeypatch.setattr(config, "hardware_guess", lambda: "rocm")
    (finding,) = files.check_model(HERE)
    assert (finding.level, finding.hint) == ("warn", "rtvfi weights get rife-4.25")
    assert "on a GPU); rife-4.25 makes better pictures" in finding.text
    store = Store()
    store.make_folder()
    store.path("rife-4.25").touch()
    (finding,) = files.check_model(HERE)
    assert (finding.level, finding.text) == ("ok", "rife-4.25 is used (auto, on a GPU)")
