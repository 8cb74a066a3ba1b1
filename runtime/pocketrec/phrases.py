"""Reasons as words: one table for each language, keyed by what a reason is and which way it pulls.

A key is the kind of a reason and ``+`` (it raises the score) or ``-`` (it lowers it). ``{text}`` is the title of the
history item or the word of the query. A language is one more table here; an app brings its own to `describe`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pocketrec.errors import UsageError
from pocketrec.results import Reason

Phrases = Mapping[str, str]

ENGLISH: Phrases = {
    "item+": "because of {text}",
    "item-": "despite {text}",
    "interest+": "because you like {text}",
    "interest-": "although you like {text}",
    "word+": 'because of "{text}"',
    "word-": 'despite "{text}"',
    "popularity+": "popular",
    "popularity-": "although popular",
    "boost+": "boosted",
    "boost-": "although held back",
}
CHINESE: Phrases = {
    "item+": "因为《{text}》",
    "item-": "尽管有《{text}》",
    "interest+": "因为你喜欢“{text}”",
    "interest-": "尽管你喜欢“{text}”",
    "word+": "因为“{text}”",
    "word-": "尽管有“{text}”",
    "popularity+": "热门",
    "popularity-": "虽然热门",
    "boost+": "重点推荐",
    "boost-": "虽然被降低排名",
}
LANGUAGES: Mapping[str, Phrases] = {"en": ENGLISH, "zh": CHINESE}


def describe(reason: Reason, *, language: str | Phrases = "en") -> str:
    """The reason in words.

    Args:
        reason: of a result that was asked for with ``explain=True``.
        language: a key of `LANGUAGES`, or a table of the app's own; what that lacks is said in English.

    Example:
        >>> from pocketrec.results import Reason
        >>> describe(Reason("item", "i7", "Alien", 0.5, {"neighbours": 0.5}))
        'because of Alien'
        >>> describe(Reason("item", "i7", "Alien", 0.5, {"neighbours": 0.5}), language={"item+": "weil {text}"})
        'weil Alien'

    Raises:
        UsageError: no such language.
    """
    key = f"{reason.kind}{'-' if reason.contribution < 0 else '+'}"
    table = phrases(language)
    phrase = table.get(key) or ENGLISH.get(key, "{text}")
    return phrase.replace("{text}", reason.text)  # not format: a title may hold braces


def phrases(language: str | Phrases) -> Phrases:
    """The table of a language.

    Raises:
        UsageError: no such language.
    """
    if isinstance(language, Mapping):
        return language
    if language not in LANGUAGES:
        raise UsageError(f"no language {language!r}; there are {', '.join(LANGUAGES)}, or give a table of your own")
    return LANGUAGES[language]
