#!/usr/bin/env python3
"""Memory of a region's process per idle client: `bench/idle_connections.py [COUNT]`, with HOMEPORT_BIN=build/bin.

Starts a region, opens COUNT WebSockets that wait for news, then COUNT ZeroMQ connections that do, and prints by how much the process grew.
"""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))

import api  # noqa: E402
import api_cluster  # noqa: E402
import cluster as c  # noqa: E402
import zmtp  # noqa: E402


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def at_rest(pid):
    """Once it no longer grows."""
    before = resident_kib(pid)
    while True:
        time.sleep(2)
        now = resident_kib(pid)
        if now <= before + 64:
            return now
        before = now


def held(cluster):
    import urllib.request
    text = urllib.request.urlopen(f"http://{api_cluster.http_of(cluster, 'sh')}/metrics", timeout=30).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("homeport_region_long_polls{"))


def await_news(user, snapshot):
    """One request as bytes; every connection may send the same."""
    text = (f'(version = 1, number = 1, awaitNews = (newsUser = {user}, newsSnapshot = "{snapshot}", newsWaitMs = 300000))')
    return subprocess.run(["capnp", "encode", os.path.join(HERE, "..", "router", "client.capnp"), "Request"],
                          input=text.encode(), capture_output=True, check=True).stdout


def grow(cluster, pid, count, what, connect):
    before, had = at_rest(pid), held(cluster)
    connections = [connect() for _ in range(count)]
    c.wait_for(f"{count} wait", lambda: held(cluster) >= had + count, 120)
    grown = at_rest(pid) - before
    print(f"{what}: {count} connections, {grown} KiB, {grown / count:.1f} KiB each", flush=True)
    return connections


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with api_cluster.start() as (cluster, urls):
        user = api.create(urls["sh"], "user", "alice")
        snapshot = api.Api(urls["sh"]).must("POST", "/v1/sync", {"user": user})["snapshot"]
        pid = cluster.find("all", "sh")["pid"]
        endpoint = api_cluster.zmq_of(cluster, "sh")

        def stream():
            socket = api.WebSocket(urls["sh"])
            socket.send({"subscribe": {"user": user, "snapshot": snapshot}})
            return socket
        request = zmtp.message(await_news(user, snapshot))

        def zmq():
            socket = zmtp.dealer(endpoint)
            socket.sendall(request)
            return socket
        streams = grow(cluster, pid, count, "WebSocket", stream)
        dealers = grow(cluster, pid, count, "ZeroMQ", zmq)
        for one in streams + dealers:
            one.close()


main()
