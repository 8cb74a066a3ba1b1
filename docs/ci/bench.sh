#!/usr/bin/env bash
# Build base and head from the same data in one job; fail where head is slower, larger or worse than base.
#
#   usage: bash docs/ci/bench.sh BASE_REF        in a checkout of head with its history
#
# Set in the environment:
#   BUILD     what builds the package $OUT from your data, run once in each checkout, for example
#             'pocketrec build --config build.toml --interactions r.csv --split s.csv --out "$OUT"'
#   OPTIONS   more options of `pocketrec bench`, for example '--interactions r.csv --split s.csv --max-regression 0.1'
#   RUNTIME   folders, relative to a checkout, that `import pocketrec` should find: only where the checkouts hold Pocketrec
#             itself, or pin different versions of it
#   WORK      where everything is written (default build/bench): base.pocketrec, head.pocketrec, bench.json, .md, .xml
#
# Exit codes are those of `pocketrec bench`; 4 where base does not exist or cannot be built.
set -euo pipefail

base_ref=${1:?usage: bench.sh BASE_REF}
: "${BUILD:?set BUILD to the command that builds \$OUT}"
work=${WORK:-build/bench}
mkdir -p "$work"
work=$(cd "$work" && pwd)
head=$(pwd)

runtime_of() { # RUNTIME inside a checkout, as PYTHONPATH wants it
    local path=""
    for folder in ${RUNTIME:-}; do path+=":$1/$folder"; done
    echo "${path#:}"
}

imports_of() { # that, before what PYTHONPATH has already
    local path
    path="$(runtime_of "$1"):${PYTHONPATH:-}"
    path=${path#:}
    echo "${path%:}"
}

build() { # CHECKOUT OUT
    (cd "$1" && OUT=$2 PYTHONPATH=$(imports_of "$1") bash -c "$BUILD")
}

git worktree prune
rm -rf "$work/base" "$work/base.pocketrec" "$work/head.pocketrec"
trap 'git worktree remove --force "$work/base" 2>/dev/null || true' EXIT
git worktree add --quiet --detach "$work/base" "$base_ref" || exit 4
build "$work/base" "$work/base.pocketrec" || { echo "base ($base_ref) cannot be built" >&2; exit 4; }
build "$head" "$work/head.pocketrec"

base_runtime=$(runtime_of "$work/base")
code=0
# shellcheck disable=SC2086
PYTHONPATH=$(imports_of "$head") python -m pocketrec bench "$work/head.pocketrec" --baseline "$work/base.pocketrec" \
    ${base_runtime:+--baseline-runtime "$base_runtime"} ${OPTIONS:-} \
    --junit "$work/bench.xml" --markdown "$work/bench.md" || code=$?
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$work/bench.md" ]; then cat "$work/bench.md" >>"$GITHUB_STEP_SUMMARY"; fi
exit $code
