"""The answer to a question, with the probability that it is the right one, or none.

An answers package is a search package whose items are questions that were asked before; ``answers/item`` says which of
``answers/text`` each was answered with (an answer, or the name of an intent). An answer's score is the largest of its
items', in a list of the best ``pool``. Its confidence is 1 / (1 + exp(-z)), z = bias + score * s + margin * (s - t), s
the best answer's score and t the second's (0 where there is none). Below the package's threshold there is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pocketrec.checked_json import JsonObject

if TYPE_CHECKING:
    from pocketrec.results import Recommendation

MAX_POOL = 1000
_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How sure an answer is, fitted at export.

    Attributes:
        answers: how many different ones there are.
        pool: items of a search that are looked at.
        bias: of the confidence.
        score: what the best answer's score counts.
        margin: what its distance to the second answer counts.
        threshold: confidence below which there is no answer.
    """

    answers: int
    pool: int
    bias: float
    score: float
    margin: float
    threshold: float

    @classmethod
    def read(cls, o: JsonObject) -> AnswerSettings:
        """The manifest's ``answers``.

        Raises:
            PackageError: a value is missing or out of range.
        """
        return cls(
            o.integer("answers", 1),
            o.integer("pool", 1, MAX_POOL),
            o.number("bias", -_LARGEST, _LARGEST),
            o.number("score", -_LARGEST, _LARGEST),
            o.number("margin", -_LARGEST, _LARGEST),
            o.number("threshold", 0, 1),
        )

    def confidence(self, score: float, margin: float) -> float:
        """The probability, 0 to 1, that the best answer is right."""
        z = self.bias + self.score * score + self.margin * margin
        return 1 / (1 + math.exp(-z)) if z > -700 else 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The best answer to a question.

    Attributes:
        text: the answer, or the intent; None where nothing is sure enough.
        confidence: 0 to 1, the probability that ``best`` is right; 0 where no item was found.
        best: the best answer even if it is not sure enough; "" where no item was found.
        question: the known question that is nearest to this one.
        item: its id.
        score: of the best answer.
        margin: its distance to the second.
    """

    text: str | None
    confidence: float
    best: str
    question: str
    item: str
    score: float
    margin: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "answer": self.text,
            "confidence": self.confidence,
            "best": self.best,
            "question": self.question,
            "item": self.item,
        }


def best_answer(
    settings: AnswerSettings,
    found: Sequence[Recommendation],
    answers: Sequence[str | None],
    *,
    threshold: float | None = None,
) -> Answer:
    """What a search amounts to.

    Args:
        settings: of the package.
        found: the best items, best first.
        answers: what each of them was answered with; None for one that was added.
        threshold: in place of the package's own.
    """
    scores: dict[str, tuple[float, int]] = {}
    for place, (item, text) in enumerate(zip(found, answers, strict=True)):
        if text is not None:
            scores.setdefault(text, (item.score, place))
    if not scores:
        return Answer(None, 0.0, "", "", "", 0.0, 0.0)
    ranked = sorted(scores.items(), key=lambda entry: (-entry[1][0], entry[1][1]))
    best, (score, place) = ranked[0]
    second = ranked[1][1][0] if len(ranked) > 1 else 0.0
    confidence = settings.confidence(score, score - second)
    sure = confidence >= (settings.threshold if threshold is None else threshold)
    near = found[place]
    return Answer(best if sure else None, confidence, best, near.title, near.item, score, score - second)
