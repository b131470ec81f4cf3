"""The launcher, with a Python that only writes down what it is asked to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOLS = {"cat", "cksum", "dirname", "env", "flock", "grep", "mkdir", "readlink", "rm", "sed", "sh"}
TOOLS |= {"tail", "uname"}
"""What the launcher may use of the system, besides its package manager."""

FAKE_PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
case $* in
    *find_library*) [ ! -e "$CALLS.no-libmpv" ] ;;
    *importlib.metadata*) cat "$CALLS.torch" 2>/dev/null ;;
    *"weights get"*) [ ! -e "$CALLS.offline" ] ;;
    *"-m pip"*--index-url*) ;;
    *"-m pip"*install*torch==*) [ ! -e "$CALLS.offline" ] ;;
    *"-m pip"*-r*) [ ! -e "$CALLS.broken" ] || { echo "no such package"; exit 1; } ;;
    "- "*) echo numpy ;;
esac
"""


@dataclass
class Checkout:
    folder: Path
    tools: Path
    calls_file: Path

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """./run with nothing but TOOLS and what the test put beside them."""
        return subprocess.run(
            [str(self.folder / "run"), *arguments],
            env={
                "PATH": str(self.tools),
                "CALLS": str(self.calls_file),
                "RTVFI_ROOT": str(self.folder),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """What Python was called with since the last look."""
        lines = self.calls_file.read_text().splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return lines

    def tool(self, name: str, body: str) -> None:
        path = self.tools / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def state(self, name: str, text: str = "") -> None:
        """A state the fake Python looks at."""
        Path(f"{self.calls_file}.{name}").write_text(text)


@pytest.fixture
def checkout(tmp_path: Path, root: Path) -> Checkout:
    folder = tmp_path / "a & b|c folder" / "rtvfi"
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    (folder / "rtvfi" / "core" / "hardware").mkdir(parents=True)
    for name in ("run", "constraints.txt", "pyproject.toml", "rtvfi/core/hardware/chips.tsv"):
        shutil.copy(root / name, folder / name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    made = Checkout(folder, tools, tmp_path / "calls")
    made.tool("id", "echo 1000")
    made.tool("ffmpeg", "")
    return made


def driver(checkout: Checkout, version: str) -> None:
    path = checkout.folder / "proc/driver/nvidia/version"
    path.parent.mkdir(parents=True)
    path.write_text(
        f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build\n"
        "GCC version:  gcc version 12.3.0\n"
    )


def kfd(checkout: Checkout) -> None:
    (checkout.folder / "dev").mkdir()
    (checkout.folder / "dev/kfd").touch()


# --- which torch -----------------------------------------------------------------------------


def test_without_a_gpu_torch_is_the_cpu_build(checkout: Checkout) -> None:
    first, second = checkout.run("--print-torch").stdout.splitlines()
    assert re.fullmatch(r"pip install torch==[\d.]+\+cpu", first)
    assert "--no-deps --index-url https://download.pytorch.org/whl/cpu torch==" in second


def test_an_amd_gpu_gets_the_rocm_build(checkout: Checkout) -> None:
    kfd(checkout)
    first, second = checkout.run("--print-torch").stdout.splitlines()
    assert "+rocm" in first
    assert "--no-deps" not in second


@pytest.mark.parametrize(("version", "label"), [("580.65.06", "cu130"), ("535.183.01", "cu126")])
def test_the_nvidia_driver_decides_the_cuda_build(
    checkout: Checkout, version: str, label: str
) -> None:
    driver(checkout, version)
    assert f"+{label}" in checkout.run("--print-torch").stdout


def test_nvidia_wins_over_the_graphics_of_a_processor(checkout: Checkout) -> None:
    kfd(checkout)
    driver(checkout, "590.1.2")
    assert "+cu" in checkout.run("--print-torch").stdout


def test_the_variable_decides_over_the_hardware(checkout: Checkout) -> None:
    kfd(checkout)
    assert "+cpu" in checkout.run("--print-torch", RTVFI_TORCH="cpu").stdout


def test_an_unknown_build_names_the_known(checkout: Checkout) -> None:
    result = checkout.run("models", RTVFI_TORCH="gpu")
    assert result.returncode == 2
    assert '"gpu", expected cpu, cuda or rocm' in result.stderr


def test_the_only_hosts_are_those_of_torch(root: Path) -> None:
    assert set(re.findall(r"https?://([^/\s]+)", (root / "run").read_text())) == {
        "download.pytorch.org",
        "repo.amd.com",
    }


# --- set-up ----------------------------------------------------------------------------------


def installs(calls: list[str]) -> list[str]:
    return [call for call in calls if "-m pip" in call and " install " in call]


def test_first_start_installs_torch_then_the_rest_then_runs(checkout: Checkout) -> None:
    result = checkout.run("models", "--json")
    assert result.returncode == 0, result.stderr
    calls = checkout.calls()
    torch, rest = installs(calls)
    assert "torch==" in torch
    assert "-r " in rest
    assert calls[-1] == "-P -m rtvfi models --json"
    assert "installing torch (CPU build)" in result.stderr
    assert result.stdout == ""


def snapshot(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_second_start_only_runs_and_writes_nothing(checkout: Checkout) -> None:
    checkout.run("models")
    checkout.calls()
    before = snapshot(checkout.folder)
    result = checkout.run("models")
    assert checkout.calls() == ["-P -m rtvfi models"]
    assert snapshot(checkout.folder) == before
    assert result.stderr == ""


def test_other_versions_are_installed_when_the_list_changes(checkout: Checkout) -> None:
    checkout.run("models")
    checkout.state("torch", checkout.run("--print-torch").stdout.split()[2])
    with (checkout.folder / "constraints.txt").open("a") as file:
        file.write("something==1\n")
    checkout.calls()
    checkout.run("models")
    (rest,) = installs(checkout.calls())
    assert "-r " in rest, "torch is there and stays"


def test_another_build_of_torch_replaces_the_old(checkout: Checkout) -> None:
    checkout.state("torch", "torch==2.0+cpu")
    checkout.run("models", RTVFI_TORCH="rocm")
    calls = [call for call in checkout.calls() if "-m pip" in call and "torch" in call]
    assert "uninstall" in calls[0]
    assert "+rocm" in calls[1]


def test_torch_comes_from_its_own_index_when_the_ordinary_has_none(checkout: Checkout) -> None:
    checkout.state("offline")
    assert checkout.run("models").returncode == 0
    ordinary, own, _ = installs(checkout.calls())
    assert "--index-url" not in ordinary
    assert "--no-deps --index-url https://download.pytorch.org/whl/cpu" in own


def test_a_failed_installation_shows_the_log_and_is_tried_again(checkout: Checkout) -> None:
    checkout.state("broken")
    result = checkout.run("models")
    assert result.returncode == 1
    assert "no such package" in result.stderr
    assert "rtvfi-setup.log" in result.stderr
    checkout.calls()
    checkout.run("models")
    assert installs(checkout.calls())


def test_play_does_not_install_the_tools_of_development(checkout: Checkout) -> None:
    checkout.run("play", "x")
    assert not [call for call in checkout.calls() if call.endswith(" dev")]
    checkout.run("check")
    calls = checkout.calls()
    assert [call for call in calls if call.endswith("pyproject.toml dev")]
    assert calls[-1] == "-P tests/check.py"


def test_arguments_of_test_go_to_pytest(checkout: Checkout) -> None:
    checkout.tool("Xvfb", "")
    checkout.run("test", "-k", "two words")
    assert checkout.calls()[-1] == "-P -m pytest -k two words"


def test_alone_it_shows_how_to_use_it(checkout: Checkout) -> None:
    result = checkout.run()
    assert result.returncode == 0
    assert "./run play" in result.stdout
    assert not checkout.calls()


def test_it_starts_through_a_link_from_anywhere(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("models")
    checkout.calls()
    (tmp_path / "link").symlink_to(checkout.folder / "run")
    environment = {"PATH": str(checkout.tools), "CALLS": str(checkout.calls_file)}
    environment |= {"RTVFI_ROOT": str(checkout.folder)}
    subprocess.run(["sh", "link", "version"], cwd=tmp_path, env=environment, check=True)
    assert checkout.calls() == ["-P -m rtvfi version"]


# --- weights for a GPU -----------------------------------------------------------------------

FETCH = "-P -m rtvfi weights get rife-4.25"


def test_on_a_gpu_the_first_start_fetches_the_weights(checkout: Checkout) -> None:
    kfd(checkout)
    result = checkout.run("models")
    assert result.returncode == 0, result.stderr
    assert checkout.calls()[-2:] == [FETCH, "-P -m rtvfi models"]
    assert "rife-4.25, 22 MB; RTVFI_WEIGHTS=no declines" in result.stderr
    checkout.run("models")
    assert FETCH not in checkout.calls()


def test_without_a_network_the_start_goes_on_and_says_so(checkout: Checkout) -> None:
    driver(checkout, "580.65.06")
    checkout.state("offline")
    result = checkout.run("models")
    assert result.returncode == 0, result.stderr
    assert "no weights came" in result.stderr
    assert "later: ./run weights get rife-4.25" in result.stderr
    assert checkout.calls()[-1] == "-P -m rtvfi models"


def test_weights_can_be_declined_and_a_processor_gets_none(checkout: Checkout) -> None:
    checkout.run("models", RTVFI_TORCH="cuda", RTVFI_WEIGHTS="no")
    checkout.run("models", RTVFI_TORCH="cpu")
    checkout.run("check", RTVFI_TORCH="cuda")
    assert FETCH not in checkout.calls()


# --- the system's packages -------------------------------------------------------------------


def test_without_rights_the_command_to_type_is_printed(checkout: Checkout) -> None:
    checkout.state("no-libmpv")
    (checkout.tools / "ffmpeg").unlink()
    checkout.tool("apt-get", "exit 1")
    checkout.tool("apt-cache", 'case $2 in libmpv1) echo "  Candidate: (none)" ;; esac')
    result = checkout.run("play", "x")
    assert result.returncode == 1
    assert "sudo apt-get install -y --no-install-recommends libmpv2 ffmpeg" in result.stderr
    assert not installs(checkout.calls()), "nothing large is fetched before"


@pytest.mark.parametrize(
    ("manager", "packages"),
    [("pacman", "mpv"), ("dnf", "mpv-libs"), ("zypper", "libmpv2")],
)
def test_each_manager_has_its_names(checkout: Checkout, manager: str, packages: str) -> None:
    checkout.state("no-libmpv")
    checkout.tool(manager, "exit 1")
    assert checkout.run("play").stderr.rstrip().endswith(packages)


def test_root_installs_without_asking_and_updates_only_when_needed(checkout: Checkout) -> None:
    checkout.state("no-libmpv")
    checkout.tool("id", "echo 0")
    checkout.tool("apt-cache", 'echo "  Candidate: 0.37"')
    checkout.tool("apt-get", 'echo "apt-get $*" >>"$CALLS"; rm "$CALLS.no-libmpv"')
    assert checkout.run("play").returncode == 0
    wanted = "apt-get install -y --no-install-recommends libmpv2"
    assert [call for call in checkout.calls() if call.startswith("apt-get")] == [wanted]


def test_other_commands_need_no_player(checkout: Checkout) -> None:
    checkout.state("no-libmpv")
    assert checkout.run("models").returncode == 0


def test_tests_run_without_a_virtual_screen(checkout: Checkout) -> None:
    checkout.tool("pacman", "exit 1")
    result = checkout.run("test")
    assert result.returncode == 0
    assert "no Xvfb" in result.stderr


def test_the_launcher_is_executable(root: Path) -> None:
    assert os.access(root / "run", os.X_OK)
