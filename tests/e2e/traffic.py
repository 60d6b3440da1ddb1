"""Messages that flow from alice to bob, numbered, and what replicas and daemons say of themselves meanwhile."""

import os
import re
import threading
import urllib.request

import cluster as c

BODY = b"0123456789abcdef" * 100


def metric(address, name):
    """Sum over all labels; None when nobody answers there."""
    try:
        text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
    except OSError:
        return None
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return sum(float(value) for value in values) if values else None


class Sender(threading.Thread):
    """Sends one message after the other; each until it is acknowledged."""

    def __init__(self, cluster):
        super().__init__()
        self.cluster = cluster
        self.stop = threading.Event()
        self.sent = []
        self.failed = None

    def run(self):
        number = 0
        while not self.stop.is_set():
            body = b"%06d " % number + BODY
            try:
                self.cluster.run("send", "--from", "alice", "--to", "bob", stdin=body)
                self.sent.append(number)
            except c.CommandFailed as failed:
                # The outcome of this one is unknown: its number is not used again.
                if "NO_QUORUM" not in failed.stderr and "UNAVAILABLE" not in failed.stderr:
                    self.failed = failed
                    return
            number += 1

    def flows(self, what, more=5):
        """Waits until that many more were acknowledged."""
        known = len(self.sent)
        c.wait_for(what, lambda: len(self.sent) > known + more or self.failed, 120)
        c.check(self.failed is None, f"sending failed: {self.failed}")


def numbers(cluster):
    return [int(body[:6]) for _, body in cluster.inbox("bob")[0]]


def http_of(cluster, region):
    """HTTP addresses of a region: its daemon's, then those of its replicas, in order."""
    with open(os.path.join(cluster.data, "cluster.toml")) as config:
        parts = config.read().split("[[region]]")
    part = next(p for p in parts if re.search(rf'(?m)^name = "{region}"', p))
    return re.findall(r'(?m)^http = "(127\.0\.0\.1:\d+)"', part)


def read(cluster):
    """The numbers, or None while the region does not serve."""
    try:
        return numbers(cluster)
    except c.CommandFailed:
        return None
