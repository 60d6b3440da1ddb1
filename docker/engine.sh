#!/bin/sh
# A Docker engine where none runs: on a private socket, with its data in a directory of its own. Needs root and Debian's
# docker.io.
#
#   docker/engine.sh start       starts one if none answers; prints the DOCKER_HOST to use
#   docker/engine.sh run CMD...  runs CMD with an engine; one that was started for it is stopped at its end
#   docker/engine.sh stop        stops the one that was started here; leaves any other alone
set -eu

dir=${HOMEPORT_ENGINE_DIR:-/var/lib/homeport-engine}
socket="unix://$dir/docker.sock"

answers() {
  DOCKER_HOST=$1 timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# The engine that is there: the environment's, the usual one, or ours.
find_engine() {
  for host in "${DOCKER_HOST:-}" unix:///var/run/docker.sock "$socket"; do
    [ -n "$host" ] || continue
    if answers "$host"; then echo "$host"; return 0; fi
  done
  return 1
}

start_engine() {
  command -v dockerd >/dev/null || { echo "engine.sh: no dockerd: apt-get install docker.io" >&2; exit 1; }
  [ "$(id -u)" -eq 0 ] || { echo "engine.sh: an engine needs root" >&2; exit 1; }
  mkdir -p "$dir"
  setsid dockerd --host "$socket" --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" \
    >"$dir/log" 2>&1 </dev/null &
  tries=0
  until answers "$socket"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 60 ]; then
      echo "engine.sh: the engine did not start; $dir/log ends with:" >&2
      tail -5 "$dir/log" >&2
      exit 1
    fi
    sleep 1
  done
  echo "engine.sh: started an engine, its log is $dir/log" >&2
}

# Only what our pid file names, and only while that is a dockerd.
stop_engine() {
  pid=$(cat "$dir/pid" 2>/dev/null || true)
  [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 0
  kill "$pid"
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 60 ]; do
    tries=$((tries + 1))
    sleep 1
  done
  echo "engine.sh: stopped the engine" >&2
}

case ${1:-} in
  start)
    find_engine || { start_engine; echo "$socket"; }
    ;;
  stop)
    stop_engine
    ;;
  run)
    shift
    if host=$(find_engine); then
      DOCKER_HOST=$host exec "$@"
    fi
    start_engine
    trap stop_engine EXIT
    trap 'exit 130' INT TERM
    DOCKER_HOST=$socket "$@"
    ;;
  *)
    sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
