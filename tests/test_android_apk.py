"""The APKs that the build without an SDK makes: what they declare and hold, how it lies in them, who signed it."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from android import ask, need_tools, python_answer
from pocketrec.opening import open_sample
from sdkless import apk, compile, desktop, modules, stubs
from sdkless.places import PROJECT, SAMPLE, VERSIONS
from sdkless.run import BuildError, classpath, java, run
from sdkless.zipped import PAGE

need_tools("gcc")

ASSET = f"assets/{SAMPLE.name}"
REQUESTS = [
    ("search", 20, "space adventure with robots"),
    ("search", 10, "pixr animation"),
    ("recommend", 20, "tt0358082:1.0,tt0343818:2.0,tt1490017:-1.0"),
    ("similar", 20, "tt0358082"),
]


@pytest.fixture(scope="module", params=apk.FLAVORS)
def flavor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def built(flavor: str) -> Path:
    """The APK, made from the sources as they are."""
    return apk.build(flavor)


def offset(path: Path, info: zipfile.ZipInfo) -> int:
    """Where the data of an entry begins."""
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<2H", file.read(4))
    return int(info.header_offset + 30 + name + extra)


def test_the_manifest_says_what_it_should(built: Path, flavor: str) -> None:
    badging = apk.aapt2("dump", "badging", built)
    assert f"package: name='{apk.APPLICATION}' versionCode='1' versionName='{VERSIONS['versionName']}'" in badging
    assert f"sdkVersion:'{VERSIONS['minSdk']}'" in badging
    assert f"targetSdkVersion:'{VERSIONS['targetSdk']}'" in badging
    assert f"launchable-activity: name='{apk.APPLICATION}.MainActivity'" in badging
    assert "application-label:'Pocketrec films'" in badging
    assert "application-label-zh:'Pocketrec 电影'" in badging
    assert ("native-code: 'arm64-v8a' 'x86_64'" in badging) == (flavor == "full")
    tree = apk.aapt2("dump", "xmltree", "--file", "AndroidManifest.xml", built)
    assert re.search(r"extractNativeLibs\(0x\w+\)=false", tree)
    assert re.search(r"allowBackup\(0x\w+\)=false", tree)
    assert "debuggable" not in tree


def test_there_is_no_permission_so_no_network(built: Path) -> None:
    assert apk.aapt2("dump", "permissions", built).strip() == f"package: {apk.APPLICATION}"
    assert "uses-permission" not in apk.aapt2("dump", "xmltree", "--file", "AndroidManifest.xml", built)


def test_the_package_lies_in_it_as_it_is(built: Path) -> None:
    with zipfile.ZipFile(built) as file:
        info = file.getinfo(ASSET)
        assert info.compress_type == zipfile.ZIP_STORED
    start, data = offset(built, info), built.read_bytes()
    assert start % PAGE == 0
    assert data[start : start + info.file_size] == SAMPLE.read_bytes()


def test_the_code_holds_what_android_starts_and_no_more(built: Path, flavor: str) -> None:
    with zipfile.ZipFile(built) as file:
        dex = file.read("classes.dex")
        assert not [name for name in file.namelist() if name.endswith(".dex") and name != "classes.dex"]
    for name in ("DemoApplication", "MainActivity", "ItemActivity", "DiagnosticsActivity"):
        assert f"L{apk.APPLICATION.replace('.', '/')}/{name};".encode() in dex
    assert (b"Lai/onnxruntime/OrtSession;" in dex) == (flavor == "full")
    for name in ("Lorg/junit/", "Ljava/net/Socket", "Ljava/net/HttpURL", "Ljava/nio/channels/Socket", "Ljavax/net/"):
        assert name.encode() not in dex, name


def test_native_libraries_suit_pages_of_16_kb(built: Path, flavor: str) -> None:
    with zipfile.ZipFile(built) as file, zipfile.ZipFile(desktop.AAR) as aar:
        found = [info for info in file.infolist() if info.filename.endswith(".so")]
        for info in found:
            data = file.read(info)
            assert info.compress_type == zipfile.ZIP_STORED
            assert offset(built, info) % PAGE == 0, info.filename
            assert data == aar.read(info.filename.replace("lib/", "jni/", 1))
            assert all(align % PAGE == 0 for align in segment_alignments(data)), info.filename
    names = ("libonnxruntime.so", "libonnxruntime4j_jni.so") if flavor == "full" else ()
    assert [info.filename for info in found] == [f"lib/{abi}/{name}" for abi in apk.ABIS for name in names]


def segment_alignments(library: bytes) -> list[int]:
    """The alignment of each segment of a 64-bit ELF file that is loaded."""
    start, size, count = (*struct.unpack_from("<Q", library, 32), *struct.unpack_from("<2H", library, 54))
    headers = [struct.unpack_from("<2L6Q", library, start + size * at) for at in range(count)]
    return [header[7] for header in headers if header[0] == 1]


def test_the_resource_table_can_be_mapped(built: Path) -> None:
    with zipfile.ZipFile(built) as file:
        info = file.getinfo("resources.arsc")
    assert info.compress_type == zipfile.ZIP_STORED
    assert offset(built, info) % 4 == 0


def test_it_is_signed_by_the_schemes_2_and_3(built: Path, flavor: str) -> None:
    said = apk.verified(flavor)
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in said
    assert "Verified using v3 scheme (APK Signature Scheme v3): true" in said


def test_the_same_sources_give_the_same_bytes(built: Path, flavor: str) -> None:
    before = built.read_bytes()
    assert apk.build(flavor).read_bytes() == before


def test_sizes_stay_below_their_bars(built: Path, flavor: str) -> None:
    package = SAMPLE.stat().st_size
    if flavor == "lite":
        assert built.stat().st_size <= 3_000_000 + package
        return
    with zipfile.ZipFile(built) as file:  # what a store sends to a phone: one ABI, deflated
        other = [info for info in file.infolist() if "x86_64" not in info.filename and info.filename != ASSET]
        sent = sum(len(zlib.compress(file.read(info))) for info in other)
    assert sent <= 20_000_000


def test_ranking_straight_out_of_the_apk_equals_python(built: Path, flavor: str) -> None:
    with zipfile.ZipFile(built) as file:
        info = file.getinfo(ASSET)
    answers = ask("raw" if flavor == "lite" else "onnx", built, REQUESTS, offset(built, info), info.file_size)
    with open_sample(engine="numpy") as films:
        for request, answer in zip(REQUESTS, answers, strict=True):
            expected = python_answer(films, *request)
            if flavor == "lite":
                assert answer == expected  # to the last bit
            else:
                assert [item for item, _ in answer] == [item for item, _ in expected]
                assert [score for _, score in answer] == pytest.approx([score for _, score in expected], abs=1e-5)


def test_the_aar_holds_both_modules_and_the_keep_rules() -> None:
    core, aar = apk.libraries()
    with zipfile.ZipFile(aar) as file:
        assert file.read("libs/pocketrec-core.jar") == core.read_bytes()
        assert b"-keep class ai.onnxruntime.**" in file.read("proguard.txt")
        inner = io.BytesIO(file.read("classes.jar"))
    with zipfile.ZipFile(inner) as classes, zipfile.ZipFile(core) as jar:
        assert "dev/pocketrec/ort/OrtEngine.class" in classes.namelist()
        assert "dev/pocketrec/Pocketrec.class" in jar.namelist()
        assert not [name for name in jar.namelist() if "onnxruntime" in name or name.startswith("android")]


def test_the_lines_of_the_readme_compile(tmp_path: Path) -> None:
    """Each Kotlin block of the README, as the body of a suspending function that has a context and a source."""
    blocks = re.findall(r"```kotlin\n(.*?)```", (PROJECT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    functions = "".join(
        f"suspend fun readme{number}(context: android.content.Context, source: Source) {{\n{block}}}\n"
        for number, block in enumerate(blocks)
    )
    source = tmp_path / "source" / "Readme.kt"
    source.parent.mkdir()
    source.write_text(f"""@file:Suppress("NAME_SHADOWING", "UNUSED_VARIABLE")
