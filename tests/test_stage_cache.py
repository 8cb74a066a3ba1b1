"""The cache of stages: what a key depends on, damage, and builds that are the same with and without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pocketrec_export import build
from pocketrec_export.stage_cache import StageCache, from_text_array, key_of, text_array
from pocketrec_export.vector_cache import VectorCache
from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Settings:
    strength: float
    names: tuple[str, ...] = ()


def test_every_part_of_an_input_is_in_its_key() -> None:
    matrix = csr_matrix(np.array([[0, 1], [2, 0]], np.float32))
    inputs = [
        {"a": 1}, {"a": 1.0}, {"a": True}, {"a": "1"}, {"a": None}, {"b": 1}, {"a": [1]}, {"a": [[1]]}, {"a": []},
        {"a": ["ab", "c"]}, {"a": ["a", "bc"]}, {"a": {"x": 1}}, {"a": {"y": 1}}, {"a": Settings(1.0)},
        {"a": Settings(2.0)}, {"a": Settings(1.0, ("x",))}, {"a": matrix}, {"a": matrix.T.tocsr()},
        {"a": np.zeros(2, np.float32)}, {"a": np.zeros(2)}, {"a": np.zeros((1, 2))}, {"a": np.array([0, -0.0])},
    ]  # fmt: skip
    keys = [key_of(**given) for given in inputs]
    assert len(set(keys)) == len(keys)
    assert keys == [key_of(**given) for given in inputs]
    with pytest.raises(TypeError, match="no key can be made of object"):
        key_of(a=object())


def test_other_code_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of(a=1)
    monkeypatch.setattr("pocketrec_export.stage_cache._code", lambda: "edited")
    assert key_of(a=1) != before


def test_arrays_come_back_and_damage_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    cache = StageCache(tmp_path / "new", say=said.append)
    arrays = {"x": np.arange(6, dtype=np.int16).reshape(2, 3), "text": text_array({"é": [1, None]})}
    assert cache.load("stage", "k" * 64, what="it") is None
    cache.save("stage", "k" * 64, arrays)
    found = cache.load("stage", "k" * 64, what="it")
    assert found is not None
    assert np.array_equal(found["x"], arrays["x"])
    assert from_text_array(found["text"]) == {"é": [1, None]}
    assert (cache.reused, said) == (["it"], ["reused from the cache: it"])
    (path,) = (tmp_path / "new").iterdir()
    content = path.read_bytes()
    for position in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        assert cache.load("stage", "k" * 64, what="it") is None, position
    for cut in (0, 10, 60, len(content) - 1):
        path.write_bytes(content[:cut])
        assert cache.load("stage", "k" * 64, what="it") is None, cut
    assert set(said[1:]) == {f"cache: {path.name} is damaged; made again"}
    assert cache.reused == ["it"]


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    cache = StageCache(None)
    cache.save("stage", "k", {"x": np.zeros(1)})
    assert cache.load("stage", "k", what="it") is None


def test_a_damaged_file_of_vectors_is_said_and_made_again(tmp_path: Path) -> None:
    said: list[str] = []
    VectorCache(tmp_path, recipe="r" * 64, dim=2).save(["a"], np.ones((1, 2), np.float32))
    (path,) = tmp_path.iterdir()
    with np.load(path) as arrays:
        kept = dict(arrays)
    np.savez(path, **{**kept, "vectors": kept["vectors"] * 2})  # a whole file, of other vectors
    assert VectorCache(tmp_path, recipe="r" * 64, dim=2, say=said.append).get("a") is None
    path.write_bytes(b"no zip")
    assert VectorCache(tmp_path, recipe="r" * 64, dim=2, say=said.append).get("a") is None
    assert len(said) == 2
    np.savez(path, keys=kept["keys"], vectors=kept["vectors"])  # of an earlier version
    assert VectorCache(tmp_path, recipe="r" * 64, dim=2).get("a") is not None


def test_builds_with_and_without_the_cache_give_the_same_bytes(frames, teacher, tmp_path, capsys) -> None:
    def built(name: str, **more: object) -> tuple[bytes, tuple[str, ...]]:
        (tmp_path / name).mkdir()
        out = tmp_path / name / "x.pocketrec"
        report = build(*frames, out=out, teacher=teacher, **more)
        return out.read_bytes(), report.reused

    cache = tmp_path / "cache"
    plain, nothing = built("plain")
    first, _ = built("first", cache=cache)
    second, reused = built("second", cache=cache)
    assert plain == first == second
    assert nothing == ()
    assert any("the query encoder" in line for line in reused)
    assert any("the teacher's vectors of" in line for line in reused)
    assert "reused from the cache: the query encoder" in capsys.readouterr().err
    other, reused = built("other", cache=cache, attribution="somebody else")
    assert other != second
    assert len(reused) == 2  # other words in the manifest, nothing to fit again
    _, reused = built("seed", cache=cache, seed=1)
    assert not any("query encoder" in line for line in reused)
    for path in cache.glob("*.stage"):
        path.write_bytes(path.read_bytes()[:-1])
    again, reused = built("damaged", cache=cache)
    assert again == plain
    assert not any("query encoder" in line for line in reused)
    assert capsys.readouterr().err.count("is damaged; made again") == 1
