"""A package of at most so many bytes: what gives, in which order, and what is impossible."""

from string import ascii_lowercase as LETTERS

import numpy as np
import pandas as pd
import pocketrec
import pytest
from pocketrec import cli
from pocketrec.errors import UsageError
from pocketrec.inspection import verify_package
from pocketrec.manifest import BlendTerm
from pocketrec_export import build
from pocketrec_export.assemble import assemble
from pocketrec_export.budget import RESERVE, RUNGS, fit, parse_share, parse_size, without_weakest
from pocketrec_export.full_model import FullModel
from pocketrec_export.quantize import sparse_blocks
from pocketrec_export.read import read_items
from pocketrec_export.student import Student
from pocketrec_export.targets import TARGETS
from pocketrec_export.teacher import load_teacher
from scipy import sparse

ABOUT = {
    "input": {"value_kind": "none", "reason": "made by hand", "positive": None, "split_sha256": None},
    "data": {"license": "CC0-1.0", "attribution": "made by hand"},
    "seed": 0,
}


@pytest.fixture(scope="module")
def events():
    """Enough pairs that neighbours are most of the package."""
    rng = np.random.default_rng(0)
    user, item = np.divmod(rng.choice(300 * 250, 9000, replace=False), 250)
    return pd.DataFrame({"user": [f"u{u}" for u in user], "item": [f"i{i}" for i in item]})


@pytest.fixture(scope="module")
def whole(events, tmp_path_factory):
    path = tmp_path_factory.mktemp("budget") / "whole.pocketrec"
    build(events, out=path, targets=TARGETS, quiet=True)
    return path


@pytest.mark.parametrize(
    ("text", "size"),
    [("6MB", 6_000_000), ("6.5 MiB", 6_815_744), ("800kB", 800_000), (1234, 1234), ("9000", 9000), ("1gb", 10**9)],
)
def test_sizes(text, size):
    assert parse_size(text) == size
    assert parse_size(None) is None


@pytest.mark.parametrize("text", ["", "0", "0MB", "-6MB", "six", "6 XB", "6ib", "nan", "1e3", "0.1"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match="expected a size such as 6MB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "share"), [("1%", 0.01), ("0.5 %", 0.005), (0.02, 0.02), ("0", 0), ("100%", 1), (".1", 0.1)]
)
def test_shares(text, share):
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "2", "101%", "-1%", "nan", "one", "1e-2", "1%%"])
def test_what_is_no_share(text):
    with pytest.raises(UsageError, match="expected a share such as 1%"):
        parse_share(text)


def test_the_package_is_no_larger_than_asked_for(events, whole, tmp_path):
    wanted = int(whole.stat().st_size * 0.9)
    report = build(events, out=tmp_path / "small.pocketrec", max_size=wanted, targets=TARGETS, quiet=True)
    size = (tmp_path / "small.pocketrec").stat().st_size
    assert wanted - RESERVE <= size <= wanted
    assert "of neighbours are left out" in report.gave
    assert report.gave in report.lines()
    facts = verify_package(tmp_path / "small.pocketrec")
    assert all(engine["ok"] and engine["ran"] for engine in facts["engines"].values())
    for engine in ("numpy", "onnx"):
        with pocketrec.open(tmp_path / "small.pocketrec", engine=engine) as small:
            assert len(small.recommend(["i1", "i2"], k=10)) == 10


def test_a_size_that_does_not_bind_changes_nothing(events, whole, tmp_path):
    report = build(events, out=tmp_path / "x.pocketrec", name="whole", max_size="1GB", targets=TARGETS, quiet=True)
    assert report.gave == ""
    assert (tmp_path / "x.pocketrec").read_bytes() == whole.read_bytes()


def test_an_impossible_size_says_what_is_possible_and_writes_nothing(events, tmp_path, capsys):
    events.to_csv(tmp_path / "e.csv", index=False)
    out = tmp_path / "x.pocketrec"
    words = ["build", "--interactions", str(tmp_path / "e.csv"), "--out", str(out), "--quiet", "--max-size", "20kB"]
    assert cli.main(words) == 2
    message = capsys.readouterr().err
    assert "max size is 20,000 bytes; this package takes" in message
    assert not out.exists()
    smallest = int(message.split(", and ")[1].split(" once")[0].replace(",", ""))
    build(events, out=out, max_size=smallest, quiet=True)
    assert out.stat().st_size <= smallest
    with pytest.raises(UsageError, match="this package takes"):
        build(events, out=out, max_size=smallest - 1, overwrite=True, quiet=True)


