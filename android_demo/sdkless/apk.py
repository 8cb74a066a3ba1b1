"""From compiled modules to a signed APK and an AAR."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sdkless import compile, desktop, modules
from sdkless.key import write_key
from sdkless.places import BUILD, PROJECT, SAMPLE, TOOLS, VERSIONS, WORK
from sdkless.run import classpath, java, run
from sdkless.shrink import to_dex
from sdkless.zipped import PAGE, Entry, write_zip

FLAVORS = ("full", "lite")
ABIS = ("arm64-v8a", "x86_64")
APPLICATION = "dev.pocketrec.demo"
_APP = PROJECT / "app/src/main"
# What Gradle adds to the manifest by itself: its name, and that libraries are mapped where they lie.
_ADDED = (("manifest", f'package="{APPLICATION}"'), ("application", 'android:extractNativeLibs="false"'))


def built(flavor: str) -> Path:
    """Where the APK of a flavor is put."""
    return BUILD / f"pocketrec-demo-{flavor}.apk"


def build(flavor: str) -> Path:
    """The signed APK of a flavor, made from the sources as they are."""
    linked = resources()
    program = [modules.app(flavor, linked.r), linked.r, *shipped(flavor)]
    dex = to_dex(program, [linked.keep, *rules(flavor)], out=WORK / f"dex-{flavor}")
    unsigned = WORK / f"{flavor}-unsigned.apk"
    write_zip(unsigned, entries(linked.base, dex, flavor))
    sign(unsigned, built(flavor))
    return built(flavor)


def shipped(flavor: str) -> list[Path]:
    """The libraries whose code an app contains, as far as it is used."""
    return [*modules.libraries(flavor), *compile.LIBRARIES]


def rules(flavor: str) -> list[Path]:
    """The keep rules that our modules bring with them."""
    return [PROJECT / "pocketrec-ort/consumer-rules.pro"] if flavor == "full" else []


@dataclass(frozen=True, slots=True)
class Linked:
    """The app's resources: an APK without code, the classes that name them, and rules that keep what they name."""

    base: Path
    r: Path
    keep: Path


def resources() -> Linked:
    """What Android's resource compiler makes of the manifest and of ``res``."""
    folder = WORK / "resources"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    manifest = (_APP / "AndroidManifest.xml").read_text()
    for tag, addition in _ADDED:
        manifest = manifest.replace(f"<{tag}", f"<{tag} {addition}", 1)
    (folder / "AndroidManifest.xml").write_text(manifest)
    aapt2("compile", "--dir", _APP / "res", "-o", folder / "compiled.zip")
    aapt2(
        *("link", "-o", folder / "base.apk", "-I", TOOLS / "aapt/framework-res.apk", folder / "compiled.zip"),
        *("--manifest", folder / "AndroidManifest.xml", "--java", folder / "java", "--proguard", folder / "keep.pro"),
        *("--min-sdk-version", VERSIONS["minSdk"], "--target-sdk-version", VERSIONS["targetSdk"]),
        *("--version-code", VERSIONS["versionCode"], "--version-name", VERSIONS["versionName"]),
    )
    return Linked(folder / "base.apk", compile.javac(folder / "java", out=WORK / "r"), folder / "keep.pro")


def aapt2(*words: str | Path) -> str:
    """What Android's resource compiler printed."""
    return run([TOOLS / "aapt/aapt2", *words], env={"LD_LIBRARY_PATH": str(TOOLS / "aapt")})


def entries(base: Path, dex: Path, flavor: str) -> Iterator[Entry]:
    """What the APK holds: code and resources, the package as it is, and in ``full`` the native libraries."""
    with zipfile.ZipFile(base) as linked:
        for name in sorted(linked.namelist(), key=lambda name: (name != "AndroidManifest.xml", name)):
            # Android 11 wants the resource table stored, at a multiple of 4.
            yield Entry(name, linked.read(name), align=4 if name == "resources.arsc" else 0)
    for file in sorted(dex.glob("*.dex")):
        yield Entry(file.name, file.read_bytes())
    yield Entry(f"assets/{SAMPLE.name}", SAMPLE.read_bytes(), align=PAGE)
    if flavor == "full":
        with zipfile.ZipFile(desktop.AAR) as aar:
            for name in sorted(aar.namelist()):
                if name.startswith(tuple(f"jni/{abi}/" for abi in ABIS)) and name.endswith(".so"):
                    yield Entry(f"lib/{name.removeprefix('jni/')}", aar.read(name), align=PAGE)


def libraries() -> tuple[Path, Path]:
    """For projects that take no module from Maven: pocketrec-core as a jar, and both modules together as an AAR.

    The AAR brings its keep rules along; ONNX Runtime and the coroutines are for the project to depend on.
    """
    core, aar, inner = BUILD / "pocketrec-core.jar", BUILD / "pocketrec.aar", WORK / "classes.jar"
    write_zip(core, class_files(modules.core()))
    write_zip(inner, class_files(modules.ort()))
    manifest = f"""<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="dev.pocketrec.ort">
    <uses-sdk android:minSdkVersion="{VERSIONS["minSdk"]}" />
</manifest>
"""
    files = [
        Entry("AndroidManifest.xml", manifest.encode()),
        Entry("classes.jar", inner.read_bytes()),
        Entry("libs/pocketrec-core.jar", core.read_bytes()),
        Entry("proguard.txt", (PROJECT / "pocketrec-ort/consumer-rules.pro").read_bytes()),
        Entry("R.txt", b""),
    ]
    write_zip(aar, files)
    return core, aar


def class_files(folder: Path) -> Iterator[Entry]:
    """The files of a folder of classes, in the order of their names."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield Entry(file.relative_to(folder).as_posix(), file.read_bytes())


def sign(unsigned: Path, out: Path) -> None:
    """Sign by the schemes 2 and 3; Android 7 and later need no other."""
    key, certificate = write_key(WORK / "key")
    apksigner(
        *("sign", "--key", key, "--cert", certificate, "--min-sdk-version", VERSIONS["minSdk"]),
        *("--v1-signing-enabled", "false", "--v2-signing-enabled", "true", "--v3-signing-enabled", "true"),
        *("--v4-signing-enabled", "false", "--in", unsigned, "--out", out),
    )


def apksigner(*words: str | Path) -> str:
    """What Android's signing tool printed."""
    tools = classpath(*sorted((TOOLS / "apksigner").glob("*.jar")))
    return java("-cp", tools, "com.android.apksigner.ApkSignerTool", *words)


def verified(flavor: str) -> str:
    """The lines of what the signing tool says of a built APK that tell the schemes and the key.

    Raises:
        BuildError: A signature is missing or wrong.
    """
    said = apksigner("verify", "--verbose", "--print-certs", "--min-sdk-version", VERSIONS["minSdk"], built(flavor))
    return "\n".join(line for line in said.splitlines() if "Scheme v" in line or "SHA-256" in line)
