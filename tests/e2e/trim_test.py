"""Trimming on real processes: logs are imported and messages sent while replicas and daemons are killed; what every user
gets is what the logs say, all regions are equal, and the logs of replicas and regions end small.
"""

import glob
import os
import random
import re

import cluster as c
import import_test
import irc_reference

SEGMENT_BYTES = 16 << 20
# Of messages sent on top of the import: several segments of each replica and relay log.
BULK_SECONDS = 1
BULK_ROUNDS = 3
# The one written to, what it had not released when it was begun, and one more.
SEGMENTS_MAX = 3


def configure(cluster):
    """Small segments and frequent flushes: everything is trimmed soon."""
    path = os.path.join(cluster.data, "cluster.toml")
    with open(path) as file:
        text = file.read()
    text = re.sub(r"(?m)^segment_bytes = .*\n", "", text)
    text = re.sub(r"(?m)^(shards = .*)$", rf"\1\nsegment_bytes = {SEGMENT_BYTES}\nflush_seconds = 1", text)
    with open(path, "w") as file:
        file.write(text)


def segments(cluster):
    """By log directory: how many segments it has, and the number of the last, which counts all there ever were."""
    found = {}
    for directory in glob.glob(os.path.join(cluster.data, "*", "replica-*")) + glob.glob(
            os.path.join(cluster.data, "*", "relay")):
        names = sorted(os.path.basename(p) for p in glob.glob(os.path.join(directory, "**", "segment-*"), recursive=True))
        if names:
            found[os.path.relpath(directory, cluster.data)] = (len(names), int(names[-1].split("-")[1], 16))
    return found


def untrimmed(cluster):
    """Entries of own streams that are not trimmed, over all regions."""
    streams = cluster.json("status", timeout=60)["streams"]
    return sum(s["committed"] - s["trimmed"] for s in streams if s["at"] == s["of"])


def send_bulk(cluster, chance):
    bulk = cluster.start("bench", "messages", "--size", "4000", "--seconds", BULK_SECONDS, "--output", "json")
    regions = ["sh", "hk", "ca"]
    region = chance.choice(regions)
    replica = chance.randint(1, 3)
    old = cluster.kill("replica", region, replica)
    cluster.restarted("replica", region, replica, old)
    bulk.wait(timeout=300)
    with open(os.path.join(cluster.root, "bench.err"), "rb") as err:
        c.check(bulk.returncode == 0, f"bench failed: {err.read()[-2000:]!r}")
    daemon = chance.choice(regions)
    old = cluster.kill("region", daemon)
    cluster.restarted("region", daemon, None, old)
    c.wait_for(f"{daemon} ready again", lambda: import_test.region_ready(cluster, daemon), 90)


def main():
    seed = int(os.environ.get("HOMEPORT_SEED", "7"))
    chance = random.Random(seed)
    print(f"seed {seed}", flush=True)
    files = import_test.files_for("own")
    expected = irc_reference.read_logs(files)
    with c.Cluster(up=False) as cluster:
        cluster.run("init", "--regions", cluster.regions, "--shards", "2")
        configure(cluster)
        cluster.up()
        counts = import_test.import_logs(cluster, files, False, seed)
        for _ in range(BULK_ROUNDS):
            send_bulk(cluster, chance)
        cluster.run("verify", timeout=600)
        for user, wanted in expected.inbox.items():
            got, _ = cluster.inbox(os.fsdecode(user))
            c.check(got == wanted, f"inbox of {user}: {len(got)} messages, expected {len(wanted)}")
        c.check(counts["users"] == len(expected.inbox), f"{counts} imported")
        # Of the last work only reports and what a restart left remain: a few entries per stream.
        c.wait_for("all streams trimmed", lambda: untrimmed(cluster) < 6 * 12, 60)
        found = segments(cluster)
        print(f"segments now, and ever: {found}", flush=True)
        c.check(len(found) == 12, f"nine replicas and three relay logs, found {sorted(found)}")
        for log, (now, ever) in found.items():
            c.check(now <= SEGMENTS_MAX, f"{log} has {now} segments")
        c.check(max(ever for _, ever in found.values()) > SEGMENTS_MAX, "nothing was ever released: send more")
        cluster.run("verify", timeout=600)
        # A start from what is left.
        cluster.down()
        cluster.up()
        cluster.run("verify", timeout=600)
        print("nothing is missing, and the logs are small")


main()
