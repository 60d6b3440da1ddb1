#!/bin/sh
# Looks for mistakes that compile: cppcheck, if it is installed, and a few rules of our own.
set -eu
cd "$(dirname "$0")/.."

failed=0
complain() {
  echo "lint: $1" >&2
  failed=1
}

# Protocol code has no clock, randomness, or thread (docs/architecture.md).
protocol="quorum_queue/replica.cc quorum_queue/replica_stream.cc quorum_queue/writer.cc quorum_queue/writer_takeover.cc
  quorum_queue/group_choice.cc quorum_queue/reader.cc quorum_queue/mender.cc quorum_queue/mend_plan.cc quorum_queue/restorer.cc
  quorum_queue/retire.cc
  replicator/shard_primary.cc replicator/replayer.cc replicator/region.cc replicator/trimmer.cc replicator/intent_keeper.cc
  router/gateway.cc
  $(git ls-files 'core/messaging/*.cc' 'core/messaging/*.h')"
for word in 'std::thread' 'std::mutex' '<random>' 'steady_clock::now' 'system_clock' 'getenv' 'SteadyNow('; do
  # shellcheck disable=SC2086  # a list of files
  if found=$(grep -nF -- "$word" $protocol); then complain "$word in protocol code:
$found"; fi
done

if found=$(git ls-files '*.h' | xargs grep -L '^#pragma once'); [ -n "$found" ]; then
  complain "headers without #pragma once: $found"
fi

if command -v cppcheck >/dev/null 2>&1; then
  # shellcheck disable=SC2046
  cppcheck --quiet --std=c++20 --language=c++ --enable=warning,portability --inline-suppr --error-exitcode=1 \
    --suppress=preprocessorErrorDirective --suppress=syntaxError --suppress=unknownMacro \
    --suppress=internalAstError --suppress=accessMoved -I . -j 2 \
    $(git ls-files '*.cc') || failed=1
else
  echo "lint: cppcheck is not installed: skipped" >&2
fi
exit $failed
