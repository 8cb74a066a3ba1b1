"""The recipes say what they print: each is run in an empty folder as it stands on the page."""

import re

import pytest
from make_recipes import PAGE, SKIPPED, Step, folder, recipes, steps

RECIPES = recipes(PAGE.read_text(encoding="utf-8"))
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


def same_lines(printed: list[str], shown: list[str], code: str, *, figures: bool = True) -> None:
    """Words and order to the letter; numbers with a point within 0.02 or 2 %: another CPU sums in another order.

    Args:
        printed: now.
        shown: on the page.
        code: what printed it.
        figures: whether numbers are compared.
    """
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
    same_lines(["  1    3.7491  Herb kit  [pot-2]"], shown, "")
    for printed in ("  1    3.9490  Herb kit  [pot-2]", "  1    3.7490  Herb kits  [pot-2]"):
        with pytest.raises(AssertionError):
            same_lines([printed], shown, "")
