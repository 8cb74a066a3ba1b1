"""What the documents promise is what the project does."""

import importlib
import re
import shlex
from pathlib import Path

import pytest
from pocketrec import cli

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    *(file for folder in ("docs", "benchmarks", "android_demo") for file in sorted((ROOT / folder).glob("*.md"))),
]


def blocks(path, language):
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    "code",
    # Those of the recipes build on each other; test_recipes.py runs them in their order.
    [code for path in DOCUMENTS if path.name != "recipes.md" for code in blocks(path, "python")],
)
def test_python_snippets_run(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "snippet", "exec"), {})


def commands():
    for path in DOCUMENTS:
        for block in blocks(path, "console"):
            for line in block.splitlines():
                if line.startswith("$ pocketrec "):
                    yield line.removeprefix("$ pocketrec ")


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_command_lines_parse(line):
    words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
    cli._parser(words).parse_args(words)


def test_the_readme_shows_what_the_demo_prints(capsys):
    shown = [block for block in blocks(ROOT / "README.md", "console") if block.startswith("$ pocketrec demo\n")]
    assert len(shown) == 1
    assert cli.main(["demo", "--engine", "numpy"]) == 0
    printed = capsys.readouterr().out
    for line in shown[0].splitlines()[1:]:
        # Scores may differ in the last digit between engines.
        assert re.sub(r"\d\.\d{4}", "", line.replace("engine onnx", "engine numpy")).strip() in re.sub(
            r"\d\.\d{4}", "", printed
        )


def test_relative_links_lead_somewhere():
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_repository_speaks_of_itself_alone():
    names = re.compile(r"/(work|farm)/|/root/|pythonhosted|pypi\.org|npmjs|deb\.debian")
    for path in [*DOCUMENTS, ROOT / "Makefile", ROOT / "CHANGELOG.md", ROOT / "constraints.txt"]:
        assert not names.search(path.read_text(encoding="utf-8")), path


def test_the_documents_show_the_committed_results(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    tables = importlib.import_module("tables")
    for path in tables.DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        assert tables.written(text) == text, f"{path.name}: run benchmarks/tables.py --write"
    shown = "".join(path.read_text(encoding="utf-8") for path in tables.DOCUMENTS)
    for name in tables.measured():
        assert f"<!-- {name} -->" in shown, f"no document shows {name}"
