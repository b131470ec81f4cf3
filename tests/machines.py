"""Machines that are only files: what each one's owner gets and reads.

    PYTHONPATH=.:tests .venv/bin/python tests/machines.py

prints a table: which build of torch ``run`` installs, which device networks run on, which model
``auto`` is, and what is said.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.chips import best
from rtvfi.doctor.finding import Place
from rtvfi.doctor.system import check_machine

ROOT: Final = Path(__file__).resolve().parent.parent
_NODES: Final = "sys/class/kfd/kfd/topology/nodes"


@dataclass(frozen=True)
class Machine:
    """What is in it."""

    name: str
    chips: tuple[int, ...] = ()
    """The kernel's numbers of AMD chips, in its order."""
    files: dict[str, str] = field(default_factory=dict)
    """More of the system's files."""
    has_kfd: bool = True
    """The compute driver's node is there."""
    has_dri: bool = True
    """Render nodes are there."""
    units: tuple[int, ...] = ()
    """SIMD units of the chips, where they matter."""

    def put(self, root: Path) -> None:
        """Make its files below a folder."""
        files = dict(self.files)
        if self.chips or self.has_kfd:
            files[f"{_NODES}/0/properties"] = "cpu_cores_count 16\ngfx_target_version 0\n"
        for number, chip in enumerate(self.chips, start=1):
            facts = f"gfx_target_version {chip}\ndrm_render_minor {127 + number}\n"
            if self.units:
                facts += f"simd_count {self.units[number - 1]}\n"
            files[f"{_NODES}/{number}/properties"] = facts
            if self.has_dri:
                files[f"dev/dri/renderD{127 + number}"] = ""
        if self.has_kfd:
            files["dev/kfd"] = ""
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def nvidia(driver: str) -> dict[str, str]:
    """A card of NVIDIA's with that driver."""
    version = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {driver}  Release Build\n"
    return {
        "proc/driver/nvidia/version": version,
        "proc/driver/nvidia/gpus/0/information": "Model: NVIDIA GeForce RTX 4070\n",
    }


MACHINES: Final = (
    Machine("RX Vega 56", (90000,)),
    Machine("Ryzen 3000 with Vega graphics", (90002,)),
    Machine("Radeon VII", (90006,)),
    Machine("Ryzen 5000 with Vega graphics", (90012,)),
    Machine("Instinct MI210", (90010,)),
    Machine("Instinct MI300", (90402,)),
    Machine("RX 5700", (100100,)),
    Machine("RX 5500", (100102,)),
    Machine("RX 6800", (100300,)),
    Machine("RX 6700", (100301,)),
    Machine("RX 6600", (100302,)),
    Machine("Steam Deck", (100303,)),
    Machine("RX 6500", (100304,)),
    Machine("Ryzen 6000 with 680M", (100305,)),
    Machine("Ryzen 9 7950X alone", (100306,)),
    Machine("RX 7900", (110000,)),
    Machine("RX 7800", (110001,)),
    Machine("RX 7600", (110002,)),
    Machine("Ryzen 7 7840 with 780M", (110003,)),
    Machine("Ryzen AI 300 with 890M", (110500,)),
    Machine("Ryzen AI Max with 8060S", (110501,)),
    Machine("RX 9060", (120000,)),
    Machine("RX 9070", (120001,)),
    Machine("a chip of next year", (130000,)),
    Machine("Ryzen 7950X and RX 7900", (100306, 110000)),
    Machine("RX 7900, then Ryzen 7950X", (110000, 100306)),
    Machine("780M and RX 7800", (110003, 110001)),
    Machine("Ryzen 5000 graphics and RX 6600", (90012, 100302)),
    Machine("RX 9060 and RX 7900", (120000, 110000), units=(64, 192)),
    Machine("RTX 4070, new driver", files=nvidia("590.48.01"), has_kfd=False),
    Machine("RTX 4070, old driver", files=nvidia("535.183.01"), has_kfd=False),
    Machine("RTX 4070 beside a Ryzen 7950X", (100306,), nvidia("590.48.01")),
    Machine("RX 7900 in a container without /dev/kfd", (110000,), has_kfd=False),
    Machine("RX 7900 in a container without /dev/dri", (110000,), has_dri=False),
    Machine("an old kernel that does not tell chips", ()),
    Machine("nothing but a processor", has_kfd=False),
)


@dataclass(frozen=True)
class Seen:
    """What its owner gets."""

    wheels: str
    device: str
    said: str
    """By ``run``."""
    doctor: str


def seen(made: Machine) -> Seen:
    """Put it up, and ask ``run`` and the doctor."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made.put(root)
        environment = {"PATH": os.environ["PATH"], "RTVFI_ROOT": folder}
        result = subprocess.run(
            [ROOT / "run", "--print-torch"],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        wheels = result.stdout.splitlines()[0].removeprefix("pip install ")
        findings = [f for f in check_machine(Place({}, root)) if f.topic == "gpu"]
        doctor = "; ".join(f"{f.level}: {f.text}" for f in findings)
        return Seen(
            wheels=wheels,
            device=_device(root, wheels),
            said=result.stderr.removeprefix("run: ").strip().replace("\n", " "),
            doctor=doctor.replace(folder, ""),
        )


def _device(root: Path, wheels: str) -> str:
    if wheels.endswith("+cpu"):
        return "processor"
    gpus = machine.gpus(root)
    if "+cu" in wheels:
        return next(gpu.name for gpu in gpus if gpu.vendor == "nvidia")
    amd = [gpu for gpu in gpus if gpu.vendor == "amd"]
    place = best(amd)
    if place is None:
        return "processor"
    hidden = f", {len(amd) - 1} hidden" if len(amd) > 1 else ""
    return (amd[place].arch or "whatever torch finds") + hidden


def main() -> None:
    """Print the table."""
    sys.stdout.write(
        "| machine | wheels | device | run says | doctor says |\n|---|---|---|---|---|\n"
    )
    for made in MACHINES:
        row = seen(made)
        cells = (made.name, row.wheels, row.device, row.said, row.doctor)
        sys.stdout.write(f"| {' | '.join(cells)} |\n")


if __name__ == "__main__":
    main()
