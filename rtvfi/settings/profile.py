"""What ``rtvfi bench --save`` found best for this machine, kept for ``rtvfi play``. Pure but for
its file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import platformdirs

from rtvfi.core.errors import RtvfiError
from rtvfi.core.files import write_whole
from rtvfi.core.hardware import machine
from rtvfi.core.program import command_line
from rtvfi.settings.keys import SETTINGS, Value, as_toml, checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEYS: Final = ("model", "device", "style", "fps", "flow_scale", "compile")
"""The settings a profile gives."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """Settings measured on a machine."""

    machine: str
    """Its ``machine.fingerprint``."""
    date: str
    """When it was measured, YYYY-MM-DD."""
    settings: Mapping[str, Value]
    """By key of KEYS, each one that ``settings.checked`` takes."""

    @property
    def is_ours(self) -> bool:
        """Whether it was measured on this machine with this torch."""
        return self.machine == machine.fingerprint()

    def to_toml(self) -> str:
        """The file that ``of`` reads."""
        lines = [
            '# Written by "rtvfi bench --save", used by "rtvfi play". Without this file the preset',
            "# counts; your own rtvfi.toml and the command line count more.",
            f"machine = {as_toml(self.machine)}",
            f"date = {as_toml(self.date)}",
            "",
            "[settings]",
        ]
        lines += [f"{key} = {as_toml(value)}" for key, value in self.settings.items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a file.

        Raises:
            ValueError, RtvfiError: it is not a profile.
        """
        table = tomllib.loads(text)
        try:
            settings: dict[str, Any] = table["settings"]
            return cls(
                machine=str(table["machine"]),
                date=str(table["date"]),
                settings={key: checked(SETTINGS[key], settings[key], key) for key in KEYS},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{error} is missing") from error


def profile_file() -> Path:
    """Where the profile is kept."""
    return platformdirs.user_data_path("rtvfi", appauthor=False) / "machine.toml"


def read_profile() -> tuple[Profile | None, str]:
    """The profile that counts here, if there is one, and in one sentence why one that is there
    does not.
    """
    path = profile_file()
    again = f"run {command_line('bench --save')} again"
    try:
        profile = Profile.of(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, ""
    except (OSError, ValueError, RecursionError, RtvfiError):
        return (
            None,
            f"the settings that rtvfi bench saved cannot be read: {again}, or remove {path}",
        )
    if not profile.is_ours:
        return None, f"the settings that rtvfi bench saved are those of another machine: {again}"
    return profile, ""


def save_profile(profile: Profile) -> Path:
    """Write the profile, whole or not at all.

    Raises:
        RtvfiError: it cannot be written.
    """
    path = profile_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, profile.to_toml())
    except OSError as error:
        raise RtvfiError(
            f'the settings "{path}" cannot be written: {error.strerror}',
            "make room, or make the folder writable",
        ) from error
    return path
