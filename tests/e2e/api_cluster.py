"""A cluster for tests of the HTTP API: one process per region, with keys of our own in cluster.toml."""

import contextlib
import json
import os
import re

import cluster as c


@contextlib.contextmanager
def start(**keys):
    """Gives the cluster and {region: URL of its API}."""
    with c.Cluster(processes=False, up=False) as cluster:
        cluster.run("init")
        path = os.path.join(cluster.data, "cluster.toml")
        with open(path) as f:
            text = f.read()
        with open(path, "w") as f:
            f.write("".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()) + text)
        cluster.up()
        yield cluster, {name: f"http://{value('api', name, text)}" for name in cluster.regions.split(",")}


def value(key, region, text):
    """Of a region in the text of cluster.toml."""
    return re.search(rf'(?m)^name = "{region}"\n(?:\w+ = .*\n)*?{key} = "(.*)"$', text)[1]


def http_of(cluster, region):
    return of(cluster, "http", region)


def zmq_of(cluster, region):
    return of(cluster, "gateway", region)


def of(cluster, key, region):
    with open(os.path.join(cluster.data, "cluster.toml")) as f:
        return value(key, region, f.read())
