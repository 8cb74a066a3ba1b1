"""The recipes say what they print: each is run in an empty folder as it stands on the page."""

import re

import pytest
from make_recipes import PAGE, SKIPPED, Step, folder, printed_on, processor, recipes, steps

RECIPES = recipes(PAGE.read_text(encoding="utf-8"))
SAME_PROCESSOR = printed_on(PAGE.read_text(encoding="utf-8")) == processor()
_NUMBER = re.compile(r"[+-]?\d+\.\d+")


def test_there_is_a_recipe_for_each_kind_of_catalogue():
    assert list(RECIPES) == ["A shop", "News", "Videos", "Articles", "Advertisements", "Customer service"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_prints_what_it_shows(name):
    with folder():
        for step in steps(RECIPES[name]):
            compare(step, step.run())


def compare(step: Step, printed: list[str]) -> None:
    if step.shown is None or step.shown == [SKIPPED]:
        assert step.command or not printed, "the page does not show what this code prints"
    else:
        same_lines(printed, step.shown, step.code)


def same_lines(
    printed: list[str], shown: list[str], code: str, *, figures: bool = True, same_processor: bool = SAME_PROCESSOR
) -> None:
    """Words and order to the letter; numbers with a point within 0.02 or 2 %.

    Elsewhere than on the kind of processor that the page was printed on, sums round otherwise, and near ties of a few
    dozen rows fall otherwise: there as many lines must be printed, about as long in all.

    Args:
        printed: now.
        shown: on the page.
        code: what printed it.
        figures: whether numbers are compared.
        same_processor: whether the page was printed on this kind of processor.
    """
    if not same_processor:
        assert len(printed) == len(shown), code
        assert sum(map(len, printed)) == pytest.approx(sum(map(len, shown)), rel=0.5), code
        return
    assert [" ".join(_NUMBER.sub("#", line).split()) for line in printed] == [
        " ".join(_NUMBER.sub("#", line).split()) for line in shown
    ], code
    if not figures:
        return
    for mine, theirs in zip(printed, shown, strict=True):
        expected = [float(number) for number in _NUMBER.findall(theirs)]
        assert [float(number) for number in _NUMBER.findall(mine)] == pytest.approx(expected, rel=0.02, abs=0.02), code


def test_a_changed_line_is_noticed():
    shown = ["  1    3.7490  Herb kit  [pot-2]"]
    same_lines(["  1    3.7491  Herb kit  [pot-2]"], shown, "", same_processor=True)
    for printed in ("  1    3.9490  Herb kit  [pot-2]", "  1    3.7490  Herb kits  [pot-2]"):
        with pytest.raises(AssertionError):
            same_lines([printed], shown, "", same_processor=True)
    with pytest.raises(AssertionError):
        same_lines([], shown, "", same_processor=False)
