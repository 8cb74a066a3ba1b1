"""The Gradle project and the build without an SDK use the same versions."""

import re
import tomllib

from sdkless.fetch import pins
from sdkless.places import PROJECT, REPOSITORY, VERSIONS


def pinned(name):
    (pin,) = (pin for pin in pins() if pin.name == name)
    return pin


def test_the_catalog_names_what_is_fetched():
    assert pinned("kotlin-compiler").version == VERSIONS["kotlin"]
    assert pinned("junit4").version.startswith(VERSIONS["junit"] + "-")
    assert pinned("onnxruntime").version == VERSIONS["onnxruntime"]


def test_every_pin_is_complete():
    for pin in pins():
        assert re.fullmatch(r"[0-9a-f]{64}", pin.sha256), pin.name
        assert pin.version, pin.name
        assert pin.take, pin.name


def test_onnx_runtime_is_one_that_the_python_runtime_accepts():
    with (REPOSITORY / "pyproject.toml").open("rb") as file:
        (wanted,) = tomllib.load(file)["project"]["optional-dependencies"]["onnx"]
    assert wanted == "onnxruntime>=1.25,<1.29"
    assert (1, 25) <= tuple(map(int, VERSIONS["onnxruntime"].split(".")[:2])) < (1, 29)


def test_versions_stand_in_the_catalog_alone():
    for file in (PROJECT / "sdkless").glob("*.py"):
        assert VERSIONS["kotlin"] not in file.read_text(), file
        assert VERSIONS["onnxruntime"] not in file.read_text(), file
