"""How a student is put into the stage cache and taken out again."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pocketrec_export.stage_cache import from_text_array, text_array
from pocketrec_export.student import Student


def student_arrays(student: Student) -> dict[str, NDArray[Any]]:
    """A student as arrays."""
    about = {"vocabulary": student.vocabulary, "losses": student.losses, "fidelity": dict(student.fidelity)}
    return {"tokens": student.tokens, "projection": student.projection, "about": text_array(about)}


def student_of(arrays: dict[str, NDArray[Any]]) -> Student:
    """The student that `student_arrays` was given, to the last bit."""
    about = from_text_array(arrays["about"])
    losses = tuple(about["losses"])
    return Student(arrays["tokens"], about["vocabulary"], arrays["projection"], losses, about["fidelity"])
