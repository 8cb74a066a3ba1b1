"""The Gradle project and the build without an SDK use the same versions."""

import re
import tomllib
import zipfile

import pytest
from sdkless.fetch import pins
from sdkless.places import PROJECT, REPOSITORY, TOOLS, VERSIONS


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
    for file in [*(PROJECT / "sdkless").glob("*.py"), *PROJECT.rglob("*.gradle.kts")]:
        for name in ("kotlin", "onnxruntime", "agp", "coroutines", "minSdk", "targetSdk", "versionName"):
            assert not re.search(rf"(?<![\w.]){re.escape(VERSIONS[name])}(?![\w.])", file.read_text()), (file, name)


def test_gradle_takes_them_from_there():
    app = (PROJECT / "app/build.gradle.kts").read_text()
    for name in ("minSdk", "targetSdk", "versionCode"):
        assert f"{name} = libs.versions.{name}.get().toInt()" in app
    used = set(re.findall(r"libs\.versions\.(\w+)", "".join(f.read_text() for f in PROJECT.rglob("*.gradle.kts"))))
    assert used <= VERSIONS.keys()


def test_gradle_knows_every_module():
    listed = re.findall(r'":([\w-]+)"', (PROJECT / "settings.gradle.kts").read_text())
    assert sorted(listed) == sorted(file.parent.name for file in PROJECT.glob("*/build.gradle.kts"))


def test_the_coroutines_are_those_that_the_compiler_brings():
    jar = TOOLS / "kotlin/kotlinx-coroutines-core-jvm.jar"
    if not jar.exists():
        pytest.skip("needs the tools that make android-tools fetches")
    with zipfile.ZipFile(jar) as file:
        assert file.read("META-INF/kotlinx_coroutines_core.version").decode() == VERSIONS["coroutines"]
