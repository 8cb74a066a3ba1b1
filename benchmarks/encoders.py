"""The query encoder against its teacher: how it ranks, what fewer bits lose, what it weighs, how long it takes.

usage: python benchmarks/encoders.py ITEMS [--banking77 DIR] [--dims 128 256] [--preset quick] [--teacher T]

For each width one student is distilled from the items' texts, as `pocketrec build` does. Then, with 32, 8 and 4 bits:

- ``overlap``, ``ndcg``: its ten items for test queries beside the teacher's, the teacher's cosine being the gain. The
  queries are made from the catalogue like the lessons, with another seed, and none of them is a lesson;
- ``known``: NDCG@10 of the one item that a query means (`pocketrec_export.known_items`), as a share of the teacher's;
- with ``--banking77`` (train.parquet and test.parquet with text and category): ``hit@1``, how often the nearest train
  text, encoded by the teacher, has the category of a test text, encoded by the student of the train texts.

And once: milliseconds of one query of 16 tokens, one thread, tokenizing included, for each engine, and of the teacher
by itself in float32, where it is a Sentence-Transformers model.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pocketrec
from machine import save
from numpy.typing import NDArray
from pocketrec.manifest import BlendTerm
from pocketrec_export.assemble import assemble
from pocketrec_export.full_model import FullModel
from pocketrec_export.items import Items
from pocketrec_export.known_items import known_items
from pocketrec_export.progress import Progress, Run
from pocketrec_export.query_texts import query_texts
from pocketrec_export.read import read_items
from pocketrec_export.student import PRESETS, Student, encode, fidelity
from pocketrec_export.text_space import project
from pocketrec_export.texts import Texts, encode_texts
from pocketrec_export.threads import available_threads, fixed_threads
from pocketrec_export.tiers import CODES, as_stored

SEED, HALF = 20261124, 1
QUERIES = 1000
KNOWN = 300
TOKENS = 16
ENGINES = ("numpy", "onnx")
ABOUT = {
    "input": {"value_kind": "none", "reason": "a benchmark", "positive": None, "split_sha256": None},
    "data": {"license": "", "attribution": ""},
    "seed": 0,
}
Vectors = NDArray[np.float32]


def main() -> int:
    """Distil, measure every width and number of bits, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", type=Path)
    parser.add_argument("--banking77", type=Path)
    parser.add_argument("--dims", nargs="+", type=int, default=[128, 256])
    parser.add_argument("--preset", choices=list(PRESETS), default="quick")
    parser.add_argument("--teacher")
    parser.add_argument("--cache", type=Path, default=Path("build/cache"))
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--repeats", type=int, default=2000)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with fixed_threads(available_threads(), torch=True):
        catalogues = {"items": read_items(args.items)}
        if args.banking77 is not None:
            train, test = (pd.read_parquet(args.banking77 / f"{part}.parquet") for part in ("train", "test"))
            catalogues["banking77"] = read_items(train.assign(item=range(len(train)), title=train["text"]))
        for dim in args.dims:
            for name, table in catalogues.items():
                texts = distilled(args, table, dim)
                figures = answers(texts, train, test) if name == "banking77" else searches(texts, table, args)
                seconds = timings(texts, table, args.repeats)
                rows += [{"data": name, "dim": dim, **row, "ms": seconds} for row in figures]
    print("\n".join(table_lines(rows)))
    print(f"\nwrote {save('encoders', rows)}")
    return 0


def distilled(args: argparse.Namespace, table: Items, dim: int) -> Texts:
    """The teacher's vectors and the student of one catalogue."""
    run = Run(Progress(), seed=0, preset=args.preset, min_users=1, threads=available_threads(), cache=args.cache)
    return encode_texts(run, table, args.teacher, dim, None, args.cache)


def tiers(student: Student) -> list[tuple[int, int, Vectors]]:
    """(bits, bytes of the table, the table as it is read) for float32, 8 and 4 bits."""
    found = []
    for bits in (32, *CODES):
        table = as_stored(replace(student, bits=bits))
        size = table.size * bits // 8 + (0 if bits == 32 else 4 * len(table))
        found.append((bits, size, table))
    return found


