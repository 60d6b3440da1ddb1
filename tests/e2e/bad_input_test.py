"""Whatever comes in over a socket, from a directory or from a configuration: told, counted or dropped; never a crash."""

import os
import random
import re
import shutil
import struct
import subprocess
import urllib.request

import cluster as c
import zmtp


def garbage(chance):
    """Frames that are no messages of ours: random, truncated, oversized, of unknown versions."""
    yield (b"",)
    yield (b"\0" * 8,)
    yield (b"\0" * 7,)
    yield tuple(b"x" for _ in range(200))
    yield (struct.pack("<IIQ", 0, 1, 0),)                       # a null root pointer
    yield (struct.pack("<IIQQQ", 0, 3, 0x0000000100000001, 9999, 0),)   # a root struct of version 9999
    yield (struct.pack("<II", 0xffffffff, 0xffffffff),)         # absurd segment count
    yield (b"\0" * (1 << 20),)
    for _ in range(300):
        yield tuple(chance.randbytes(8 * chance.randint(0, 40)) for _ in range(chance.randint(1, 3)))


def send_garbage(endpoint, seed):
    chance = random.Random(seed)
    for bodies in garbage(chance):
        try:
            sock = zmtp.dealer(endpoint)
            sock.sendall(zmtp.message(*bodies))
            sock.close()
        except (ConnectionError, OSError):
            pass  # it may well hang up on us
    sock = zmtp.dealer(endpoint)
    for bodies in garbage(chance):  # all on one connection
        try:
            sock.sendall(zmtp.message(*bodies))
        except (ConnectionError, OSError):
            sock = zmtp.dealer(endpoint)
    sock.close()
    # An oversized frame, announced only, and bytes that are not even ZMTP.
    sock = zmtp.dealer(endpoint)
    sock.sendall(struct.pack(">BQ", 2, 1 << 40) + b"x" * 100)
    sock.close()
    sock = zmtp.connect(endpoint)
    sock.sendall(chance.randbytes(5000))
    sock.close()


def sockets_survive(cluster):
    before = {p["pid"] for p in cluster.processes()}
    zmq, http = cluster.endpoints()
    c.check(len(zmq) >= 12, f"12 sockets in cluster.toml, found {zmq}")
    for i, endpoint in enumerate(zmq):
        send_garbage(endpoint, seed=i)
    for address in http:
        sock = zmtp.connect("tcp://" + address)
        sock.sendall(b"\0\xff" * 5000 + b"\r\n\r\n")
        sock.close()
    c.check({p["pid"] for p in cluster.processes()} == before, "a process died of garbage")
    cluster.run("send", "--from", "alice", "--to", "bob", "still here")
    c.check(cluster.inbox("bob")[0] == [(b"alice", b"still here")], "bob has the message")
    malformed = 0
    for address in http:
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
        for line in text.splitlines():
            if "malformed" in line and not line.startswith("#"):
                malformed += float(line.rsplit(" ", 1)[1])
    c.check(malformed > 100, f"malformed frames are counted, found {malformed}")


def requests_refused(cluster):
    def refused(*args, code, stdin=b""):
        try:
            cluster.run(*args, stdin=stdin)
        except c.CommandFailed as failed:
            c.check(code in failed.stderr, f"{args}: expected {code}, got {failed.stderr}")
            return
        raise AssertionError(f"{args} was not refused")
    refused("send", "--from", "alice", "--to", "bob", code="TOO_LARGE", stdin=b"x" * 65537)
    cluster.run("send", "--from", "alice", "--to", "bob", stdin=b"x" * 65536)
    refused("send", "--from", "nobody", "--to", "bob", "hi", code="nobody")
    refused("send", "--from", "alice", "--to", "nobody", "hi", code="nobody")
    refused("sync", "bob", "--snapshot", "garbage", code="BAD_REQUEST")
    refused("user", "create", "alice", "--home", "hk", code="TAKEN")
    refused("user", "create", "x" * 65, "--home", "hk", code="TOO_LARGE")
    refused("user", "create", "a\tb", "--home", "hk", code="BAD_REQUEST")
    refused("user", "create", "mallory", "--home", "mars", code="mars")
    alice = cluster.json("sync", "alice")["snapshot"]
    refused("sync", "bob", "--snapshot", alice, code="BAD_REQUEST")


