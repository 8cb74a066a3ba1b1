"""How long a stranger waits: clone into an empty folder, run `make demo`, and time it.

usage: python benchmarks/fresh.py [--target demo] [--keep demo.pocketrec]

Installing is included, so the figure depends on the network as well.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import save

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Clone, run, print the seconds; returns make's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="demo")
    parser.add_argument("--keep", type=Path, help="copy the package that the demo built here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pocketrec-fresh-") as folder:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), folder], check=True)
        started = time.perf_counter()
        install = subprocess.run(["make", ".venv/.ready"], cwd=folder, check=False)
        installed = time.perf_counter()
        log: list[str] = []
        with subprocess.Popen(
            ["make", args.target], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as done:
            for line in done.stdout or ():
                print(line, end="", flush=True)
                log.append(line.rstrip())
        finished = time.perf_counter()
        row = {
            "target": args.target,
            "install_s": round(installed - started, 1),
            "run_s": round(finished - installed, 1),
            "total_s": round(finished - started, 1),
            "exit_code": install.returncode or done.returncode,
            "printed": [line for line in log if not line.endswith(" ...")],
        }
        if args.keep:
            shutil.copy(Path(folder) / "build" / "demo.pocketrec", args.keep)
    print(f"make {args.target}: installed in {row['install_s']} s, ran in {row['run_s']} s, exit {row['exit_code']}")
    print(f"wrote {save(f'fresh-{args.target}', [row])}")
    return int(row["exit_code"])


if __name__ == "__main__":
    sys.exit(main())
