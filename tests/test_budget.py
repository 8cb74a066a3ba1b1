"""A package of at most so many bytes: what gives, in which order, and what is impossible."""

import numpy as np
import pandas as pd
import pocketrec
import pytest
from pocketrec import cli
from pocketrec.errors import UsageError
from pocketrec.inspection import verify_package
from pocketrec_export import build
from pocketrec_export.budget import LARGEST_CUT, RESERVE, parse_size, without_weakest
from pocketrec_export.quantize import sparse_blocks
from pocketrec_export.targets import TARGETS
from scipy import sparse


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
    smallest = int(message.split(", and ")[1].split(" after")[0].replace(",", ""))
    build(events, out=out, max_size=smallest, quiet=True)
    assert out.stat().st_size <= smallest
    with pytest.raises(UsageError, match="this package takes"):
        build(events, out=out, max_size=smallest - 1, overwrite=True, quiet=True)


def test_the_weakest_blocks_go():
    rng = np.random.default_rng(1)
    table = sparse.csr_array(rng.standard_normal((40, 60)) * (rng.random((40, 60)) < 0.6) * rng.random((40, 1)))
    arrays = {f"neighbours/{key}": array for key, array in sparse_blocks(table).items()}
    blocks = len(arrays["neighbours/index"])
    count = int(blocks * LARGEST_CUT)
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


def test_a_table_of_nothing_loses_nothing():
    arrays = {f"neighbours/{key}": array for key, array in sparse_blocks(sparse.csr_array((3, 3))).items()}
    fewer, kept = without_weakest(arrays, 0)
    assert (len(fewer["neighbours/index"]), kept) == (0, 1.0)
