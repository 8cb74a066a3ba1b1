"""Settings of all tests, and a small world of teas and novels that several of them build from."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

# Everything that a run leaves behind lies under build/.
set_hypothesis_home_dir("build/.hypothesis")
settings.register_profile("pocketrec", deadline=None)
settings.load_profile("pocketrec")

WORDS = {"tea": ["green", "black", "mint", "white", "cold"], "novel": ["short", "long", "old", "new", "sad"]}
USERS, LIKED = 80, 6


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    """A BERT of one layer and 64 dimensions with random weights: every code path of a real one."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder = tmp_path_factory.mktemp("teacher")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789.,")
    words = [word for group in WORDS.items() for word in (group[0], *group[1])]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters), *words]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    torch.manual_seed(0)
    config = BertConfig(len(pieces), 64, 1, 2, 64, max_position_embeddings=64)
    BertModel(config).save_pretrained(folder / "bert")
    BertTokenizerFast(vocab_file=str(folder / "vocab.txt")).save_pretrained(folder / "bert")
    transformer = modules.Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[transformer, modules.Pooling(64)], device="cpu").save(str(folder / "st"))
    return str(folder / "st")


@pytest.fixture(scope="session")
def frames():
    """Interactions and items: half the users like teas alone, the others novels."""
    rng = np.random.default_rng(1)
    items = pd.DataFrame(
        [
            {"item": f"{kind}-{i}", "title": f"{words[i % 5]} {kind} {i}", "category": f"{kind}s", "text": f"a {kind}"}
            for kind, words in WORDS.items()
            for i in range(15)
        ]
    )
    rows = [
        {"user": f"u{user}", "item": f"{('tea', 'novel')[user % 2]}-{i}", "timestamp": 1_600_000_000 + user}
        for user in range(USERS)
        for i in rng.choice(15, LIKED, replace=False)
    ]
    return pd.DataFrame(rows), items


@pytest.fixture(scope="session")
def built(frames, teacher, tmp_path_factory):
    """The folder and the report of a build of both, with the full model and the page."""
    from pocketrec_export import build
    from pocketrec_export.targets import TARGETS

    folder = tmp_path_factory.mktemp("built")
    places = {"out": folder / "x.pocketrec", "save_full": folder / "full", "report": folder / "report"}
    return folder, build(*frames, **places, teacher=teacher, targets=TARGETS, baselines=True, quiet=True)
