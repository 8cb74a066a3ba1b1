"""The same package on every engine and CPU: do their lists of ten agree with the numpy engine's on this machine?

Emulated CPUs come from qemu 10 and an arm64 Python, Debian packages that are unpacked under build/parity and not
installed. An emulator's times mean nothing, so none are taken. What cannot be had here is named and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "parity"
_PYTHON = ["libpython3.11-minimal", "libpython3.11-stdlib", "python3.11-minimal"]
_LIBRARIES = ["libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3", "libffi8", "libbz2-1.0", "liblzma5",
              "libuuid1", "libcrypt1"]  # fmt: skip
ARM_DEBS = [*_PYTHON, *_LIBRARIES]
SOURCES = """deb [arch=amd64,arm64 trusted=yes] {mirror} bookworm-backports main
deb [arch=amd64,arm64 trusted=yes] {mirror} bookworm main
"""
OLD = ("tflite-runtime==2.14.0", "numpy==1.26.4")
NEW = ("onnxruntime", "ai-edge-litert", "numpy")
K, DEEP = 10, 300


def main() -> int:
    """Prepare environments, run every engine on every CPU, print and save how far their lists agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", help="a package with interactions and texts, for example build/demo.pocketrec")
    parser.add_argument("--cases", type=int, default=1000, help="histories, and as many queries (default 1000)")
    parser.add_argument("--cpus", default="native,avx2,cortex-a72,max", help="some of native,avx2,cortex-a72,max")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once (default 1)")
    parser.add_argument("--child", nargs=3, metavar=("ENGINE", "CASES", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return answer(args.package, *args.child)
    WORK.mkdir(parents=True, exist_ok=True)
    package = WORK / "both.pocketrec"
    prepare(args.package, package)
    cases, reference = draw(package, args.cases)
    (WORK / "cases.json").write_text(json.dumps(cases), encoding="utf-8")
    runs = list(environments([cpu.strip() for cpu in args.cpus.split(",")]))
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda run: measure(package, reference, **run), runs))
    for row in rows:
        print(row_line(row), flush=True)
    from machine import save

    save("parity", rows)
    sound = "avx2" not in args.cpus or saturates_nowhere()
    return 0 if sound and all(row["agreement"] >= 0.999 for row in rows) else 3


