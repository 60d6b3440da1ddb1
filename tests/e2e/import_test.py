"""Imports IRC logs into three regions of real processes and compares what every user gets with an independent
reading of the same logs: counts, and each inbox byte for byte, in order, each message once.

    import_test.py own|real quiet|faults|live

`own`: the small log in tests/e2e/data, which has every kind of line. `real`: several real logs (HOMEPORT_IRC_FILES=10
for more: 10 are 10 million deliveries).
`faults`: while it runs, replicas are killed with kill -9 all the time, one at a time per region, and each region's
daemon once.
`live`: meanwhile 200 of the users follow their inboxes, each cut off and resumed at random: what they
saw live is the same.
"""

import glob
import json
import os
import random
import sys

import cluster as c
import followers
import irc_reference


def files_for(which):
    if which == "own":
        return sorted(glob.glob(os.path.join(os.path.dirname(__file__), "data", "*.raw.txt")))
    return c.log_files(int(os.environ.get("HOMEPORT_IRC_FILES", "3")))


def kill_things(cluster, importing, seed):
    """Until the import ends: kill a replica or daemon, wait until it is back, go on with the next."""
    chance = random.Random(seed)
    regions = ["sh", "hk", "ca"]
    plan = [("region", r, None) for r in regions]
    kills = 0
    while importing.poll() is None:
        replica = ("replica", chance.choice(regions), chance.randint(1, 3))
        role, region, number = plan.pop() if plan and kills % 3 == 2 else replica
        old = cluster.kill(role, region, number)
        kills += 1
        cluster.restarted(role, region, number, old)
        # The next victim only when this region has its three replicas again, so that two are never down at once.
        c.wait_for(f"{region} ready again", lambda: importing.poll() is not None or
                   region_ready(cluster, region), 90)
    return kills, plan


def region_ready(cluster, region):
    try:
        status = cluster.json("status", timeout=60)
    except c.CommandFailed:
        return False
    state = next(r for r in status["regions"] if r["region"] == region)
    return state["ready"] and all(r["up"] for r in state["replicas"])


def import_logs(cluster, files, faults, seed):
    args = ["import", "irc", *files, "--group", "ubuntu", "--homes", "sh,hk,ca", "--output", "json"]
    importing = cluster.start(*args)
    kills, not_killed = (0, [])
    if faults:
        kills, not_killed = kill_things(cluster, importing, seed)
    importing.wait(timeout=1500)
    with open(os.path.join(cluster.root, "import.err"), "rb") as err:
        c.check(importing.returncode == 0, f"import failed: {err.read()[-2000:]!r}")
    with open(os.path.join(cluster.root, "import.out"), "rb") as out:
        counts = json.load(out)
    if faults:
        print(f"killed {kills} processes during the import")
        c.check(kills >= 3, "the import was over before anything was killed: use more logs")
        c.check(not not_killed or kills < 9, f"daemons that were never killed: {not_killed}")
    return counts


def compare(cluster, expected, counts):
    for name, value in expected.counts.items():
        c.check(counts[name] == value, f"{name}: imported {counts[name]}, expected {value}")
    listed = {c.as_bytes(u["name"]) for u in cluster.json("user", "list")["users"]}
    c.check(listed == set(expected.inbox), f"users differ: {listed ^ set(expected.inbox)}")
    for user, wanted in expected.inbox.items():
        got, _ = cluster.inbox(os.fsdecode(user))
        if got == wanted:
            continue
        first = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b),
                     min(len(got), len(wanted)))
        raise AssertionError(f"inbox of {user}: {len(got)} messages, expected {len(wanted)}; first difference at "
                             f"{first}: got {got[first:first + 2]}, expected {wanted[first:first + 2]}")


def main():
    which, mode = sys.argv[1:3]
    files = files_for(which)
    seed = int(os.environ.get("HOMEPORT_SEED", "20"))
    print(f"files {len(files)}, mode {mode}, seed {seed}", flush=True)
    expected = irc_reference.read_logs(files)
    with c.Cluster() as cluster:
        live = followers.Followers(cluster, 200, seed) if mode == "live" else None
        try:
            counts = import_logs(cluster, files, mode == "faults", seed)
            print(f"imported: {counts}", flush=True)
            cluster.run("verify", timeout=600)
            if live:
                live.check(expected.inbox)
                print(f"{len(live.all)} users followed live and were cut off {live.cuts} times", flush=True)
        finally:
            if live:
                live.end()
        compare(cluster, expected, counts)
        print(f"{len(expected.inbox)} inboxes hold exactly what the logs say")


if __name__ == "__main__":
    main()
