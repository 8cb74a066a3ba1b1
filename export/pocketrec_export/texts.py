"""Item texts in the teacher's space, and the student that will encode queries on the device."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketrec_export.kept_student import student_arrays, student_of
from pocketrec_export.progress import Run, Tick
from pocketrec_export.read import Items
from pocketrec_export.stage_cache import key_of
from pocketrec_export.student import Student, distill
from pocketrec_export.teacher import Teacher, load_teacher
from pocketrec_export.text_space import project
from pocketrec_export.tiers import MAX_LOSS, Tier, choose_bits, loss_table, measure


@dataclass(frozen=True)
class Texts:
    """Item texts in the teacher's space, rows in the order of ``ids``, and the student of their queries.

    Attributes:
        ids: ids of the items table.
        vectors: float32 [N, E] by the teacher.
        teacher: who encoded them.
        student: the query encoder; its projection leads into the package's text space.
        tiers: what storing its table of tokens in fewer bits costs, see `tiers`.
    """

    ids: list[str]
    vectors: NDArray[np.float32]
    teacher: Teacher
    student: Student
    tiers: tuple[Tier, ...] = ()

    def rows(self, ids: list[str]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Teacher vectors float32 [I, E] and package vectors float32 [I, D]; zeros for items without text."""
        position = {id: row for row, id in enumerate(self.ids)}
        full = np.zeros((len(ids), self.vectors.shape[1]), np.float32)
        known = [(row, position[id]) for row, id in enumerate(ids) if id in position]
        if known:
            to, source = np.array(known).T
            full[to] = self.vectors[source]
        return full, project(full, self.student.projection)


def encode_texts(
    run: Run,
    table: Items,
    spec: str | None,
    text_dim: int,
    vocabulary: int | None,
    cache: str | os.PathLike[str] | None,
    *,
    max_loss: float = MAX_LOSS,
) -> Texts:
    """The second stage of a build: load the teacher, encode all items, distill the student, choose its bits."""
    with run.stage("loading the teacher"):
        teacher = load_teacher(spec, cache=None if cache is None else Path(cache), say=run.progress.say)
    texts = table.encoder_text()
    with run.stage(f"encoding {len(texts):,} items", total=len(texts)) as tick:
        vectors = teacher.encode(texts, _to_ticks(tick))
    with run.stage("distilling the query encoder", total=100) as tick:
        percent = _to_ticks(tick)
        inputs: dict[str, Any] = {
            "item_vectors": vectors,
            "titles": table.titles,
            "dim": min(text_dim, teacher.dim // 64 * 64),
            "pieces": vocabulary,
            "preset": run.preset,
            "seed": run.seed,
        }
        key = key_of(teacher=teacher.recipe, texts=texts, threads=run.threads, **inputs)
        kept = run.cache.load("student", key, what="the query encoder")
        if kept is not None:
            student = student_of(kept)
        else:
            student = distill(
                teacher,
                texts,
                **inputs,
                encode_progress=lambda done, total: percent(70 * done // total, 100),
                epoch_progress=lambda epoch, epochs, _: percent(70 + 30 * epoch // epochs, 100),
            )
            run.cache.save("student", key, student_arrays(student))
    if teacher.reused:
        run.cache.reuse(f"the teacher's vectors of {teacher.reused:,} texts")
    tiers = loss_table(student, vectors)
    student = replace(student, bits=choose_bits(tiers, max_loss))
    return Texts(table.ids, vectors, teacher, replace(student, fidelity=measure(student, vectors)), tiers)


def _to_ticks(tick: Tick) -> Callable[[int, int], None]:
    """``tick(n more)`` as a callback that is told (done, in all)."""
    seen = 0

    def told(done: int, _: int) -> None:
        nonlocal seen
        tick(done - seen)
        seen = done

    return told
