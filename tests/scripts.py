"""Python of its own, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_script(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ``script`` beside the checkout's ``rtvfi``, with ``words`` as its command line; nobody's
    settings are read."""
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=Path(__file__).resolve().parent.parent,
        env=os.environ | {"RTVFI_CONFIG": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