def saturates_nowhere() -> bool:
    """Whether the engines take extreme codes on a CPU with AVX2 and without VNNI; the test is the contract suite's."""
    qemu = emulator()
    if qemu is None:
        return True
    words = [qemu / "qemu-x86_64-static", "-cpu", "Haswell", sys.executable, "-m", "pytest", "-q"]
    words += [ROOT / "tests" / "test_engines.py", "-k", "test_extreme_codes_saturate_nowhere"]
    done = subprocess.run(list(map(str, words)), cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout.splitlines()[-1:] if done.returncode else ["exact on every engine"]
    print(f"{'avx2':<12}{'extreme codes':<24}{''.join(said)}")
    return done.returncode == 0


def prepare(source: str, package: Path) -> None:
    """The package with graphs of both formats."""
    from pocketrec_export.targets import TARGETS, retarget

    retarget(source, package, targets=TARGETS, overwrite=True)


def draw(package: Path, count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Histories and queries drawn with a seed, and what the numpy engine answers here, far beyond rank ten."""
    import numpy as np
    from pocketrec.engine_numpy import NumpyEngine
    from pocketrec.package import Package
    from pocketrec.recommender import Recommender
    from pocketrec_export.agreement import allowed_gap

    class Recorder(NumpyEngine):
        def rank(self, task: Any) -> Any:
            self.task = task
            return super().rank(task)

    opened = Package.open(package)
    engine = Recorder(opened)
    recommender = Recommender(opened, engine, clock=None)
    rng, size = np.random.default_rng(0), len(recommender.catalogue)
    histories, queries = [], []
    for _ in range(count):
        chosen = rng.choice(size, min(size, int(rng.integers(1, 61))), replace=False)
        weights = rng.choice([1.0, 1.0, 1.0, 0.5, 2.0, -1.0], len(chosen))
        ids = [recommender.catalogue.id(int(index)) for index in chosen]
        histories.append([[item, float(weight)] for item, weight in zip(ids, weights, strict=True)])
        words = recommender.catalogue.title(int(rng.integers(size))).split() or ["nothing"]
        queries.append(" ".join(words[: int(rng.integers(1, 7))]))
    reference = []
    for verb, asked in [*(("recommend", h) for h in histories), *(("search", q) for q in queries)]:
        results = call(recommender, verb, asked, DEEP)
        gap = allowed_gap(opened, engine.task) if len(results) else 0.0
        reference.append({"scores": {item.item: item.score for item in results}, "gap": gap})
    return {"histories": histories, "queries": queries}, reference


def call(recommender: Any, verb: str, asked: Any, k: int) -> Any:
    """One answer."""
    if verb == "recommend":
        return recommender.recommend([tuple(pair) for pair in asked], k=k)
    return recommender.search(asked, k=k)


def answer(package: str, engine: str, cases: str, out: str) -> int:
    """What a child does on its CPU: every case by one engine, with nothing but the runtime installed."""
    import pocketrec

    with open(cases, encoding="utf-8") as file:
        asked = json.load(file)
    with pocketrec.open(package, engine=engine, clock=None) as recommender:
        found = [call(recommender, "recommend", history, K) for history in asked["histories"]]
        found += [call(recommender, "search", query, K) for query in asked["queries"]]
    lists = [[(item.item, item.score) for item in results] for results in found]
    with open(out, "w", encoding="utf-8") as file:
        json.dump(lists, file)
    return 0


def measure(package: Path, reference: list[dict[str, Any]], *, cpu: str, engine: str, command: list[str],
            path: list[Path]) -> dict[str, Any]:  # fmt: skip
    """One engine on one CPU against the reference."""
    from pocketrec_export.agreement import worst_exchange

    name = f"{cpu}-{engine}".replace(" ", "-")
    out = WORK / f"{name}.json"
    out.unlink(missing_ok=True)
    words = [
        *command,
        str(Path(__file__)),
        str(package),
        "--child",
        engine.split()[0],
        str(WORK / "cases.json"),
        str(out),
    ]
    shell = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
    start = time.monotonic()
    done = subprocess.run(words, env=shell, capture_output=True, text=True, check=False)
    if done.returncode or not out.exists():
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    print(f"  {name}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    lists = json.loads(out.read_text(encoding="utf-8"))
    agree = strict = 0
    furthest = apart = 0.0
    for found, wanted in zip(lists, reference, strict=True):
        scores = wanted["scores"]
        items = [item for item, _ in found]
        best = list(scores)[: len(items)]
        exchange = worst_exchange(items, scores) if len(items) == min(K, len(scores)) else float("inf")
        strict += items == best
        agree += items == best or exchange < wanted["gap"]
        furthest = max(furthest, exchange / wanted["gap"] if exchange > 0 else 0.0)
        size = max(map(abs, scores.values()), default=1.0) or 1.0
        apart = max(apart, *(abs(score - scores.get(item, 0.0)) / size for item, score in found), 0.0)
    count = len(reference)
    return {"cpu": cpu, "engine": engine, "lists": count, "agreement": agree / count, "strict": strict / count,
            "largest_gap": furthest, "largest_score_difference": apart}  # fmt: skip


def row_line(row: dict[str, Any]) -> str:
    """One line of the table."""
    agreement, strict = 100 * row["agreement"], 100 * row["strict"]
    return (
        f"{row['cpu']:<12}{row['engine']:<24}agree {agreement:7.3f} %  strictly {strict:7.3f} %  "
        f"largest gap {row['largest_gap']:.3f} of the allowed  scores within {row['largest_score_difference']:.1e}"
    )


def environments(cpus: list[str]) -> Iterator[dict[str, Any]]:
    """Engine, interpreter and path of every run that can be made here."""
    runtime = ROOT / "runtime"
    old = old_environment()
    qemu = emulator() if set(cpus) - {"native"} else None
    for cpu in cpus:
        if cpu in ("native", "avx2"):
            if cpu == "avx2" and qemu is None:
                continue
            prefix = [] if cpu == "native" else [str(qemu / "qemu-x86_64-static"), "-cpu", "Haswell"]
            for engine in ("numpy", "onnx", "litert"):
                yield {"cpu": cpu, "engine": engine, "command": [*prefix, sys.executable], "path": [runtime]}
            yield {"cpu": cpu, "engine": "litert tflite-runtime", "command": [*prefix, str(old)], "path": [runtime]}
        elif qemu is not None:
            root = arm_root()
            python = [str(qemu / "qemu-aarch64-static"), "-cpu", cpu, "-L", str(root), str(root / "usr/bin/python3.11")]
            for engine in ("numpy", "onnx", "litert"):
                yield {"cpu": cpu, "engine": engine, "command": python, "path": [arm_wheels("new", NEW), runtime]}
            path = [arm_wheels("old", OLD), runtime]
            yield {"cpu": cpu, "engine": "litert tflite-runtime", "command": python, "path": path}


def old_environment() -> Path:
    """A Python with tflite-runtime, whose numpy cannot stand beside ours."""
    folder = WORK / "tflite-runtime"
    if not (folder / "bin/python").exists():
        run([sys.executable, "-m", "venv", folder])
        run([folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *OLD])
    return folder / "bin/python"


def emulator() -> Path | None:
    """The folder of qemu's programs; None where there is no apt to get them with."""
    found = WORK / "qemu/usr/bin"
    if not found.exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            print("not run: emulated CPUs, which take Debian's apt-get and dpkg", file=sys.stderr)
            return None
        unpack(["qemu-user-static/bookworm-backports", "qemu-user/bookworm-backports"], WORK / "qemu")
    return found


def arm_root() -> Path:
    """A folder with an arm64 Python."""
    root = WORK / "arm64"
    if not root.exists():
        unpack([f"{name}:arm64" for name in ARM_DEBS], root)
    return root


def arm_wheels(name: str, packages: tuple[str, ...]) -> Path:
    """A folder of arm64 wheels, unpacked."""
    site = WORK / f"arm64-{name}"
    if not site.exists():
        platforms = [
            word for tag in ("2_34", "2_28", "2_27", "2_17") for word in ("--platform", f"manylinux_{tag}_aarch64")
        ]
        pins = ["-c", str(ROOT / "constraints.txt")] if name == "new" else []
        run([sys.executable, "-m", "pip", "install", "--quiet", "--target", site, "--only-binary=:all:", *platforms,
             "--platform", "manylinux2014_aarch64", "--python-version", "3.11", *pins, *packages])  # fmt: skip
    return site


def unpack(names: list[str], folder: Path) -> None:
    """Debian packages, fetched and unpacked without being installed."""
    apt = WORK / "apt"
    for part in ("lists/partial", "cache/archives/partial", "debs"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    mirror = os.environ.get("DEBIAN_MIRROR", "http://" + "deb.debian" + ".org/debian")
    (apt / "sources.list").write_text(SOURCES.format(mirror=mirror), encoding="utf-8")
    settings = {"Dir::Etc::sourcelist": apt / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
                "Dir::State::lists": apt / "lists", "Dir::Cache": apt / "cache", "Dir::State::status": apt / "status",
                "APT::Architectures::": "amd64"}  # fmt: skip
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    options += ["-o", "APT::Architectures::=arm64"]
    if not any((apt / "lists").glob("*Packages*")):
        run(["apt-get", *options, "update", "-qq"])
    new = apt / "debs" / folder.name
    new.mkdir(exist_ok=True)
    run(["apt-get", *options, "download", "-qq", *names], cwd=new)
    for deb in sorted(new.glob("*.deb")):
        run(["dpkg", "-x", deb, folder])


def run(words: list[Any], **options: Any) -> None:
    """A command that must succeed."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words[:4]))} ... failed: {done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
