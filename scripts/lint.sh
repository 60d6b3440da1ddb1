#!/bin/sh
# Looks for mistakes that compile: cppcheck, if it is installed, and a few rules of our own.
set -eu
cd "$(dirname "$0")/.."

failed=0
complain() {
  echo "lint: $1" >&2
  failed=1
}

# Protocol code has no clock, randomness, or thread (docs/architecture.md). It is all of these folders but the
# drivers, so that a new file is protocol code until it is named here.
drivers='coordination/(blocking|call_queue|coordination_server|embedded_client|etcd_client|http_transfers)
quorum_queue/(queue_keeper|queue_reader|queue_writer|replica_server|segment_pool|segment_scrubber)
replicator/relay_log
router/(client|client_calls|client_impl|gateway_host|http_front|pulse|region_coordination|region_host|shard_digester|store_flusher)'
protocol=$(git ls-files 'coordination/*.cc' 'coordination/*.h' 'quorum_queue/*.cc' 'quorum_queue/*.h' 'replicator/*.cc' 'replicator/*.h' 'router/*.cc' \
    'router/*.h' 'core/messaging/*.cc' 'core/messaging/*.h' |
  grep -vE '/(tests|example)/' | grep -vE "^($(echo "$drivers" | tr '\n' '|' | sed 's/|$//'))\.(cc|h)$")
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
    --suppress=internalAstError --suppress=accessMoved --suppress=constStatement -I . -j 2 \
    $(git ls-files '*.cc') || failed=1
else
  echo "lint: cppcheck is not installed: skipped" >&2
fi
exit $failed
