"""What of the options a rendering that goes on must share with its beginning."""

from __future__ import annotations

import json
from dataclasses import fields

from rtvfi.core.options import EncodeOptions, StreamOptions


def names(options: type[StreamOptions] | type[EncodeOptions]) -> set[str]:
    return {field.name for field in fields(options)}


def test_every_option_changes_pictures_or_is_known_not_to() -> None:
    assert names(StreamOptions) - set(StreamOptions().facts()) == {
        *("ring_seconds", "ring_bytes"),
        "overlap",  # the same pictures to the bit
    }
    assert names(EncodeOptions) - set(EncodeOptions().facts()) == {
        "vaapi_device",
        "sub_codepage",  # what is beside the pictures is copied anew
    }


def test_facts_survive_being_written_down() -> None:
    for options in (StreamOptions(passes=2), EncodeOptions(crf=20.5, pix_fmt="yuv420p")):
        assert json.loads(json.dumps(options.facts())) == options.facts()
