"""What `build --cache`, `--trials` and `--signals` do to a package."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pocketrec
import pytest
from pocketrec import cli
from pocketrec_export import learning
from pocketrec_export.pipeline import build


@pytest.fixture(scope="module")
def interactions() -> pd.DataFrame:
    """160 users, each with two thirds of the even or of the odd ones of 24 items."""
    random = np.random.default_rng(0)
    return pd.DataFrame(
        [(f"u{u}", f"i{i}") for u in range(160) for i in range(u % 2, 24, 2) if random.random() < 0.66],
        columns=["user", "item"],
    )


def test_a_build_that_was_cut_off_goes_on_and_ends_in_the_same_bytes(
    interactions: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, again = tmp_path / "whole.pocketrec", tmp_path / "again.pocketrec"
    expected = build(interactions, out=whole, name="x", threads=1, trials=12, quiet=True)

    fits: list[str] = []
    fit = learning.Learning.neighbours

    def cut(self, settings, *, max_items=None):  # type: ignore[no-untyped-def]
        fits.append("neighbours")
        if len(fits) == 4:
            raise KeyboardInterrupt
        return fit(self, settings, max_items=max_items)

    with monkeypatch.context() as patched:
        patched.setattr(learning.Learning, "neighbours", cut)
        with pytest.raises(KeyboardInterrupt):
            build(interactions, out=again, name="x", threads=1, trials=12, quiet=True, cache=tmp_path / "cache")
        assert not again.exists()
    report = build(interactions, out=again, name="x", threads=1, trials=12, quiet=True, cache=tmp_path / "cache")
    assert again.read_bytes() == whole.read_bytes()
    assert report.trials == expected.trials
    per_signal = [trial["signal"] for trial in report.trials]
    assert per_signal.count("neighbours") == 12


def test_signals_that_are_switched_off_leave_the_package(
    interactions: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "rows.csv", tmp_path / "x.pocketrec"
    interactions.to_csv(data, index=False)
    options = ["--signals", "factors,popularity", "--quiet", "--json"]
    assert cli.main(["build", "--interactions", str(data), "--out", str(out), *options]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {trial["signal"] for trial in report["trials"]} <= {"factors", "popularity"}
    with pocketrec.open(out) as package:
        best = package.recommend(["i0", "i2"], k=3)[0]
        assert set(best.signals) <= {"factors", "popularity"}
        assert int(best.item[1:]) % 2 == 0
    assert (
        cli.main(["build", "--interactions", str(data), "--out", str(tmp_path / "y.pocketrec"), "--signals", "x"]) == 2
    )
    assert "expected some of factors, neighbours" in capsys.readouterr().err


def test_the_report_tells_what_each_signal_is_worth(interactions: pd.DataFrame, tmp_path: Path) -> None:
    report = build(interactions, out=tmp_path / "x.pocketrec", quiet=True).as_dict()
    rows = {row["signal"]: row for row in report["ablation"]["signals"]}
    assert {"blend", "factors", "neighbours", "popularity", "users", "factor rule"} <= set(rows)
    assert rows["neighbours"]["alone"]["test"]["ndcg10"] > rows["popularity"]["alone"]["test"]["ndcg10"]
    json.dumps(report)