def searches(texts: Texts, table: Items, args: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each number of bits: overlap, NDCG and known items, on queries that taught nothing."""
    student, teacher = texts.student, texts.teacher
    with_text = np.abs(texts.vectors).max(axis=1) > 0
    filled = [text for text in table.encoder_text() if text.strip()]
    words = [piece for piece in student.vocabulary if piece.isalpha() and len(piece) > 2]
    made = {"titles": table.titles, "words": words}
    lessons = set(query_texts(filled, count=PRESETS[args.preset].lessons, seed=0, **made))
    test = [text for text in query_texts(filled, count=4 * args.queries, seed=SEED, **made) if text not in lessons]
    test = test[: args.queries]
    meant = known_items(table, count=KNOWN, seed=SEED, half=HALF)
    asked = [query.text for query in meant]
    right = np.array([query.item for query in meant])
    best = teacher.encode([*test, *asked])
    catalogue, everything = texts.vectors[with_text], project(texts.vectors, student.projection)
    known = ndcg_of_one(best[len(test) :] @ texts.vectors.T, right)
    rows = []
    for bits, size, tokens in tiers(student):
        found = encode(tokens, student.vocabulary, [*test, *asked])
        alike = fidelity(
            found[: len(test)], everything[with_text], teacher=best[: len(test)], teacher_catalogue=catalogue
        )
        mine = ndcg_of_one(found[len(test) :] @ everything.T, right)
        rows.append({"bits": bits, "bytes": size, "queries": len(test), **alike, "known": mine, "teacher_known": known})
    return rows


def answers(texts: Texts, train: pd.DataFrame, test: pd.DataFrame) -> list[dict[str, Any]]:
    """One row for each number of bits: hit@1 of the student and of the teacher."""
    student = texts.student
    category, wanted = train["category"].to_numpy(), test["category"].to_numpy()
    asked = list(test["text"])
    catalogue = project(texts.vectors, student.projection)

    def hit(found: Vectors, among: Vectors) -> float:
        return float((category[(found @ among.T).argmax(axis=1)] == wanted).mean())

    teacher = hit(texts.teacher.encode(asked), texts.vectors)
    return [
        {
            "bits": bits,
            "bytes": size,
            "queries": len(asked),
            "hit1": hit(encode(tokens, student.vocabulary, asked), catalogue),
            "teacher_hit1": teacher,
        }
        for bits, size, tokens in tiers(student)
    ]


def ndcg_of_one(score: Vectors, right: NDArray[np.int64]) -> float:
    """Mean NDCG@10 where one item is right: 1 / log2(1 + its rank) within ten, ties to the lower index."""
    own = score[np.arange(len(right)), right][:, None]
    before = np.arange(score.shape[1]) < right[:, None]
    rank = 1 + (score > own).sum(axis=1) + ((score == own) & before).sum(axis=1)
    return float(np.where(rank <= 10, 1 / np.log2(1 + rank), 0.0).mean())


def timings(texts: Texts, table: Items, repeats: int) -> dict[str, float]:
    """Median milliseconds of a query of 16 tokens by each engine, and by the teacher in float32, one thread."""
    model = FullModel(text=texts.rows(table.ids)[1], blend={"content": BlendTerm(1.0, 1.0)})
    parts = assemble(model, items=table, student=texts.student, teacher=texts.teacher, name="x", about=ABOUT)
    words = [piece for piece in texts.student.vocabulary if piece.isalpha() and len(piece) > 3]
    rng = np.random.default_rng(SEED)
    queries = [" ".join(rng.choice(words, TOKENS)) for _ in range(repeats)]
    found: dict[str, float] = {}
    with fixed_threads(1, torch=True), tempfile.TemporaryDirectory() as folder:
        parts.write(Path(folder) / "x.pocketrec")
        for engine in ENGINES:
            with pocketrec.open(Path(folder) / "x.pocketrec", engine=engine) as recommender:
                found[engine] = median_ms(recommender.encode, queries)
        # `Teacher.encode` fills every batch up to a fixed shape, so one text costs as much as 32: the model itself.
        model_of_one = getattr(texts.teacher, "_model", None)
        if model_of_one is not None:
            found["teacher"] = median_ms(lambda text: model_of_one.encode([text]), queries[: max(20, repeats // 20)])
    return found


def median_ms(call: Callable[[str], Any], queries: Sequence[str]) -> float:
    """Median wall time of a query, another one each time, after a tenth of them as warm-up."""
    for text in queries[: len(queries) // 10]:
        call(text)
    times = []
    for text in queries:
        started = time.perf_counter()
        call(text)
        times.append(time.perf_counter() - started)
    return 1000 * float(np.median(times))


def table_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table for a terminal: NDCG and known items of the catalogue, hit@1 of the answers."""
    lines = [
        f"{'data':<11}{'dim':>4}{'bits':>6}{'MB':>7}{'overlap@10':>12}{'NDCG@10':>9}{'known/teacher':>16}"
        f"{'hit@1':>8}{'/teacher':>10}{'numpy ms':>11}{'onnx ms':>9}{'teacher ms':>12}"
    ]
    for row in rows:
        line = f"{row['data']:<11}{row['dim']:>4}{row['bits']:>6}{row['bytes'] / 1e6:>7.2f}"
        if "ndcg_at_10" in row:
            share = row["known"] / row["teacher_known"] if row["teacher_known"] else 0.0
            line += f"{row['overlap_at_10']:>12.4f}{row['ndcg_at_10']:>9.4f}{share:>16.4f}{'':>18}"
        else:
            line += f"{'':>37}{row['hit1']:>8.4f}{row['hit1'] / row['teacher_hit1']:>10.4f}"
        ms = row["ms"]
        lines.append(line + f"{ms['numpy']:>11.4f}{ms['onnx']:>9.4f}{ms.get('teacher', float('nan')):>12.2f}")
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
