#!/bin/sh
# Installs what Homeport is built with, from Debian 12, and any packages named. Quick when all of it
# is there.
set -eu

packages="
  build-essential cmake ninja-build ccache pkg-config git clang-format python3
  capnproto libcapnp-dev libzmq3-dev cppzmq-dev librocksdb-dev
  libxxhash-dev libzstd-dev libsodium-dev libfmt-dev libspdlog-dev
  libboost1.81-dev libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  prometheus-cpp-dev libcpp-httplib-dev libcurl4-openssl-dev
  libgtest-dev libgmock-dev
  $*
"

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "install-deps.sh: this is no Debian: install these packages' likes by hand:" $packages >&2
  exit 1
fi

missing=""
for package in $packages; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
  as_root="env"
elif command -v sudo >/dev/null 2>&1; then
  as_root="sudo env"
else
  echo "install-deps.sh: missing:$missing" >&2
  echo "Neither root nor sudo here. As root, run: apt-get install --no-install-recommends$missing" >&2
  exit 1
fi

echo "install-deps.sh: installing:$missing" >&2
$as_root apt-get update -qq
# shellcheck disable=SC2086  # a list of words
$as_root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
