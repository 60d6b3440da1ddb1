#!/bin/sh
# minimize.sh [TARGET...]: makes tests/fuzz/corpus anew: the fewest of the smallest inputs of it and of build-fuzz/corpus
# that reach all that they reach together.
set -eu
cd "$(dirname "$0")/../.."
for target in ${*:-$(ls tests/fuzz/corpus)}; do
  mkdir -p "build-fuzz/corpus/$target"
  new=build-fuzz/merged-$target
  rm -rf "$new"
  mkdir -p "$new"
  build-fuzz/bin/homeport-fuzz "$target" -merge=1 -max_len=4096 "$new" "tests/fuzz/corpus/$target" \
    "build-fuzz/corpus/$target" 2>"build-fuzz/merge-$target.log"
  rm -rf "tests/fuzz/corpus/$target"
  mv "$new" "tests/fuzz/corpus/$target"
  echo "$target: $(ls "tests/fuzz/corpus/$target" | wc -l) inputs, $(cat "tests/fuzz/corpus/$target"/* | wc -c) bytes"
done
