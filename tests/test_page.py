"""The report as a page: whole, self-contained, safe with any title, and the same numbers as the JSON."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from pocketrec.errors import UsageError
from pocketrec_export import build
from pocketrec_export.page.write import render
from pocketrec_export.report import long_tail
from scipy.sparse import csr_matrix

VOID = {"meta", "br", "path", "use", "rect", "img", "hr", "link", "input"}


class Outline(HTMLParser):
    """Ids, links, tags and text of a page; fails on a tag that is closed out of order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.targets += [value or "" for name, value in attrs if name in ("href", "src", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def data(built):
    return json.loads((built[0] / "report" / "report.json").read_text())


def test_the_folder_holds_the_page_and_its_numbers(built, data):
    folder, report = built
    assert sorted(path.name for path in (folder / "report").iterdir()) == ["index.html", "report.json"]
    assert data == json.loads(json.dumps(report.as_dict()))
    assert (folder / "report" / "index.html").read_text() == render(data)  # the JSON is all it is made of


def test_the_page_needs_nothing_else(data):
    page = render(data)
    outline = Outline(page)
    assert "script" not in outline.tags
    assert all(target.startswith("#") for target in outline.targets)
    assert {target[1:] for target in outline.targets} <= set(outline.ids)
    assert len(outline.ids) == len(set(outline.ids))
    without_names = re.sub(r'xmlns(:xlink)?="[^"]*"', "", page)
    assert "http" not in without_names
    assert "url(" not in re.sub(r"url\(#", "", without_names)


def test_the_page_shows_what_was_measured(data):
    text = Outline(render(data)).text
    assert f"{data['comparison']['package']['ndcg10']:.4f}" in text
    assert f"{data['comparison']['full']['recall20']:.4f}" in text
    assert f"{data['bytes'] / 1e6:.2f} MB" in text
    for part, size in data["facts"]["parts"].items():
        assert part in text
        assert f"{size:,}" in text
    assert all(name in text for name in data["comparison"]["baselines"])
    assert "because of" in text
    assert "Who liked" in text
    assert "Searching" in text
    for title in ("Data and cleaning", "Training", "Package, full model", "Beyond accuracy", "Where the bytes go"):
        assert title in text
    low, high = data["comparison"]["differences"]["full"]["ndcg10"]["ci95"]
    assert ("not told apart" in text) == (low <= 0 <= high)


def test_colors_follow_the_page(data):
    page = render(data)
    drawings = page[page.index("<svg") :]
    assert "var(--c1)" in drawings
    assert not re.search(r"#0[1-7]0[1-7]0[1-7]", page)
    assert "prefers-color-scheme: dark" in page


def test_names_from_the_data_stay_text(data):
    hostile = copy.deepcopy(data)
    evil = "<script>alert(1)</script><b onclick='x'>\"&"
    hostile["facts"]["name"] = evil
    hostile["answers"][0]["results"][0]["title"] = evil
    hostile["cleaning"] = [{"rule": evil, "count": 1, "example": evil}]
    hostile["facts"]["parts"] = {evil: 10, "rest": 5}
    hostile["facts"]["data"]["attribution"] = evil
    outline = Outline(render(hostile))
    assert "script" not in outline.tags
    assert outline.text.count(evil) >= 5


def test_a_package_without_interactions_has_a_shorter_page(frames, teacher, tmp_path):
    build(None, frames[1], out=tmp_path / "s.pocketrec", report=tmp_path / "report", teacher=teacher, quiet=True)
    outline = Outline((tmp_path / "report" / "index.html").read_text())
    assert "quality" not in outline.ids
    assert "bytes" in outline.ids
    assert "Searching" in outline.text


def test_only_a_report_is_replaced(frames, tmp_path):
    folder = tmp_path / "report"
    folder.mkdir()
    for name, overwrite, message in (
        ("notes.txt", True, "other files than a report"),
        ("index.html", False, "exists"),
    ):
        (folder / name).write_text("mine")
        with pytest.raises(UsageError, match=message):
            build(*frames, out=tmp_path / "x.pocketrec", report=folder, overwrite=overwrite, quiet=True)
        (folder / name).unlink()
    with pytest.raises(UsageError, match="replaced as a whole"):
        build(*frames, out=folder / "x.pocketrec", report=folder, overwrite=True, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_the_long_tail_by_hand():
    # Four items with 4, 2, 1 and 1 of 8 interactions.
    train = csr_matrix(np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]))
    assert long_tail(train) == ((0, 0), (0.25, 0.5), (0.5, 0.75), (0.75, 0.875), (1, 1))
    assert long_tail(csr_matrix((3, 3))) == ()
    assert len(long_tail(csr_matrix(np.ones((1, 1000))), points=10)) == 11
