"""What a package says of its label heads: a name and how many labels each has.

Head n has the arrays ``heads/n.weight`` float32[C, D], ``heads/n.bias`` float32[C] and the string table
``heads/n_label`` of C labels. The temperature that makes its probabilities honest is folded into both.
"""

from __future__ import annotations

from dataclasses import dataclass

from pocketrec.checked_json import JsonObject

MAX_HEADS = 64
MAX_LABELS = 65_536


@dataclass(frozen=True, slots=True)
class HeadInfo:
    """One label column.

    Attributes:
        name: of the column, as ``sentiment``.
        prefix: how the names of its arrays begin.
        labels: C, at least 2.
    """

    name: str
    prefix: str
    labels: int


def read_heads(top: JsonObject) -> tuple[HeadInfo, ...]:
    """The manifest's ``heads``, none where the key is missing or null.

    Raises:
        PackageError: it is no list of heads with names of their own.
    """
    listed = top.value.get("heads")
    if listed is None:
        return ()
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_HEADS:
        top.fail("heads", f"a list of 1 to {MAX_HEADS}")
    found: list[HeadInfo] = []
    for number, value in enumerate(listed):
        one = JsonObject(value, f"{top.where('heads')}[{number}]")
        name = one.text("name")
        if not name or name in (other.name for other in found):
            one.fail("name", "a name of its own")
        found.append(HeadInfo(name, f"heads/{number}", one.integer("labels", 2, MAX_LABELS)))
    return tuple(found)
