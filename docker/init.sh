#!/bin/bash
# Makes the cluster of compose.yaml in its volumes, once: as root, with every volume below /data. Its directories are those
# of `homeport init`, its addresses those of the networks.
set -eu

here=$(dirname "$0")
config=/etc/homeport
if [ -e "$config/cluster.toml" ]; then
  echo "init.sh: there is a cluster already" >&2
  exit 0
fi
work=$(mktemp -d)
homeport init --data "$work/made" --wan --base-port 7100 --shards "${HOMEPORT_SHARDS:-8}" >/dev/null
for directory in "$work"/made/*/; do
  cp -a "$directory." "/data/$(basename "$directory")/"
done
chown -R homeport: /data "$config"
sed 's/127\.0\.0\.1/0.0.0.0/' "$work/made/wan.toml" >"$config/wan.toml"
# Last: with it the cluster is made.
awk -f "$here/addresses.awk" "$work/made/cluster.toml" "$work/made/cluster.toml" >"$config/cluster.toml.new"
chown homeport: "$config"/*
chmod 600 "$config/cluster.toml.new"
mv "$config/cluster.toml.new" "$config/cluster.toml"
rm -rf "$work"
