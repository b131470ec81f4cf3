"""``./run update``, with a repository on this disk."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git")

PYTHON = """#!/bin/sh
echo "$*" >>"$CALLS"
case $* in "- "*) echo numpy ;; esac
"""
GIT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{f"GIT_{who}_NAME": "somebody" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "somebody@example.org" for who in ("AUTHOR", "COMMITTER")},
}


@dataclass
class Project:
    """A checkout that follows a repository, and another one from which news come."""

    mine: Path
    theirs: Path
    calls: Path

    def git(self, folder: Path, *words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        environment = {"PATH": "/usr/bin:/bin", **GIT}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    def news(self, name: str, text: str) -> None:
        """Somebody adds a line to a file."""
        with (self.theirs / name).open("a") as file:
            file.write(text)
        self.git(self.theirs, "add", name)
        self.git(self.theirs, "commit", "-m", f"{name}: news")
        self.git(self.theirs, "push")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        self.calls.unlink(missing_ok=True)
        environment = {"PATH": "/usr/bin:/bin", "CALLS": str(self.calls), "RTVFI_TORCH": "cpu"}
        return subprocess.run(
            [str(self.mine / "run"), *words],
            env={**environment, **GIT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def installs(self) -> list[str]:
        """What was installed in the last run."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [line for line in lines if "-m pip" in line and " install " in line]


@pytest.fixture
def project(tmp_path: Path, root: Path) -> Project:
    project = Project(tmp_path / "my checkout", tmp_path / "theirs", tmp_path / "calls")
    bare = tmp_path / "bare.git"
    bare.mkdir()
    project.git(bare, "init", "--bare", "-b", "main")
    project.git(tmp_path, "clone", str(bare), str(project.theirs))
    for name in ("run", "constraints.txt", "pyproject.toml", ".gitignore"):
        shutil.copy(root / name, project.theirs / name)
    project.git(project.theirs, "checkout", "-b", "main")
    project.git(project.theirs, "add", ".")
    project.git(project.theirs, "commit", "-m", "the beginning")
    project.git(project.theirs, "push", "-u", "origin", "main")
    project.git(tmp_path, "clone", str(bare), str(project.mine))
    python = project.mine / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    assert project.run("models").returncode == 0
    return project


def test_news_are_fetched_told_and_started(project: Project) -> None:
    project.news("run", "# news\n")
    result = project.run("update")
    assert result.returncode == 0, result.stderr
    assert (project.mine / "run").read_text() == (project.theirs / "run").read_text()
    assert "run: news" in result.stderr
    assert project.calls.read_text().splitlines()[-1] == "-P -m rtvfi version"
    assert not project.installs, "the lists are the same"


def test_what_new_lists_want_is_installed(project: Project) -> None:
    project.news("constraints.txt", "something==1\n")
    assert project.run("update").returncode == 0
    assert any("-r " in line for line in project.installs)


def test_without_news_nothing_changes(project: Project) -> None:
    result = project.run("update")
    assert result.returncode == 0
    assert "newest" in result.stderr
    assert not project.installs


def test_changed_files_are_not_touched(project: Project) -> None:
    project.news("constraints.txt", "something==1\n")
    before = project.git(project.mine, "rev-parse", "HEAD")
    (project.mine / "pyproject.toml").write_text("mine")
    result = project.run("update")
    assert result.returncode == 1
    assert "git status" in result.stderr
    assert (project.mine / "pyproject.toml").read_text() == "mine"
    assert project.git(project.mine, "rev-parse", "HEAD") == before


def test_commits_of_ones_own_are_not_merged(project: Project) -> None:
    project.news("constraints.txt", "something==1\n")
    (project.mine / "mine").touch()
    project.git(project.mine, "add", "mine")
    project.git(project.mine, "commit", "-m", "mine")
    before = project.git(project.mine, "rev-parse", "HEAD")
    assert project.run("update").returncode == 1
    assert project.git(project.mine, "rev-parse", "HEAD") == before


def test_a_branch_that_follows_none_is_said(project: Project) -> None:
    project.git(project.mine, "checkout", "-b", "other")
    result = project.run("update")
    assert result.returncode == 1
    assert "follows no other" in result.stderr


def test_a_folder_that_is_no_checkout_is_said(project: Project) -> None:
    shutil.rmtree(project.mine / ".git")
    result = project.run("update")
    assert result.returncode == 1
    assert "no checkout" in result.stderr


def test_the_launcher_tells_the_program_where_it_is(project: Project) -> None:
    python = project.mine / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$RTVFI_RUN $RTVFI_COMMAND"\n')
    launcher = project.mine / "run"
    assert project.run("desktop").stdout == f"{launcher} {launcher}\n"
    environment = {"PATH": "/usr/bin:/bin", "RTVFI_TORCH": "cpu", "CALLS": str(project.calls)}
    for typed in (["./run"], ["sh", "run"]):
        result = subprocess.run(
            [*typed, "desktop"], cwd=project.mine, env=environment, capture_output=True, check=True
        )
        assert result.stdout.decode() == f"{launcher} ./run\n"


def test_a_second_setup_says_that_it_waits(project: Project) -> None:
    for mark in project.mine.glob(".venv/rtvfi-ready-*"):
        mark.unlink()
    environment = {"PATH": "/usr/bin:/bin", "RTVFI_TORCH": "cpu", "CALLS": str(project.calls)}
    with (project.mine / ".run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with subprocess.Popen(
            [project.mine / "run", "models"], env=environment, stderr=subprocess.PIPE, text=True
        ) as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "run: waiting for another setup to end ...\n"
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert "run: ready" in second.stderr.read()
    assert second.returncode == 0
