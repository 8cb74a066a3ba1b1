"""The command line: python -m sdkless STEP."""

from __future__ import annotations

import argparse
import sys

from sdkless import modules
from sdkless.fetch import fetch_all
from sdkless.run import BuildError


def main() -> int:
    """Run one step and what it needs; returns the exit code."""
    steps = {"fetch": lambda: "", "test-core": modules.test_core, "test-ort": modules.test_ort}
    parser = argparse.ArgumentParser(prog="python -m sdkless", description=__doc__)
    parser.add_argument("step", choices=steps)
    args = parser.parse_args()
    try:
        fetch_all()
        print(steps[args.step]().strip())
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
