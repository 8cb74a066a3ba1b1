"""The command line: python -m sdkless [STEP]. Without a step, all of them in this order."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from sdkless import apk, modules
from sdkless.fetch import fetch_all
from sdkless.places import REPOSITORY
from sdkless.run import BuildError

STEPS: dict[str, tuple[str, Callable[[], str]]] = {
    "fetch": ("bring the tools of pins.toml", lambda: ""),
    "test-core": ("compile pocketrec-core and run its tests", modules.test_core),
    "test-ort": ("the same of pocketrec-ort, on the real ONNX Runtime", modules.test_ort),
    "test-app": ("the same of the app, as far as it needs no Android", lambda: modules.test_app(apk.resources().r)),
    "libraries": ("pack the jar and the AAR", lambda: _sizes(*apk.libraries())),
    "lite": ("shrink, pack and sign the app in pure Kotlin", lambda: _sizes(apk.build("lite"))),
    "full": ("the same of the app with ONNX Runtime", lambda: _sizes(apk.build("full"))),
    "verify": ("check the signatures", lambda: "\n".join(apk.verified(flavor) for flavor in apk.FLAVORS)),
}


def main() -> int:
    """Run one step or all, after fetching what is missing; returns the exit code."""
    epilog = "\n".join(f"  {name:10} {what}" for name, (what, _) in STEPS.items())
    parser = argparse.ArgumentParser(
        prog="python -m sdkless", description=__doc__, epilog=epilog, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("step", nargs="?", choices=STEPS)
    args = parser.parse_args()
    try:
        fetch_all()
        for step in [args.step] if args.step else STEPS:
            what, work = STEPS[step]
            start = time.perf_counter()
            print(f"{step}: {what}", flush=True)
            said = work().strip()
            print(*(f"    {line}" for line in said.splitlines()), f"    {time.perf_counter() - start:.1f} s", sep="\n")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _sizes(*files: Path) -> str:
    return "\n".join(f"{file.relative_to(REPOSITORY)}: {file.stat().st_size:,} bytes" for file in files)


if __name__ == "__main__":
    sys.exit(main())