import dev.pocketrec.*
import java.io.File
import java.io.FileInputStream

{functions}""")
    out = compile.kotlin([source.parent], [modules.core(), stubs.framework()], out=tmp_path / "classes")
    assert len(blocks) >= 1
    assert (out / "ReadmeKt.class").exists()


ASSETS_OF_AN_APK = """
package android.content.res;

public final class AssetManager implements AutoCloseable {
    public AssetFileDescriptor openFd(String name) throws java.io.IOException {
        if (!name.equals(System.getProperty("asset.name"))) throw new java.io.FileNotFoundException(name);
        return new AssetFileDescriptor();
    }
    public void close() {}
}
"""
ITS_DESCRIPTOR = """
package android.content.res;

public class AssetFileDescriptor implements java.io.Closeable {
    private final java.io.RandomAccessFile apk = new java.io.RandomAccessFile(System.getProperty("asset.apk"), "r");
    AssetFileDescriptor() throws java.io.IOException {}
    public java.io.FileDescriptor getFileDescriptor() {
        try { return apk.getFD(); } catch (java.io.IOException error) { throw new AssertionError(error); }
    }
    public long getStartOffset() { return Long.getLong("asset.start"); }
    public long getLength() { return Long.getLong("asset.length"); }
    public void close() throws java.io.IOException { apk.close(); }
}
"""
ASKS = """
public class Asks {
    public static void main(String[] name) {
        var assets = new android.content.res.AssetManager();
        try (var films = dev.pocketrec.Pocketrec.open(dev.pocketrec.demo.AssetsKt.assetSource(assets, name[0]))) {
            for (var film : films.search("robots", 5)) System.out.println(film.getItem());
        }
    }
}
"""


def test_the_app_maps_its_asset_and_lets_go_of_the_file(built: Path, flavor: str, tmp_path: Path) -> None:
    """The app's own way to its package, with Android's two classes as they behave: closed is closed."""
    classes = [modules.app(flavor, apk.resources().r), *modules.libraries(flavor), *compile.LIBRARIES]
    for name, code in (("AssetManager", ASSETS_OF_AN_APK), ("AssetFileDescriptor", ITS_DESCRIPTOR), ("Asks", ASKS)):
        (tmp_path / f"{name}.java").write_text(code)
    path = classpath(tmp_path, *classes)
    run(["javac", "-proc:none", "-cp", classpath(*classes), "-d", tmp_path, *sorted(tmp_path.glob("*.java"))])
    with zipfile.ZipFile(built) as file:
        info = file.getinfo(ASSET)
    part = {"name": SAMPLE.name, "apk": built, "start": offset(built, info), "length": info.file_size}
    asset = [f"-Dasset.{key}={value}" for key, value in part.items()]
    with open_sample(engine="numpy") as films:
        assert java(*asset, "-cp", path, "Asks", SAMPLE.name).split() == [
            film.item for film in films.search("robots", k=5)
        ]
    with pytest.raises(BuildError, match=r"PackageException: asset missing.pocketrec: missing, or compressed; add"):
        java(*asset, "-cp", path, "Asks", "missing.pocketrec")
