"""The notebook runs from its first cell to its last, and shows what it prints."""

import json
import re

from make_notebook import CACHE, NOTEBOOK, code_cells, lines, run
from test_recipes import same_lines

CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]


def test_every_cell_prints_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CACHE.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").symlink_to(CACHE)
    names = {"__name__": "__main__"}
    for cell in code_cells({"cells": CELLS}):
        source = "".join(cell["source"])
        # Means over 16 users turn on a single near tie, which another CPU may decide otherwise.
        same_lines(lines(run(source, names)), lines(cell["outputs"]), source, figures="table_lines" not in source)


def test_it_is_a_notebook_of_version_4_that_was_run_in_order():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_it_names_no_machine_and_no_times():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 40_000
    assert not re.search(r"/(tmp|home|root|work|Users)/|\d+(\.\d+)? s\b", text)
