"""`homeportd --role gateway`: two gateways more of a region: any serves any request, by HTTP and by ZeroMQ; one is killed, the
region is killed; limits hold."""

import json
import os
import random
import re
import signal
import subprocess
import urllib.request

import api
import api_cluster
import cluster as c
import zmtp


class Gateway:
    def __init__(self, cluster, number):
        self.log = os.path.join(cluster.data, "logs", f"gateway-{number}.log")
        self.process = subprocess.Popen(
            [os.path.join(os.environ["HOMEPORT_BIN"], "homeportd"), "--config", os.path.join(cluster.data, "cluster.toml"),
             "--region", "sh", "--role", "gateway", "--gateway", "tcp://127.0.0.1:0", "--api", "127.0.0.1:0", "--http",
             "127.0.0.1:0", "--log-file", self.log])
        line = c.wait_for("the gateway listens", self.started)
        self.endpoint, self.api, self.http = (re.search(rf"\b{key}=(\S+)", line)[1] for key in ("gateway", "api", "http"))
        c.wait_for("the gateway is ready", self.ready)

    def started(self):
        try:
            with open(self.log) as log:
                return next((line for line in log if "gateway_started" in line), None)
        except FileNotFoundError:
            return None

    def ready(self):
        try:
            return urllib.request.urlopen(f"http://{self.http}/readyz", timeout=10).status == 200
        except OSError:
            return False

    def config(self, cluster):
        """A configuration in which this is the region's gateway, for C++ clients."""
        with open(os.path.join(cluster.data, "cluster.toml")) as f:
            text = f.read()
        old = api_cluster.value("gateway", "sh", text)
        path = os.path.join(cluster.root, f"through-{self.process.pid}.toml")
        with open(path, "w") as f:
            f.write(text.replace(old, self.endpoint))
        return path

    def end(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(timeout=60)


def homeport(cluster, config, *args):
    done = subprocess.run([cluster.bin, *args, "--config", config, "--via", "sh", "--output", "json"], capture_output=True,
                          timeout=120)
    c.check(done.returncode == 0, f"{args}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def main():
    with api_cluster.start() as (cluster, urls):
        one, two = Gateway(cluster, 1), Gateway(cluster, 2)
        try:
            serve(cluster, urls, one, two)
        finally:
            for gateway in (one, two):
                if gateway.process.poll() is None:
                    gateway.end(signal.SIGKILL)


def serve(cluster, urls, one, two):
    alice, bob = api.create(one.api, "user", "alice"), api.create(urls["hk"], "user", "bob")
    message = {"from": alice, "client_message_id": "1", "to": bob, "text": "through a gateway"}
    sent = api.Api(one.api).must("POST", "/v1/send", message)
    c.check(api.Api(two.api).must("POST", "/v1/send", message) == sent, "the same message through the other one")
    status, problem = api.Api(two.api).post("/v1/sync", {"user": bob})
    c.check(status == 421 and problem["home"]["api"] == urls["hk"], problem)

    # C++ clients through the relay, each with numbers of its own that begin alike.
    ways = [gateway.config(cluster) for gateway in (one, two)]
    for number in range(6):
        homeport(cluster, ways[number % 2], "send", "--from", "alice", "--to", "bob", f"relayed {number}")
    texts = [m["text"] for m in homeport(cluster, ways[0], "sync", "bob")["messages"]]
    c.check(texts == ["through a gateway"] + [f"relayed {n}" for n in range(6)], texts)

    # A wait for news held through a gateway, whose region is killed under it.
    snapshot = api.Api(one.api).must("POST", "/v1/sync", {"user": alice})["snapshot"]
    c.check(api.register(one.api, alice, 5) == 1, "a device")
    live = api.WebSocket(one.api)
    live.send({"subscribe": {"user": alice, "device": 1, "snapshot": ""}})
    c.check("news" in live.receive(), "who never synced is told to")
    synced = live.ask("sync", {"user": alice, "device": 1})["sync"]
    c.check(synced["messages"] == [] and snapshot != synced["snapshot"], synced)
    pid = cluster.kill("all", "sh")
    cluster.restarted("all", "sh", None, pid)
    hk = api.Api(urls["hk"])
    hk.must("POST", "/v1/send", {"from": bob, "client_message_id": "1", "to": alice, "text": "back"})
    live.sock.settimeout(20)  # waits are sent again after 30 s; the new connection is noticed sooner
    c.check("news" in live.receive(), "news through the gateway soon after the restart")
    c.check(live.ask("sync", {"user": alice, "device": 1, "snapshot": synced["snapshot"]})["sync"]["messages"][0]["text"]
            == "back", "and the message")
    live.close()

    # Garbage through the relay reaches nobody.
    chance = random.Random(3)
    sock = zmtp.dealer(one.endpoint)
    for _ in range(300):
        sock.sendall(zmtp.message(chance.randbytes(8 * chance.randint(0, 20))))
    sock.close()
    c.wait_for("garbage is counted", lambda: metric(one, "malformed_total") > 50)
    c.check(one.process.poll() is None, "the gateway lives")

    # One gateway dies: the other serves; a gateway that is stopped ends in order.
    one.end(signal.SIGKILL)
    c.check(api.Api(two.api).must("POST", "/v1/send", message) == sent, "the other one serves")
    c.check(two.end() == 0, "SIGTERM")

    # Without its addresses it does not start.
    done = subprocess.run([os.path.join(os.environ["HOMEPORT_BIN"], "homeportd"), "--config",
                           os.path.join(cluster.data, "cluster.toml"), "--region", "sh", "--role", "gateway"],
                          capture_output=True, timeout=60)
    c.check(done.returncode != 0 and b"--gateway" in done.stderr, done.stderr)


def metric(gateway, name):
    text = urllib.request.urlopen(f"http://{gateway.http}/metrics", timeout=10).read().decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith("homeport_relay_" + name))


main()