def test_the_weakest_blocks_go():
    rng = np.random.default_rng(1)
    table = sparse.csr_array(rng.standard_normal((40, 60)) * (rng.random((40, 60)) < 0.6) * rng.random((40, 1)))
    arrays = {f"neighbours/{key}": array for key, array in sparse_blocks(table).items()}
    blocks = len(arrays["neighbours/index"])
    count = int(blocks * RUNGS[-1].blocks)
    fewer, kept = without_weakest(arrays, count)
    start, before = fewer["neighbours/start"], arrays["neighbours/start"]
    assert (len(fewer["neighbours/index"]), start[-1], start[0]) == (blocks - count, blocks - count, 0)
    energy = []
    for row in range(40):
        length = start[row + 1] - start[row]
        for part in ("index", "value"):  # each row keeps the beginning of its list
            np.testing.assert_array_equal(
                fewer[f"neighbours/{part}"][start[row] : start[row + 1]],
                arrays[f"neighbours/{part}"][before[row] : before[row] + length],
            )
        scaled = arrays["neighbours/value"][before[row] : before[row + 1]] * arrays["neighbours/scale"][row]
        energy += [(value, block < length) for block, value in enumerate((scaled.astype(float) ** 2).sum(axis=1))]
    assert max(value for value, stays in energy if not stays) <= min(value for value, stays in energy if stays)
    assert kept == pytest.approx(sum(v for v, stays in energy if stays) / sum(v for v, _ in energy))


def test_what_gives_after_the_neighbours(teacher):
    """Eight items with texts and no neighbours: the table of tokens loses bits, then word pieces."""
    items = read_items(pd.DataFrame({"item": list("abcdefgh"), "title": ["Green tea", "Short novel"] * 4}))
    of = load_teacher(teacher)
    vectors = of.encode(items.titles)
    vocabulary = [
        "[UNK]",
        *LETTERS,
        *(f"##{letter}" for letter in LETTERS),
        *(f"{a}{b}" for a in "tn" for b in LETTERS),
    ]
    vocabulary += [f"word{a}{b}" for a in LETTERS for b in LETTERS]
    tokens = np.random.default_rng(0).standard_normal((len(vocabulary), 64)).astype(np.float32)
    student = Student(tokens, vocabulary, np.eye(64, dtype=np.float32), (), {}, bits=8)
    model = FullModel(text=vectors, blend={"content": BlendTerm(1.0, 1.0)})

    def make(smaller):
        return assemble(model, items=items, student=smaller, teacher=of, name="x", about=ABOUT, search=False)

    size = make(student).size_bytes() + RESERVE
    order = []
    for wanted in range(size, size - 60_000, -4000):
        try:
            fitted = fit(make, student, max_bytes=wanted, texts=items.titles)
        except UsageError as error:
            order.append(str(error))
            break
        assert fitted.parts.size_bytes() + RESERVE <= wanted
        assert fitted.parts.manifest["encoder"]["bits"] == fitted.student.bits
        assert len(fitted.parts.arrays["tokens/value"]) == len(fitted.student.vocabulary)
        assert {"[UNK]", *LETTERS} <= set(fitted.student.vocabulary)
        order.append((fitted.student.bits, len(fitted.student.vocabulary) / len(vocabulary)))
    assert order[-1].startswith(f"max size is {wanted:,} bytes; this package takes {size:,}, and ")
    rungs = list(dict.fromkeys((bits, round(share, 1)) for bits, share in order[:-1]))
    assert rungs == [(8, 1.0), (4, 1.0), (4, 0.7), (4, 0.5), (4, 0.2)]


def test_a_table_of_nothing_loses_nothing():
    arrays = {f"neighbours/{key}": array for key, array in sparse_blocks(sparse.csr_array((3, 3))).items()}
    fewer, kept = without_weakest(arrays, 0)
    assert (len(fewer["neighbours/index"]), kept) == (0, 1.0)
