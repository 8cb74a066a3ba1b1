"""Runs the code cells of docs/notebook.ipynb in order, in an empty folder, and writes their outputs into it.

The notebook is the source: edit it there, in Jupyter or not. Cells print as they would in Jupyter, as text: what goes
to stdout, then the value of a last line that is an expression.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "notebook.ipynb"
CACHE = Path("build/recipes-cache").absolute()


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that run, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """The outputs of a cell, as nbformat 4 has them but for the count; `names` is what the cells share."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": printed.getvalue().splitlines(True)})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(True)}
        outputs.append({"data": data, "metadata": {}, "output_type": "execute_result"})
    return outputs


def lines(outputs: list[dict[str, Any]]) -> list[str]:
    """What a reader sees of outputs."""
    texts = [output["text"] if "text" in output else output["data"]["text/plain"] for output in outputs]
    return [line.rstrip() for text in texts for line in "".join(text).splitlines()]


def main() -> None:
    from make_recipes import folder

    notebook, names = json.loads(NOTEBOOK.read_text(encoding="utf-8")), {"__name__": "__main__"}
    CACHE.mkdir(parents=True, exist_ok=True)
    with folder():
        Path("cache").symlink_to(CACHE)
        for count, cell in enumerate(code_cells(notebook), 1):
            cell["outputs"] = run("".join(cell["source"]), names)
            cell["execution_count"] = count
            for output in cell["outputs"]:
                if output["output_type"] == "execute_result":
                    output["execution_count"] = count
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {NOTEBOOK.name}", file=sys.stderr)


if __name__ == "__main__":
    main()
