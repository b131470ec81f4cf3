"""How much memory an engine apart may hold."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from rtvfi.apart.memory import Bound, go_first, held_bytes
from rtvfi.core.hardware import machine

if TYPE_CHECKING:
    from pathlib import Path

GB = 1_000_000  # kB


def machine_of(root: Path, held: float, available: float = 12.0, **files: str) -> Path:
    """A machine of 16 GB whose files are in ``root``; we hold so many GB, partly swapped out."""
    texts = {
        "proc/meminfo": f"MemTotal: {16 * GB} kB\nMemAvailable: {int(available * GB)} kB\n",
        "proc/self/status": f"VmRSS: {20 * GB} kB\nRssAnon: {int(held * GB) - 1000} kB\n"
        f"RssFile: {9 * GB} kB\nRssShmem: 400 kB\nVmSwap: 600 kB\n",
        **files,
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_mapped_files_are_not_held(tmp_path: Path) -> None:
    assert held_bytes(machine_of(tmp_path, 3)) == 3 * GB << 10


@pytest.mark.parametrize(
    ("held", "available", "most", "said"),
    [
        (3, 12, 0, ""),
        (13, 3, 0, "rtvfi's engine holds 13.3 GB and may have 12.3 GB"),
        (3, 12, 2 * 10**9, "rtvfi's engine holds 3.1 GB and may have 2.0 GB"),
        (3, 0.5, 0, ""),
        (5, 0.5, 0, "memory is nearly used up, rtvfi's engine holds 5.1 GB of it"),
        (5, 1.5, 0, ""),
    ],
)
def test_who_holds_most_of_the_memory_must_end(
    tmp_path: Path, held: float, available: float, most: int, said: str
) -> None:
    assert Bound(most, machine_of(tmp_path, held, available)).complaint() == said


def test_a_machine_that_tells_nothing_bounds_nothing(tmp_path: Path) -> None:
    assert Bound(0, tmp_path).complaint() == ""


def test_a_container_counts_as_the_machine(tmp_path: Path) -> None:
    old = "sys/fs/cgroup/memory/docker"
    new = "sys/fs/cgroup/user.slice"
    files: dict[str, Any] = {
        "proc/self/cgroup": "4:memory:/docker/1\n0::/user.slice/app.scope\n",
        f"{old}/memory.limit_in_bytes": "8000000000\n",
        f"{old}/memory.usage_in_bytes": "7000000000\n",
        f"{old}/memory.stat": "inactive_file 900000000\nactive_file 100000000\nmapped_file 5\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": "7000000000\n",
        f"{new}/app.scope/memory.max": "max\n",
        f"{new}/app.scope/memory.current": "5\n",
        f"{new}/memory.max": "4000000000\n",
        f"{new}/memory.current": "3900000000\n",
        f"{new}/memory.stat": "anon 3900000000\n",
    }
    root = machine_of(tmp_path, 1.5, **files)
    assert machine.memory_bytes(root) == (4 * 10**9, 10**8)
    assert "nearly used up" in Bound(0, root).complaint()


def test_the_kernel_ends_it_first() -> None:
    code = "from rtvfi.apart.memory import go_first; go_first(); "
    code += "print(open('/proc/self/oom_score_adj').read())"
    said = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    assert int(said.stdout) >= 500


def test_a_system_without_that_file_is_no_error(tmp_path: Path) -> None:
    go_first(tmp_path)
