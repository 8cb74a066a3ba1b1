"""The AAR's own ONNX Runtime on a desktop JVM: its Java classes and its x86_64 JNI library, over the wheel's library.

The JNI library wants Android's libc, libdl and libm, and a libonnxruntime.so of the same version; native/ has what is
missing, a few lines of C.
"""

from __future__ import annotations

import platform
import shutil
import zipfile
from pathlib import Path

from sdkless.places import TOOLS, VERSIONS, WORK
from sdkless.run import BuildError, run

AAR = TOOLS / "onnxruntime" / "onnxruntime.aar"
CLASSES = WORK / "onnxruntime" / "classes.jar"
"""The Java classes of the AAR."""
LIBRARIES = WORK / "onnxruntime" / "desktop"
"""Where `java` finds the native libraries: LD_LIBRARY_PATH and -Donnxruntime.native.path."""
_NATIVE = Path(__file__).with_name("native")


def java_classes() -> Path:
    """The jar of ONNX Runtime's Java classes, out of the AAR."""
    if not CLASSES.exists():
        CLASSES.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(AAR) as aar:
            CLASSES.write_bytes(aar.read("classes.jar"))
    return CLASSES


def native_libraries() -> Path:
    """The folder of libraries with which ai.onnxruntime runs on this machine.

    Raises:
        BuildError: Another machine than Linux on x86-64, or no C compiler.
    """
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise BuildError(
            f"the AAR's x86_64 library runs on Linux x86_64, not on {platform.system()} {platform.machine()}"
        )
    done = LIBRARIES / "done"
    if done.exists():
        return LIBRARIES
    shutil.rmtree(LIBRARIES, ignore_errors=True)
    LIBRARIES.mkdir(parents=True)
    with zipfile.ZipFile(AAR) as aar:
        (LIBRARIES / "libonnxruntime4j_jni.so").write_bytes(aar.read("jni/x86_64/libonnxruntime4j_jni.so"))
    for name in ("libc", "libdl", "libm"):
        _link(f"{name}.so", _NATIVE / "bionic.c", _NATIVE / "bionic.map", "-fno-builtin")
    shutil.copy(
        TOOLS / "onnxruntime" / f"libonnxruntime.so.{VERSIONS['onnxruntime']}", LIBRARIES / "libonnxruntime.so.1"
    )
    names = LIBRARIES / "onnxruntime.map"
    names.write_text(f"VERS_{VERSIONS['onnxruntime']} {{ OrtSessionOptionsAppendExecutionProvider_Nnapi; }};\n")
    linked = ["-Wl,--no-as-needed", f"-L{LIBRARIES}", "-l:libonnxruntime.so.1", "-Wl,-rpath,$ORIGIN"]
    _link("libonnxruntime.so", _NATIVE / "onnxruntime.c", names, *linked)
    done.touch()
    return LIBRARIES


def _link(name: str, source: Path, versions: Path, *flags: str) -> None:
    """A shared library of one C file whose symbols have the versions that a map gives them."""
    shape = ["-shared", "-fPIC", "-O1", f"-Wl,-soname,{name}", f"-Wl,--version-script={versions}"]
    run(["gcc", *shape, "-o", LIBRARIES / name, source, *flags])
