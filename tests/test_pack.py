"""Bring your own model: the package answers as the model did, and no user's factors get in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pocketrec
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray
from pocketrec import cli
from pocketrec.errors import DataError, UsageError
from pocketrec_export.factors import fold_in
from pocketrec_export.own_factors import match_ids, read_factors
from pocketrec_export.pack import folding, pack
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

IDS = [f"film-{i}" for i in range(40)]


@pytest.fixture(scope="module")
def fans() -> csr_matrix:
    """60 users of 40 items in two camps, with counts."""
    rng = np.random.default_rng(3)
    camp = np.arange(60)[:, None] % 2 == np.arange(40)[None, :] % 2
    return csr_matrix(np.where(rng.random((60, 40)) < np.where(camp, 0.5, 0.05), rng.integers(1, 4, (60, 40)), 0))


@pytest.fixture(scope="module")
def als(fans: csr_matrix) -> Any:
    """A fitted model, 24 wide: no multiple of 64."""
    with threadpool_limits(limits=1, user_api="blas"):
        model = AlternatingLeastSquares(
            factors=24, alpha=7.0, regularization=0.3, iterations=8, num_threads=1, random_state=5
        )
        model.fit(fans.astype(np.float32), show_progress=False)
    return model


def test_fold_in_is_the_models_own_user_step(als: Any, fans: csr_matrix) -> None:
    model = folding(read_factors(als))
    assert model.factors is not None
    for user in range(10):
        row = fans[user].astype(np.float32)
        with threadpool_limits(limits=1, user_api="blas"):
            expected = als.recalculate_user(user, row)
        scores = als.item_factors @ expected
        for steps in (None, model.steps):
            folded = fold_in(
                model.factors.table, index=row.indices, weight=row.data, alpha=model.factors.alpha, steps=steps
            )
            np.testing.assert_allclose(model.factors.table @ folded, scores, atol=1e-5 * np.abs(scores).max())


def test_the_package_ranks_as_the_model(als: Any, fans: csr_matrix, tmp_path: Path) -> None:
    out = tmp_path / "own.pocketrec"
    facts = pack(als, ids=IDS, out=out, quiet=True)
    assert facts["signals"].keys() == {"factors"}
    with pocketrec.open(out) as recommender:
        for user in range(10):
            row = fans[user].astype(np.float32)
            with threadpool_limits(limits=1, user_api="blas"):
                scores = als.item_factors @ als.recalculate_user(user, row)
            scores[row.indices] = -np.inf
            found = recommender.recommend([(IDS[i], float(w)) for i, w in zip(row.indices, row.data, strict=True)])
            best = {IDS[i] for i in np.argsort(-scores)[:10]}
            assert len(best & {item.item for item in found}) >= 9  # 8-bit tables may swap the last of ten
            np.testing.assert_allclose(found[0].score, scores.max(), rtol=0.02)


def test_no_users_factors_in_the_file(als: Any, tmp_path: Path) -> None:
    saved, out = tmp_path / "als.npz", tmp_path / "own.pocketrec"
    als.save(saved)
    pack(saved, ids=IDS, out=out, quiet=True)
    data = out.read_bytes()
    for factors in (als.user_factors, als.user_factors.astype(np.float32)):
        assert all(row.tobytes() not in data for row in factors)


def _npy(table: NDArray[np.float32], folder: Path) -> Path:
    np.save(folder / "v.npy", table)
    return folder / "v.npy"


def _parquet_lists(table: NDArray[np.float32], folder: Path) -> Path:
    pd.DataFrame({"item": IDS, "factors": list(table)}).to_parquet(folder / "lists.parquet")
    return folder / "lists.parquet"


def _parquet_columns(table: NDArray[np.float32], folder: Path) -> Path:
    frame = pd.DataFrame(table, columns=[f"f{d}" for d in range(table.shape[1])])
    frame.insert(3, "item", IDS)
    frame.to_parquet(folder / "columns.parquet")
    return folder / "columns.parquet"


@pytest.mark.parametrize("write", [_npy, _parquet_lists, _parquet_columns], ids=lambda f: f.__name__)
def test_every_kind_of_file_gives_the_same_package(write: Any, als: Any, tmp_path: Path) -> None:
    one, other = tmp_path / "a.pocketrec", tmp_path / "b.pocketrec"
    settings: dict[str, Any] = {"alpha": 7.0, "regularization": 0.3, "name": "own", "quiet": True}
    pack(als, ids=IDS, out=one, **settings)
    pack(write(als.item_factors, tmp_path), ids=IDS, out=other, **settings)
    assert one.read_bytes() == other.read_bytes()


def test_the_items_table_gives_ids_titles_and_search(als: Any, tmp_path: Path) -> None:
    titles = [f"{'Sea' if i % 2 else 'Desert'} story {i}" for i in range(40)]
    pd.DataFrame({"item": IDS, "title": titles}).to_csv(tmp_path / "items.csv", index=False)
    np.save(tmp_path / "v.npy", als.item_factors)
    out = tmp_path / "own.pocketrec"
    words = ["pack", "--factors", tmp_path / "v.npy", "--items", tmp_path / "items.csv", "--out", out, "--quiet"]
    assert cli.main(list(map(str, [*words, "--alpha", 7, "--no-search"]))) == 0
    with pocketrec.open(out) as recommender:
        assert recommender.recommend(["film-1"])[0].title.startswith("Sea")
        with pytest.raises(pocketrec.PackageError, match="holds no texts"):
            recommender.search("sea")
    assert cli.main(list(map(str, [*words, "--overwrite"]))) == 0
    with pocketrec.open(out) as recommender:
        assert all(found.title.startswith("Sea") for found in recommender.search("sea", k=5))


def test_the_command_prints_json_and_takes_an_id_file(als: Any, tmp_path: Path, capsys: Any) -> None:
    als.save(tmp_path / "als.npz")
    (tmp_path / "ids.txt").write_text("\n".join(IDS) + "\n", encoding="utf-8")
    words = [
        "pack",
        "--factors",
        tmp_path / "als.npz",
        "--ids",
        tmp_path / "ids.txt",
        "--out",
        tmp_path / "x.pocketrec",
    ]
    assert cli.main([*map(str, words), "--quiet", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["items"] == 40
    assert cli.main([*map(str, words), "--quiet"]) == 2
    assert "exists" in capsys.readouterr().err


def test_a_model_without_user_step_is_folded_in_too(fans: csr_matrix, tmp_path: Path) -> None:
    model = BayesianPersonalizedRanking(factors=15, iterations=30, num_threads=1, random_state=1)
    with threadpool_limits(limits=1, user_api="blas"):
        model.fit(fans.astype(np.float32), show_progress=False)
    out = tmp_path / "bpr.pocketrec"
    pack(model, ids=IDS, out=out, regularization=1.0, quiet=True)
    with pocketrec.open(out) as recommender:
        assert len(recommender.recommend(["film-1", "film-3"])) == 10


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.array([[1.0, np.nan], [0.0, 1.0]]), "row 1 is not finite"),
        (np.array([[1.0, 0.0], [0.0, 1e300]]), "row 2 is not finite in float32"),
        (np.zeros(4), r"shape \[items, dim\]"),
        (np.zeros((0, 4)), r"shape \[items, dim\]"),
        (np.zeros((2, 5000)), "rows and columns swapped"),
        (np.array([["a", "b"]]), "expected numbers"),
    ],
    ids=["nan", "too large", "one axis", "empty", "too wide", "text"],
)
def test_factors_that_cannot_be_used(table: NDArray[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_factors(table)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    np.savez(tmp_path / "users.npz", user_factors=np.ones((2, 2)))
    np.save(tmp_path / "pickle.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY\x01\x00")
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "v.txt").write_text("1 2")
    pd.DataFrame({"id": ["a"], "f": [1.0]}).to_parquet(tmp_path / "noitem.parquet")
    pd.DataFrame({"item": ["a", None], "f": [1.0, 2.0]}).to_parquet(tmp_path / "noid.parquet")
    pd.DataFrame({"item": ["a", "b"], "f": [[1.0], [1.0, 2.0]]}).to_parquet(tmp_path / "ragged.parquet")
    pd.DataFrame({"item": ["a"], "f": ["x"]}).to_parquet(tmp_path / "text.parquet")
    pd.DataFrame({"item": ["a"]}).to_parquet(tmp_path / "bare.parquet")
    names = sorted(path.name for path in tmp_path.iterdir())
    for name in [*names, "absent.npy"]:
        with pytest.raises(DataError, match=name.replace(".", r"\.")):
            read_factors(tmp_path / name)


def test_ids_must_fit(als: Any) -> None:
    own = read_factors(als)
    with pytest.raises(DataError, match="40 rows of factors, but 39 ids"):
        match_ids(own, IDS[1:], None)
    with pytest.raises(DataError, match="'film-1'"):
        match_ids(own, [*IDS[:-1], "film-1"], None)
    with pytest.raises(DataError, match="give an items table or ids"):
        match_ids(own, None, None)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_settings_out_of_range(value: float, als: Any, tmp_path: Path) -> None:
    for name in ("alpha", "regularization"):
        with pytest.raises(UsageError, match=name):
            pack(als, ids=IDS, out=tmp_path / "x.pocketrec", quiet=True, **{name: value})
    assert not list(tmp_path.iterdir())
