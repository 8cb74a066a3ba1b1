"""How a student is put into the stage cache and taken out again."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pocketrec_export.stage_cache import from_text_array, text_array
from pocketrec_export.student import Student
from pocketrec_export.unigram_tables import UnigramPieces, fields, from_fields


def student_arrays(student: Student) -> dict[str, NDArray[Any]]:
    """A student as arrays."""
    about = {
        "vocabulary": _plain(student.vocabulary),
        "losses": student.losses,
        "fidelity": dict(student.fidelity),
        "queries": student.queries,
    }
    tables = {"tokens": student.tokens, "projection": student.projection, "answers": student.answers}
    return {**tables, "about": text_array(about)}


def student_of(arrays: dict[str, NDArray[Any]]) -> Student:
    """The student that `student_arrays` was given, to the last bit."""
    about = from_text_array(arrays["about"])
    return Student(
        tokens=arrays["tokens"],
        vocabulary=_vocabulary(about["vocabulary"]),
        projection=arrays["projection"],
        losses=tuple(about["losses"]),
        fidelity=about["fidelity"],
        queries=tuple(about["queries"]),
        answers=arrays["answers"],
    )


def _plain(vocabulary: list[str]) -> Any:
    return fields(vocabulary) if isinstance(vocabulary, UnigramPieces) else vocabulary


def _vocabulary(value: Any) -> list[str]:
    return from_fields(value) if isinstance(value, dict) else value
