#!/usr/bin/env bash
# Compiles pocketrec-core with its tests and runs them on the JVM: android_demo/test-core.sh [TEST CLASS...]
# Needs a JDK (17 or later), and in $POCKETREC_ANDROID_TOOLS (default build/android/tools) a Kotlin compiler
# (kotlinc/lib, or package/lib as npm unpacks it) and the jars junit4.jar and hamcrest.jar, anywhere inside.
# Exit code 77: a tool is missing, nothing was run.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${POCKETREC_ANDROID_TOOLS:-build/android/tools}
out=build/android/core
core=android_demo/pocketrec-core/src

find_jar() { find -L "$tools" -name "$1" -print -quit 2>/dev/null; }
compiler=$(find_jar kotlin-compiler.jar) stdlib=$(find_jar kotlin-stdlib.jar)
junit=$(find_jar junit4.jar) hamcrest=$(find_jar hamcrest.jar)
for part in "$compiler" "$stdlib" "$junit" "$hamcrest" "$(command -v java || true)"; do
    [ -n "$part" ] || { echo "skipped: no Kotlin compiler, JUnit or Java (looked in $tools)" >&2; exit 77; }
done

kotlinc() {  # OUT CLASSPATH FILES...
    local to=$1 path=$2; shift 2
    java -Xmx1g -XX:TieredStopAtLevel=1 -cp "$(dirname "$compiler")/*" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect \
        -Xjdk-release=8 -Xsuppress-deprecated-jvm-target-warning -Werror -d "$to" -classpath "$path" "$@"
}
mkdir -p "$out"
# Compiling takes longer than testing, so what has not changed is not compiled again.
stamp() { { cat "$0"; find "$@" -name '*.kt' -print0 | sort -z | xargs -0 cat; } | sha256sum; }
if [ "$(stamp $core/main)" != "$(cat "$out/main.stamp" 2>/dev/null)" ]; then
    rm -f "$out"/*.stamp
    kotlinc "$out/main.jar" "$stdlib" -module-name pocketrec-core -Xexplicit-api=strict $(find $core/main -name '*.kt')
    stamp $core/main >"$out/main.stamp"
fi
if [ "$(stamp $core/test)" != "$(cat "$out/test.stamp" 2>/dev/null)" ]; then
    kotlinc "$out/test.jar" "$stdlib:$out/main.jar:$junit:$hamcrest" -module-name pocketrec-core-test \
        -Xfriend-paths="$out/main.jar" $(find $core/test -name '*.kt')
    stamp $core/test >"$out/test.stamp"
fi
tests=${*:-$(cd $core/test/kotlin && find . -name '*Test.kt' | sed 's|^\./||; s|\.kt$||; s|/|.|g' | sort)}
java -Xss1m -ea -cp "$stdlib:$out/main.jar:$out/test.jar:$junit:$hamcrest" org.junit.runner.JUnitCore $tests
