"""``python -m rtvfi``."""

from __future__ import annotations

import sys

from rtvfi.cli import main

sys.exit(main())
