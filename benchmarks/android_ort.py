"""Latency of the Kotlin library with ONNX Runtime on the JVM, and how often it lists what the raw engine lists.

usage: PYTHONPATH=android_demo python benchmarks/android_ort.py build/demo.pocketrec [--processes 5]

One thread, the classes and the x86-64 JNI library of the Android AAR over the desktop library of the same version.
Reported are medians over the processes of each process's p50 and p95 of single calls.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path

from sdkless import compile, desktop, modules
from sdkless.fetch import fetch_all


def main() -> int:
    """Run the processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path)
    parser.add_argument("--processes", type=int, default=5)
    args = parser.parse_args()
    from machine import save

    fetch_all()
    classes = [modules.ort_tests(), modules.ort(), modules.core(), desktop.java_classes()]
    native = desktop.native_libraries()
    runs = [
        json.loads(compile.program(classes, "dev.pocketrec.ort.OrtBenchmark", args.package.resolve(), native=native))
        for _ in range(args.processes)
    ]
    figures = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    print("\n".join(f"{key:<36}{value:>12,.4f}" for key, value in figures.items()))
    print(f"\nwrote {save('android-ort', [figures])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
