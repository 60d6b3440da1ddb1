"""Small file systems that become full."""

import os
import subprocess

import cluster as c


def mount(path, mib):
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", path], capture_output=True)
    if done.returncode != 0:
        c.skip(f"cannot mount a file system here: {done.stderr.decode().strip()}")


def fill(path):
    """Takes all the space there is, and what gets free while taking it."""
    with open(path, "ab") as ballast:
        for size in (1 << 20, 1 << 12, 1):
            while True:
                try:
                    os.write(ballast.fileno(), b"\1" * size)
                except OSError:
                    break
