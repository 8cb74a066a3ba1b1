"""Parts of the build without an SDK that need none of its tools: ZIP files, the throw-away key, sources in step."""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pocketrec.onnx_guard import OPERATORS
from pocketrec.onnx_sizes import RULES
from sdkless import key
from sdkless.places import PROJECT
from sdkless.zipped import Entry, write_zip

ANDROID = "{http://schemas.android.com/apk/res/android}"
RES = PROJECT / "app/src/main/res"


def test_a_zip_reads_back_and_its_parts_lie_where_they_should(tmp_path: Path) -> None:
    entries = [
        Entry("a.txt", b"deflated " * 100),
        Entry("b.bin", bytes(range(256)), align=4),
        Entry("c/é.so", b"\x7fELF", align=16_384),
        Entry("empty", b"", align=16_384),
        Entry("d.txt", b"x"),
    ]
    path = tmp_path / "x.zip"
    write_zip(path, iter(entries))
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert [(info.filename, file.read(info)) for info in file.infolist()] == [(e.name, e.data) for e in entries]
        for info, entry in zip(file.infolist(), entries, strict=True):
            name, extra = struct.unpack_from("<2H", path.read_bytes(), info.header_offset + 26)
            assert (info.compress_type == zipfile.ZIP_STORED) == bool(entry.align)
            assert (info.header_offset + 30 + name + extra) % (entry.align or 1) == 0
            assert info.date_time == (1980, 1, 1, 0, 0, 0)
    before = path.read_bytes()
    write_zip(path, iter(entries))
    assert path.read_bytes() == before


def test_the_key_is_always_the_same_and_signs_its_own_certificate(tmp_path: Path) -> None:
    private, certificate = key.write_key(tmp_path)
    n, d, p, q = key._numbers(key.SENTENCE)
    assert n == p * q
    assert n.bit_length() == 2048
    assert pow(pow(1234, key.EXPONENT, n), d, n) == 1234
    data = certificate.read_bytes()
    signed, signature = data[4:-276], int.from_bytes(data[-256:], "big")
    padded = pow(signature, key.EXPONENT, n).to_bytes(256, "big")
    assert padded.startswith(b"\0\1\xff\xff")
    assert padded.endswith(hashlib.sha256(signed).digest())
    assert n.to_bytes(256, "big") in private.read_bytes()
    assert hashlib.sha256(data).hexdigest() == "1b9ff5402924054e90af12e03987cd6e1a8cc41c79dd7e1e82f3601ae0c258f1"


@pytest.mark.parametrize("number", [3, 5, 7919, 2**61 - 1, 2**89 - 1])
def test_primes_are_told_from_products(number: int) -> None:
    small = number in key._SMALL_PRIMES
    assert key._is_prime(number) != small  # a small prime is divided by itself, and no candidate is that small
    assert not key._is_prime(number * (2**31 - 1))


def strings(folder: str) -> dict[str, str]:
    return {
        str(node.get("name")): node.text or "" for node in ElementTree.parse(RES / folder / "strings.xml").getroot()
    }


def test_both_languages_say_everything_with_the_same_values() -> None:
    english, chinese = strings("values"), strings("values-zh")
    assert english.keys() == chinese.keys()
    for name in english:
        marks = [re.findall(r"%\d\$[^a-z]*[a-z]", text) for text in (english[name], chinese[name])]
        assert sorted(marks[0]) == sorted(marks[1]), name
        assert re.search(r"[一-鿿]", chinese[name]), name


def test_every_string_is_used_and_none_is_written_in_place() -> None:
    code = "".join(file.read_text() for file in (PROJECT / "app/src").rglob("*.kt"))
    layouts = "".join(file.read_text() for file in (PROJECT / "app/src/main").rglob("*.xml"))
    for name in strings("values"):
        assert f"R.string.{name}" in code or f"@string/{name}" in layouts, name
    for attribute in ("text", "hint", "contentDescription", "textOn", "textOff"):
        for value in re.findall(rf'android:{attribute}="([^"]*)"', layouts):
            assert value.startswith("@string/"), value


def test_texts_grow_with_the_font_and_nothing_that_is_touched_is_small() -> None:
    for file in (RES / "layout").glob("*.xml"):
        for view in ElementTree.parse(file).iter():
            height, least = view.get(f"{ANDROID}layout_height"), view.get(f"{ANDROID}minHeight")
            assert height in (None, "match_parent", "wrap_content", "0dp"), (file.name, view.tag)
            assert view.get(f"{ANDROID}textSize") is None or view.get(f"{ANDROID}textSize", "").endswith("sp")
            if view.tag in ("EditText", "ImageButton", "Button", "ToggleButton", "Switch"):
                assert least == "48dp", (file.name, view.tag)
            if view.tag in ("ImageButton", "ImageView"):
                assert view.get(f"{ANDROID}contentDescription"), (file.name, view.tag)


def test_colors_can_be_read_by_day_and_night() -> None:
    for folder in ("values", "values-night"):
        colors = {node.get("name"): node.text for node in ElementTree.parse(RES / folder / "colors.xml").getroot()}
        light, dark = sorted((luminance(str(colors[name])) for name in ("accent", "background")), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


def luminance(color: str) -> float:
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_only_one_module_sees_onnx_runtime() -> None:
    for module in ("pocketrec-core", "app"):
        for file in (PROJECT / module / "src").rglob("*.kt"):
            assert "ai.onnxruntime" not in file.read_text(), file
    for module in ("pocketrec-core", "pocketrec-ort"):
        for file in (PROJECT / module / "src/main").rglob("*.kt"):
            assert not re.search(r"^import (android|androidx)\.", file.read_text(), re.MULTILINE), file


def test_kotlin_runs_the_operators_that_python_runs() -> None:
    sources = PROJECT / "pocketrec-ort/src/main/kotlin/dev/pocketrec/ort"
    listed = (sources / "GraphGuard.kt").read_text().partition("OPERATORS = mapOf(")[2].partition("OPSETS")[0]
    names = set(re.findall(r'"(\w+)"', listed.replace('"com.microsoft"', "")))
    assert names == set().union(*OPERATORS.values())
    rules = (sources / "GraphSizes.kt").read_text().partition("when (node.operator) {")[2].partition("else ->")[0]
    labels = " ".join(line.partition("->")[0] for line in rules.splitlines())
    assert set(re.findall(r'"(\w+)"', labels)) == RULES.keys()


def test_the_app_asks_for_nothing() -> None:
    manifest = ElementTree.parse(PROJECT / "app/src/main/AndroidManifest.xml").getroot()
    assert {node.tag for node in manifest} == {"application"}
    (application,) = manifest
    assert application.get(f"{ANDROID}allowBackup") == "false"
    exported = [node.get(f"{ANDROID}name") for node in application if node.get(f"{ANDROID}exported") == "true"]
    assert exported == [".MainActivity"]
