"""Which build of torch the launcher takes on machines with AMD chips, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from machines import MACHINES as MACHINES_OF_FILES
from machines import seen
from test_run import Checkout, checkout, driver, kfd

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.chips import best, chips

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["checkout"]

AMD = "+rocm7.14.0"
PYTORCH = "+rocm7.2"
CPU = "+cpu"


def node(root: Path, number: int, version: int, name: str = "", units: int = 0) -> None:
    """A node of the kernel's list of what computes; version 0 is a processor."""
    folder = root / "sys/class/kfd/kfd/topology/nodes" / str(number)
    folder.mkdir(parents=True)
    (folder / "properties").write_text(
        f"cpu_cores_count 0\nsimd_count {units}\ngfx_target_version {version}\n"
    )
    (folder / "name").write_text(f"{name}\n")


MACHINES = [
    # the nodes after the processor's, what is taken, and a piece of what is said
    ([90000], PYTORCH, "gfx900 (Radeon RX Vega"),
    ([90006], CPU, "no ROCm build of torch has kernels"),
    ([90012], CPU, "gfx90c (Ryzen 4000"),
    ([90010], AMD, "gfx90a"),
    ([100100], AMD, "gfx1010 (Radeon RX 5600"),
    ([100300], AMD, "gfx1030"),
    ([100301], AMD, "gfx1031 (Radeon RX 6700"),
    ([100302], AMD, "gfx1032"),
    ([100303], AMD, "gfx1033 (Steam Deck)"),
    ([100304], AMD, "gfx1034"),
    ([100305], AMD, "gfx1035"),
    ([100306], CPU, "made for displays"),
    ([110000], AMD, "gfx1100 (Radeon RX 7900)"),
    ([110003], AMD, "gfx1103 (Ryzen 7040"),
    ([110501], AMD, "gfx1151"),
    ([120001], AMD, "gfx1201"),
    ([130000], CPU, "gfx1300: a chip that this version of rtvfi does not know"),
    ([110000, 100306], AMD, "gfx1100"),
    ([100306, 110000], AMD, "gfx1100"),
    ([110003, 110001], AMD, "gfx1101"),
    ([120000, 110000], AMD, "gfx1200"),
    ([90012, 100302], AMD, "gfx1032"),
    ([], PYTORCH, "cannot be read"),
]


@pytest.mark.parametrize(("versions", "label", "words"), MACHINES)
def test_the_chip_decides(checkout: Checkout, versions: list[int], label: str, words: str) -> None:
    kfd(checkout)
    node(checkout.folder, 0, 0)
    for number, version in enumerate(versions, start=1):
        node(checkout.folder, number, version)
    result = checkout.run("--print-torch")
    first, second = result.stdout.splitlines()
    assert label in first
    assert words in result.stderr
    assert ("device-gfx" in first) == (label == AMD)
    assert ("--extra-index-url https://repo.amd.com" in second) == (label == AMD)


def test_nvidia_beside_the_graphics_of_a_processor(checkout: Checkout) -> None:
    kfd(checkout)
    node(checkout.folder, 1, 100306)
    driver(checkout, "590.1.2")
    assert "+cu130" in checkout.run("--print-torch").stdout


def test_no_driver_means_the_processor(checkout: Checkout) -> None:
    node(checkout.folder, 1, 110000)  # its kernel driver is there, but /dev/kfd is not let in
    result = checkout.run("--print-torch")
    assert CPU in result.stdout
    assert "gfx1100 (Radeon RX 7900): its compute driver, /dev/kfd, is not here" in result.stderr


def test_a_processor_that_was_asked_for_is_not_explained(checkout: Checkout) -> None:
    node(checkout.folder, 1, 110000)
    assert checkout.run("--print-torch", RTVFI_TORCH="cpu").stderr == ""


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_cards_the_larger_is_taken(checkout: Checkout, order: tuple[int, int]) -> None:
    kfd(checkout)
    cards = ((120000, 64), (110000, 192))
    for number, which in enumerate(order, start=1):
        node(checkout.folder, number, cards[which][0], units=cards[which][1])
    assert "gfx1100" in checkout.run("--print-torch").stdout
    gpus = machine.gpus(checkout.folder)
    place = best(gpus)
    assert place is not None
    assert gpus[place].arch == "gfx1100"


@pytest.mark.parametrize(("version", "label"), [(90006, PYTORCH), (100306, AMD), (130000, PYTORCH)])
def test_the_rocm_build_that_is_asked_for_is_taken(
    checkout: Checkout, version: int, label: str
) -> None:
    kfd(checkout)
    node(checkout.folder, 1, version)
    result = checkout.run("--print-torch", RTVFI_TORCH="rocm")
    assert label in result.stdout
    assert "asks for the ROCm build" in result.stderr


def test_the_reason_is_said_before_gigabytes_come(checkout: Checkout) -> None:
    kfd(checkout)
    node(checkout.folder, 1, 110000)
    result = checkout.run("models", RTVFI_WEIGHTS="no")
    assert result.returncode == 0, result.stderr
    assert "gfx1100 (Radeon RX 7900): AMD's build" in result.stderr
    torch = next(call for call in checkout.calls() if "torch[" in call)
    assert "torch[device-gfx1100]==2.12.0+rocm7.14.0" in torch
    assert checkout.run("models").stderr == ""


def test_a_card_put_in_brings_its_package_without_a_new_torch(checkout: Checkout) -> None:
    kfd(checkout)
    node(checkout.folder, 1, 110003)
    checkout.run("models", RTVFI_WEIGHTS="no")
    checkout.state("torch", "torch==2.12.0+rocm7.14.0")
    node(checkout.folder, 2, 120001)
    checkout.calls()
    checkout.run("models", RTVFI_WEIGHTS="no")
    calls = checkout.calls()
    assert not [call for call in calls if "uninstall" in call]
    assert [call for call in calls if "install" in call and "torch[device-gfx1201]" in call]


def test_the_table_is_well_formed() -> None:
    for chip in chips().values():
        assert chip.kind in {"card", "graphics", "display"}
        assert set(chip.builds) <= {"amd", "pytorch"}
        assert chip.products


@pytest.mark.parametrize(
    ("versions", "place"),
    [([110000, 100306], 0), ([100306, 110000], 1), ([110003, 110001], 1), ([100306], None)],
)
def test_the_device_is_the_card(tmp_path: Path, versions: list[int], place: int | None) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    for number, version in enumerate(versions, start=1):
        node(tmp_path, number, version)
    gpus = machine.gpus(tmp_path)
    assert [gpu.arch for gpu in gpus] == [machine.gfx(version) for version in versions]
    assert best(gpus) == place


@pytest.mark.parametrize(
    ("name", "wheels", "device", "words"),
    [
        ("RTX 4070 beside a Ryzen 7950X", "+cu130", "NVIDIA GeForce RTX 4070", "an NVIDIA GPU"),
        ("RX 9060 and RX 7900", AMD, "gfx1100, 1 hidden", "gfx1100"),
        ("an old kernel that does not tell chips", PYTORCH, "whatever torch finds", "cannot be"),
        ("a chip of next year", CPU, "processor", "RTVFI_TORCH=rocm tries"),
        ("RX 7900 in a container without /dev/kfd", CPU, "processor", "/dev/kfd, is not here"),
        ("nothing but a processor", CPU, "processor", ""),
    ],
)
def test_the_table_of_machines_tells_what_owners_get(
    name: str, wheels: str, device: str, words: str
) -> None:
    row = seen(next(made for made in MACHINES_OF_FILES if made.name == name))
    assert wheels in row.wheels
    assert row.device == device
    assert words in row.said
