"""``python -m rtvfi`` and the installed command."""

from __future__ import annotations

import os
import sys
import threading

from rtvfi.cli.main import main


def run() -> None:
    """Run the command line and leave.

    A thread that is still inside torch when the interpreter goes down aborts the process. Whatever
    was to be saved is saved by now, so with such a thread left the process ends without ceremony.
    """
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if threading.active_count() > 1:
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
