"""``python -m rtvfi.train``: as ``rtvfi train``."""

from __future__ import annotations

import argparse
import logging
import sys

from rtvfi.core.errors import RtvfiError
from rtvfi.train import command

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m rtvfi.train", description=__doc__)
    command.add_arguments(parser)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        sys.exit(command.main(parser.parse_args()))
    except RtvfiError as error:
        sys.exit(f"error: {error.message}\nhint: {error.hint}")