def daemon(cluster, *args):
    done = subprocess.run([os.path.join(os.environ["HOMEPORT_BIN"], "homeportd"), *args],
                          capture_output=True, timeout=60)
    return done.returncode, done.stderr.decode(errors="replace") + done.stdout.decode(errors="replace")


def directories_and_configurations(cluster):
    config = os.path.join(cluster.data, "cluster.toml")
    with open(config) as f:
        good = f.read()
    code, said = daemon(cluster, "--config", config, "--region", "sh", "--role", "region")
    c.check(code != 0 and "in use" in said, f"second daemon on one directory: {code} {said}")
    code, said = daemon(cluster, "--config", config, "--region", "sh", "--role", "replica", "--replica", "1")
    c.check(code != 0 and "in use" in said, f"second replica on one directory: {code} {said}")
    cluster.down()

    def with_config(text, *args):
        path = os.path.join(cluster.data, "other.toml")
        with open(path, "w") as f:
            f.write(text)
        return daemon(cluster, "--config", path, *args)

    cases = [
        (re.sub(r"(?m)^shards = \d+", "shards = 16", good), "shard"),
        (re.sub(r'(?m)^cluster = "[^"]*"', 'cluster = "ffffffffffffffff"', good), "cluster"),
    ]
    for text, word in cases:
        c.check(text != good, f"cluster.toml has the key {word}")
        for role in (["--role", "region"], ["--role", "replica", "--replica", "2"]):
            code, said = with_config(text, "--region", "sh", *role)
            c.check(code != 0 and word in said, f"other {word}: {code} {said}")
    broken = [
        (good.replace("shards = ", "shards = \"eight\" # "), "shards"),
        (re.sub(r'gateway = "tcp://127.0.0.1:\d+"', "gateway = 7", good, count=1), "gateway"),
        (good + "\nno_such_key = 1\n", "no_such_key"),
        ("this is no toml", "other.toml"),
    ]
    for text, word in broken:
        code, said = with_config(text, "--region", "sh")
        c.check(code != 0 and word in said and "other.toml" in said, f"broken {word}: {code} {said}")
    code, said = daemon(cluster, "--config", config, "--region", "mars")
    c.check(code != 0 and "mars" in said, f"unknown region: {code} {said}")

    # A directory moved to another region's place, and one that lost its identity.
    sh, hk = (os.path.join(cluster.data, r) for r in ("sh", "hk"))
    os.rename(sh, sh + ".away")
    shutil.copytree(hk, sh)
    for role in (["--role", "region"], ["--role", "replica", "--replica", "1"]):
        code, said = daemon(cluster, "--config", config, "--region", "sh", *role)
        c.check(code != 0 and "hk" in said, f"directory of hk in the place of sh: {code} {said}")
    shutil.rmtree(sh)
    os.rename(sh + ".away", sh)
    shutil.rmtree(os.path.join(sh, "replica-3"))
    os.mkdir(os.path.join(sh, "replica-3"))
    code, said = daemon(cluster, "--config", config, "--region", "sh", "--role", "replica", "--replica", "3")
    c.check(code != 0 and "replica-3" in said, f"an emptied replica directory: {code} {said}")


def main():
    with c.Cluster() as cluster:
        cluster.run("user", "create", "alice", "--home", "sh")
        cluster.run("user", "create", "bob", "--home", "hk")
        sockets_survive(cluster)
        requests_refused(cluster)
        cluster.run("verify", timeout=120)
        directories_and_configurations(cluster)


main()
