"""The output path of a rendering, and whether it may be written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtvfi.core.errors import UsageError
from rtvfi.core.files import is_address
from rtvfi.stream.write.journal import Journal, journal_folder, open_journal
from rtvfi.stream.write.mux import check_target
from rtvfi.stream.write.picture_writer import PNGS, holds_pictures
from rtvfi.stream.write.pngs import check_folder
from rtvfi.stream.write.stills import ANIMATIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

    from rtvfi.settings.config import RenderOptions
    from rtvfi.stream.write.timeline import Timeline


def target_path(options: RenderOptions, source: str, rate: Fraction) -> Path:
    """The output path for a source.

    Args:
        options: of the rendering.
        source: path or URL of the input.
        rate: output frames per second, which become part of a generated name.

    Raises:
        UsageError: there are several inputs, and the output is a single file.
    """
    path = Path("stream") if is_address(source) else Path(source)
    stem = path.stem
    if path.is_dir():
        path = path.resolve()
        stem = path.name
    name = f"{stem}-{float(rate):.5g}fps"
    output = options.output
    if not options.is_png_only:
        name += options.extension
    elif output is not None:
        return output / name if len(options.files) > 1 else output
    if output is None:
        return path.with_name(name)
    if output.is_dir():
        return output / name
    if len(options.files) > 1:
        raise UsageError(
            f'-o "{output}" is one file, but there are {len(options.files)} inputs',
            f'mkdir "{output}"',
        )
    return output


def kept_pngs(target: Path) -> Path:
    """The folder for PNGs that are written beside the file ``target`` (``--keep-pngs``)."""
    return target.with_suffix("")


def check_output(options: RenderOptions, source: str, target: Path, form: str) -> None:
    """Refuse an output that cannot or must not be written, before any work is done.

    Raises:
        UsageError: the output is the source, already exists, or does not go with the options.
        EncodeError: its folder does not exist.
    """
    if options.keeps_times and form in ANIMATIONS:
        raise UsageError(f"a {form} has a constant frame rate", "omit --vfr keep")
    if form == PNGS:
        check_folder(target, source, force=options.force)
        return
    # An existing file may be our own unfinished output; the journal decides that later.
    check_target(target, (source,), force=options.force or not holds_pictures(form))
    if options.keeps_pngs:
        is_ours = options.force or journal_folder(target).exists()
        check_folder(kept_pngs(target), source, force=is_ours)


def journal_for(
    options: RenderOptions, target: Path, form: str, facts: Mapping[str, object], line: Timeline
) -> Journal:
    """The journal of a rendering, from which it can be resumed.

    Folders of PNGs and animations have no journal and always start over.
    """
    if holds_pictures(form):
        return Journal(journal_folder(target), target, None)
    return open_journal(target, form, facts, line, force=options.force)
