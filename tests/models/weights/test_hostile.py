"""Weight files made to hurt: each is refused in a sentence, quickly, and nothing in it is run."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import random
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
import torch
from made_weights import constant_state
from safetensors.torch import save

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.weights.file import add_file, identify, read_tensors
from rtvfi.models.weights.store import Store, manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NETWORK = manifest()["rife-4.25.lite"].network


def state_of_its_own() -> dict[str, torch.Tensor]:
    """Parameters of a network that share no memory."""
    return {key: value.clone().contiguous() for key, value in constant_state(NETWORK, 0.01).items()}


class _Hostile:
    """Would write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._path),))


def _safetensors(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


def _entry(dtype: str, shape: list[int], begin: int, end: int) -> bytes:
    return json.dumps(
        {"a": {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}}
    ).encode()


SAFE: dict[str, bytes] = {
    "nothing": b"",
    "a length and nothing": struct.pack("<Q", 100),
    "a header of exabytes": struct.pack("<Q", 1 << 60) + b"{}",
    "a header of 2 GB": struct.pack("<Q", 1 << 31) + b"{}",
    "no JSON": _safetensors(b"\xff" * 100),
    "JSON as deep as it goes": _safetensors(b'{"a":' * 50_000),
    "no object": _safetensors(b"[]"),
    "a type that is none": _safetensors(_entry("F99", [1], 0, 4), bytes(4)),
    "data that is not there": _safetensors(_entry("F32", [1 << 30], 0, 1 << 32)),
    "a negative size": _safetensors(_entry("F32", [-1], 0, 4), bytes(4)),
    "sizes whose product overflows": _safetensors(
        _entry("F32", [1 << 40, 1 << 40], 0, 4), bytes(4)
    ),
    "data behind the end": _safetensors(_entry("F32", [1], 8, 12), bytes(4)),
    "data before the begin": _safetensors(_entry("F32", [1], 4, 0), bytes(4)),
}


@pytest.mark.parametrize("kind", SAFE)
def test_a_broken_safetensors_file_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(SAFE[kind])
    with pytest.raises(WeightsMismatch):
        read_tensors(path)


def _zip_bomb() -> bytes:
    """A torch archive whose record claims far more than it holds."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(5_000_000))
        archive.writestr("a/version", "3")
    return made.getvalue()


PICKLES: dict[str, Callable[[Path], bytes]] = {
    "a call": lambda marker: pickle.dumps(_Hostile(marker)),
    "a call inside a state dict": lambda marker: pickle.dumps({"a": _Hostile(marker)}),
    "a call in an old protocol": lambda marker: pickle.dumps(_Hostile(marker), protocol=0),
    "a call in torch's archive": lambda marker: _saved({"state_dict": {"a": _Hostile(marker)}}),
    "a call in torch's old format": lambda marker: _saved({"a": _Hostile(marker)}, is_zip=False),
    "an archive of zeros": lambda _: _zip_bomb(),
    "lists in lists": lambda _: b"\x80\x02" + b"]" * 20_000 + b"a" * 19_999 + b".",
    "memory for a petabyte": lambda _: b"\x80\x04\x8e" + struct.pack("<Q", 1 << 50) + b".",
    "an empty archive": lambda _: b"PK\x05\x06" + bytes(18),
}


def _saved(content: Any, *, is_zip: bool = True) -> bytes:
    made = io.BytesIO()
    torch.save(content, made, _use_new_zipfile_serialization=is_zip)
    return made.getvalue()


@pytest.mark.parametrize("kind", PICKLES)
def test_a_hostile_pickle_is_refused_and_not_run(kind: str, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    path = tmp_path / "a.pkl"
    path.write_bytes(PICKLES[kind](marker))
    with pytest.raises(WeightsMismatch):
        read_tensors(path)
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".safetensors", ".pkl"])
def test_bits_that_flip_are_found_or_harmless(suffix: str, tmp_path: Path) -> None:
    state = state_of_its_own()
    whole = save(state) if suffix == ".safetensors" else _saved(state)
    path, rng = tmp_path / f"a{suffix}", random.Random(3)
    for _ in range(20):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 10, 100))):
            data[rng.randrange(rng.choice((len(data), 4096)))] ^= 1 << rng.randrange(8)
        path.write_bytes(data[: rng.choice((len(data), len(data), rng.randrange(len(data))))])
        with contextlib.suppress(WeightsMismatch):
            identify(read_tensors(path))


def test_other_types_than_floats_are_refused(tmp_path: Path) -> None:
    store, path = Store(tmp_path / "store"), tmp_path / "a.safetensors"
    for dtype in (torch.int8, torch.bool, torch.complex64):
        path.write_bytes(save({k: v.to(dtype) for k, v in state_of_its_own().items()}))
        with pytest.raises(WeightsMismatch, match="contains integers, NaN or infinity"):
            add_file(store, path, "rife-4.25.lite")
    assert store.names() == []


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    state = state_of_its_own()
    state[next(iter(state))].view(-1)[0] = float("nan")
    path = tmp_path / "a.safetensors"
    path.write_bytes(save(state))
    with pytest.raises(WeightsMismatch, match="NaN or infinity"):
        add_file(Store(tmp_path / "store"), path, "rife-4.25.lite")
