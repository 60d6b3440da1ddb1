#!/bin/sh
# run.sh SECONDS [TARGET...]: fuzzes each target for that long with build-fuzz/bin/homeport-fuzz, from the corpus kept
# in the repository. An input that fails is left in build-fuzz/ and named; what is new goes to build-fuzz/corpus.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:?seconds for each target}
shift
fuzz=build-fuzz/bin/homeport-fuzz
if ! [ -x $fuzz ]; then
  echo "SKIPPED: no $fuzz; \`make test\` and \`make fuzz\` build it, with clang"
  exit 77
fi
# Targets that write do it in memory where that can be; libFuzzer ends without cleaning up.
[ -d /dev/shm ] && TMPDIR=/dev/shm
TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/homeport-fuzz-XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 1' INT TERM
targets=${*:-$(ls tests/fuzz/corpus)}
for target in $targets; do
  mkdir -p "build-fuzz/corpus/$target"
  echo "== $target"
  # -rss_limit_mb: a small input must not make us allocate much.
  $fuzz "$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 \
    -print_final_stats=0 -verbosity=1 -artifact_prefix="build-fuzz/$target-" \
    "build-fuzz/corpus/$target" "tests/fuzz/corpus/$target" 2>"build-fuzz/$target.log" || {
    tail -60 "build-fuzz/$target.log"
    exit 1
  }
  grep -E "^#[0-9]+.*DONE|^Done" "build-fuzz/$target.log" || true
done
