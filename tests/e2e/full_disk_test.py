"""A full disk: clients are told NO_QUORUM, what was acknowledged stays readable, and when there is space again
everything goes on by itself, without a restart. Needs root, for a small file system of its own."""

import os
import re
import shutil
import subprocess
import urllib.request

import cluster as c
import disks

FILE_SYSTEM_MIB = 1400
BODY = b"0123456789abcdef" * 4000  # 64,000 bytes


def send(cluster, number):
    """True when acknowledged, False when refused with NO_QUORUM."""
    try:
        cluster.run("send", "--from", "alice", "--to", "bob", stdin=b"%06d " % number + BODY)
        return True
    except c.CommandFailed as failed:
        c.check("NO_QUORUM" in failed.stderr, f"a full disk is told as NO_QUORUM, got {failed.stderr}")
        return False


def failed_flushes(cluster):
    """By region: how often its store could not be flushed."""
    failed = []
    for address in cluster.endpoints()[1]:
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
        failed += re.findall(r"^homeport_region_store_flushes_failed_total\S* (\d+)", text, re.MULTILINE)
    return [int(count) for count in failed]


def stays_full(cluster, ballast):
    """Until every store has met the full disk several times, in its own threads too."""
    disks.fill(ballast)
    failed = failed_flushes(cluster)
    return len(failed) == 3 and min(failed) >= 4


def numbers(cluster):
    return [int(body[:6]) for _, body in cluster.inbox("bob")[0]]


def story(cluster):
    cluster.up()
    pids = {p["pid"] for p in cluster.processes()}
    cluster.run("user", "create", "alice", "--home", "sh")
    cluster.run("user", "create", "bob", "--home", "sh")
    acknowledged = [n for n in range(20) if send(cluster, n)]
    c.check(len(acknowledged) == 20, "all is well at first")

    ballast = os.path.join(cluster.root, "ballast")
    number = 20
    while True:
        disks.fill(ballast)  # again and again: what is freed by the cluster itself is taken too
        if not send(cluster, number):
            break
        acknowledged.append(number)
        number += 1
        c.check(number < 5000, "the disk never became full")
    print(f"full after {len(acknowledged)} messages")
    got = numbers(cluster)
    c.check([n for n in got if n != number] == acknowledged, f"reads go on: {len(got)} of {len(acknowledged)}")
    c.wait_for("stores meet the full disk", lambda: stays_full(cluster, ballast), 120)

    os.remove(ballast)
    c.wait_for("accepting again by itself", lambda: send(cluster, 900000), 90)
    c.check({p["pid"] for p in cluster.processes()} == pids, "nothing was restarted")
    cluster.run("verify", timeout=120)
    got = numbers(cluster)
    # The refused ones have an unknown outcome: each is there once or not at all.
    c.check([n for n in got if n in acknowledged] == acknowledged, "what was acknowledged is there, once, in order")
    c.check(len(got) == len(set(got)) or got.count(900000) > 1, "nothing twice")


def main():
    if os.geteuid() != 0:
        c.skip("needs root to mount a small file system")
    cluster = c.Cluster(up=False)
    disks.mount(cluster.root, FILE_SYSTEM_MIB)
    try:
        with cluster:
            story(cluster)
    except BaseException:
        shutil.copytree(os.path.join(cluster.data, "logs"), cluster.root + "-logs")
        print(f"logs are in {cluster.root}-logs")
        raise
    finally:
        subprocess.run(["umount", "-l", cluster.root], capture_output=True)


main()
