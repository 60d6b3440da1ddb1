#!/bin/sh
# Makes the images homeport:latest and homeport-prometheus:latest with the engine of DOCKER_HOST.
#
#   docker/image.sh             compiles inside
#   docker/image.sh --prebuilt  takes build/bin, as a Debian 12 machine has built it
set -eu
cd "$(dirname "$0")/.."

# Old engines have no BuildKit, and new clients no other builder without it.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
docker/base-image.sh

target=runtime
if [ "${1:-}" = --prebuilt ]; then
  target=prebuilt
  mkdir -p build/docker
  for program in homeport homeportd homeport-wan; do
    strip -o "build/docker/$program" "build/bin/$program"
  done
fi

version=$(sed -n 's/^project(homeport VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
# The builder's network is this machine's, and so are its proxies.
set -- --network host --build-arg VERSION="$version" --build-arg REVISION="$revision" --build-arg http_proxy --build-arg https_proxy \
  --build-arg no_proxy
docker build -q "$@" --target "$target" -t homeport:latest -t "homeport:$version" -f docker/Dockerfile .
docker build -q "$@" -t homeport-prometheus:latest -f docker/prometheus/Dockerfile docker/prometheus
