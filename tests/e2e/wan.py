"""Speaks to a WAN box; tests/wan/README.md has the commands."""

import json
import os
import re
import socket

import cluster as c


class Wan:
    """`Wan("127.0.0.1:9000")("cut sh<>hk")` tells it one command and gives its answer."""

    def __init__(self, address):
        self.address = address

    def __call__(self, command):
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as control:
            control.sendall(command.encode() + b"\n")
            answer = json.loads(control.makefile().readline())
        c.check(answer["ok"], answer)
        return answer


def of(cluster):
    with open(os.path.join(cluster.data, "wan.toml")) as config:
        return Wan(re.search(r'control = "([^"]+)"', config.read()).group(1))
