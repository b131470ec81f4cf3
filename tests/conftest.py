"""Fixtures every test may use."""

from __future__ import annotations

import pytest
from clips import Clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Clips made by code, written once per session when first asked for."""
    return Clips(tmp_path_factory.mktemp("clips"))
