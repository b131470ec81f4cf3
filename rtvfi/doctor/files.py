"""Checks weight files, disk space and configuration files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.core.program import command_line
from rtvfi.doctor.finding import fail, ok, size, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtvfi.doctor.finding import Finding, Place

_LITTLE: Final = 2 << 30
_TOO_LITTLE: Final = 50 << 20


def check_weights(_place: Place) -> Iterator[Finding]:
    """Check the embedded weights, and compare those in the store with their receipts."""
    from rtvfi.models.weights.auto import EMBEDDED
    from rtvfi.models.weights.store import Store, find_weights

    try:
        path = find_weights(EMBEDDED)
        assert path is not None
        trouble = broken(path)
    except RtvfiError as error:
        trouble = error.message
    again = "install rtvfi again, or restore the file in the checkout"
    if trouble:
        yield fail("weights", f"{EMBEDDED} (comes with rtvfi): {trouble}", again)
    else:
        yield ok("weights", f"{EMBEDDED} (comes with rtvfi): intact")
    store = Store()
    good = []
    for name in store.names():
        trouble = store.verify(name) or ""
        if trouble:
            yield fail("weights", f"{name}: {trouble}", command_line(f"weights get {name}"))
        else:
            good.append(name)
    if good:
        yield ok("weights", f"intact: {', '.join(good)}")
    else:
        yield ok("weights", f"no others installed; {command_line('weights list')} lists them")


def broken(path: Path) -> str:
    """What is wrong with a safetensors file, by its header, its length and the hash in the header;
    empty when it is intact.
    """
    from safetensors import SafetensorError, safe_open

    from rtvfi.models.weights.store import data_sha256_of

    try:
        with safe_open(path, "np") as file:
            known = (file.metadata() or {}).get("sha256")
        if known is not None and known != data_sha256_of(path):
            return "the file has changed since it was written"
    except SafetensorError:
        return "the file is truncated, or not a weight file"
    except OSError as error:  # of safetensors' own making: without ``strerror``
        return f"the file cannot be read: {error}"
    return ""


def check_disk(place: Place) -> Iterator[Finding]:
    """Check free space and permissions of the folders that rtvfi writes to."""
    import platformdirs

    folders = {
        "weights": platformdirs.user_cache_path("rtvfi", appauthor=False),
        "settings": platformdirs.user_config_path("rtvfi", appauthor=False),
    }
    if not place.environ.get("HOME"):
        yield warn("disk", "HOME is not set: the folder comes from the list of users", "set HOME")
    for what, folder in folders.items():
        yield from _check_folder(what, folder)
    try:
        yield from _check_folder("temporary files", Path(tempfile.gettempdir()))
    except OSError:
        yield fail("disk", "there is no folder for temporary files", "set TMPDIR")


def _check_folder(what: str, folder: Path) -> Iterator[Finding]:
    try:
        there = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        free = shutil.disk_usage(there).free
    except (OSError, StopIteration) as error:
        yield warn("disk", f"{what}: {folder} cannot be read: {error}", "check its permissions")
        return
    text = f"{what}: {size(free)} free in {folder}"
    if not there.is_dir() or not os.access(there, os.W_OK):
        yield warn("disk", f"{what}: nothing can be written to {folder}", "check its permissions")
    elif free < _TOO_LITTLE:
        yield fail("disk", text, "make room")
    elif free < _LITTLE:
        yield warn("disk", text, "free some space; a recording takes about 2 GB an hour")
    else:
        yield ok("disk", text)


def check_settings(_place: Place) -> Iterator[Finding]:
    """Check the user's file, and report the resulting settings."""
    from rtvfi.settings.config import default_user_file, resolve_config, user_file
    from rtvfi.settings.profile import read_profile

    profile, why_not = read_profile()
    try:
        path = user_file()
        config = resolve_config({}, None, path, profile)
    except RtvfiError as error:
        yield fail("settings", error.message, error.hint or "correct that line, or remove it")
        return
    if path is None:
        yield ok("settings", f"no settings file (it would be {default_user_file()})")
    else:
        yield ok("settings", f"{path} is valid")
    if why_not:
        yield warn("settings", why_not.partition(":")[0], command_line("bench --save"))
    elif profile is not None:
        yield ok("settings", f"measured by rtvfi bench on {profile.date}")
    chosen = f'preset "{config.preset.value}" ({config.preset.origin})'
    main = ", ".join(f"{key} {config[key]}" for key in ("model", "style", "fps", "flow_scale"))
    yield ok("settings", f"{chosen}: {main}")


def check_model(_place: Place) -> Iterator[Finding]:
    """Report the model used by default, and whether a better one could be installed."""
    from rtvfi.models.weights.auto import AUTO, better_model
    from rtvfi.settings.config import live_model, resolve_config, user_file, will_use_gpu
    from rtvfi.settings.profile import read_profile

    try:
        config = resolve_config({}, None, user_file(), read_profile()[0])
    except RtvfiError:
        return  # check_settings reports it
    model, is_gpu = live_model(config), will_use_gpu(str(config["device"]))
    why = f" ({AUTO}, on a {'GPU' if is_gpu else 'processor'})" if config["model"] == AUTO else ""
    better = better_model(model, is_gpu=is_gpu)
    if better is None:
        yield ok("model", f"{model} is used{why}")
    else:
        text = f"{model} is used{why}; {better} makes better pictures"
        yield warn("model", text, command_line(f"weights get {better}"))
