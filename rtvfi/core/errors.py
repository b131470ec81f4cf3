"""Every error a user can cause.

RtvfiError                 failed: exit code 1
├── UsageError             the command line or a config file is wrong: exit code 2
│   └── UnknownModel       no model of that name
├── SourceError            the input file
│   ├── OpenError          cannot be opened, or holds no picture
│   ├── DecodeError        opened, but its pictures cannot be decoded
│   └── SeekError          cannot be positioned
├── ModelError             the network
│   ├── WeightsMissing     known model, weights not on this machine
│   ├── WeightsMismatch    a weight file that does not fit
│   └── BadPicture         its output contains NaN or infinity
├── DeviceError            the requested device cannot be used
│   └── OutOfMemory        its memory is full
├── EncodeError            writing video failed
├── ClusterError           the machines of a cluster
└── PlayerError            mpv cannot be started or refused a command

The message says what failed, the value in quotes and what was expected; the hint is the next
command or option. Any other exception is a bug: it is never turned into an RtvfiError.
"""

from __future__ import annotations


class RtvfiError(Exception):
    """Root of all errors with a message for the user; ``str()`` is the message without the hint."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(RtvfiError):
    """The command line or a configuration file asks for something that does not exist."""

    exit_code = 2


class UnknownModel(UsageError):
    """No model of that name is in the catalogue."""


class SourceError(RtvfiError):
    """The input file cannot be used."""


class OpenError(SourceError):
    """The file cannot be opened, or holds no picture."""


class DecodeError(SourceError):
    """The file opened, but its pictures cannot be decoded."""


class SeekError(SourceError):
    """The file cannot be positioned at the requested time."""


class ModelError(RtvfiError):
    """The network cannot be used."""


class WeightsMissing(ModelError):
    """The model is known, but its weights are not on this machine."""


class WeightsMismatch(ModelError):
    """A weight file does not fit the network it should fill."""


class BadPicture(ModelError):
    """The network's output contains NaN or infinity, as happens when half precision overflows."""


class DeviceError(RtvfiError):
    """The requested compute device cannot be used."""


class OutOfMemory(DeviceError):
    """The compute device has not enough memory."""


def first_line(error: BaseException) -> str:
    """One line about an error: the operating system's text for an error code, else the first line
    of its message, else the name of its class.
    """
    lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def model_failure(error: Exception) -> RtvfiError:
    """Turn an exception raised by a network into an RtvfiError; one that is one already stays.

    torch says "out of memory" for a GPU and "can't allocate memory" for main memory.
    """
    if isinstance(error, RtvfiError):
        return error
    line = first_line(error)
    is_full = isinstance(error, MemoryError) or "out of memory" in line or "n't allocate" in line
    kind = OutOfMemory if is_full else ModelError
    failure = kind(
        f"the model failed: {line}",
        "try --scale 0.5, or a lighter --model" if is_full else "",
    )
    failure.__cause__ = error
    return failure


class EncodeError(RtvfiError):
    """Writing a video file failed."""


class ClusterError(RtvfiError):
    """The machines of a cluster cannot be reached, or differ from this one too much to render."""


class PlayerError(RtvfiError):
    """The player mpv cannot be started, or refused a command."""


class NoScripts(PlayerError):
    """This libmpv was built without Lua."""
