"""The settings that ``rtvfi bench --save`` found best for this machine, used by ``rtvfi play``.

Pure except for reading and writing its file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

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
"""The settings that a profile contains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The best settings measured on a machine."""

    machine: str
    """The machine's ``machine.fingerprint``."""
    date: str
    """When it was measured, YYYY-MM-DD."""
    settings: Mapping[str, Value]
    """One value for each of KEYS, checked as in ``keys.checked``."""

    @property
    def is_ours(self) -> bool:
        """Whether it was measured on this machine with this torch."""
        return self.machine == machine.fingerprint()

    def to_toml(self) -> str:
        """The file that ``of`` reads."""
        lines = [
            '# Written by "rtvfi bench --save", used by "rtvfi play". These settings override the',
            "# preset; your own rtvfi.toml and the command line override them.",
            f"machine = {as_toml(self.machine)}",
            f"date = {as_toml(self.date)}",
            "",
            "[settings]",
        ]
        lines += [f"{key} = {as_toml(value)}" for key, value in self.settings.items()]
        return "\n".join(lines) + "\n"

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse the text of a profile.

        Raises:
            ValueError, RtvfiError: it is not a valid profile.
        """
        table = tomllib.loads(text)
        try:
            settings = table["settings"]
            return cls(
                machine=str(table["machine"]),
                date=str(table["date"]),
                settings={key: checked(SETTINGS[key], settings[key], key) for key in KEYS},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{error} is missing") from error


def profile_file() -> Path:
    """The path of the profile."""
    return platformdirs.user_data_path("rtvfi", appauthor=False) / "machine.toml"


def read_profile() -> tuple[Profile | None, str]:
    """The profile of this machine, or None, and why an existing profile is not used (or empty)."""
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
    """Write the profile atomically; returns its path.

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
            "free disk space, or make the folder writable",
        ) from error
    return path
