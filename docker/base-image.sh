#!/bin/sh
# Sees to it that there is an image debian:bookworm-slim: the one that is there, the registry's, or one made with debootstrap
# from the mirror this machine's apt uses (or HOMEPORT_DEBIAN_MIRROR).
set -eu

image=debian:bookworm-slim
docker image inspect "$image" >/dev/null 2>&1 && exit 0
if timeout "${HOMEPORT_PULL_SECONDS:-60}" docker pull -q "$image" >/dev/null 2>&1; then exit 0; fi

echo "base-image.sh: $image cannot be pulled; making it with debootstrap" >&2
command -v debootstrap >/dev/null || { echo "base-image.sh: no debootstrap: apt-get install debootstrap" >&2; exit 1; }
mirror=${HOMEPORT_DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -1)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debootstrap --variant=minbase bookworm "$work/root" "$mirror" >"$work/log" 2>&1 ||
  { echo "base-image.sh: debootstrap failed:" >&2; tail -5 "$work/log" >&2; exit 1; }
# As slim as the registry's: no documentation, no package lists.
rm -rf "$work"/root/usr/share/doc/* "$work"/root/usr/share/man/* "$work"/root/usr/share/info/* "$work"/root/usr/share/locale/* \
  "$work"/root/var/cache/apt/* "$work"/root/var/lib/apt/lists/* "$work"/root/var/log/*.log
printf 'path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\npath-exclude /usr/share/locale/*\n' \
  >"$work/root/etc/dpkg/dpkg.cfg.d/slim"
tar -C "$work/root" -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null
echo "base-image.sh: made $image" >&2
