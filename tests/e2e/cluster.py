"""A local cluster of real processes for the end-to-end tests: started, asked and killed through the CLI alone."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def skip(why):
    print(f"SKIPPED: {why}")
    sys.exit(SKIPPED)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_for(what, condition, seconds=60):
    """Waits for a condition with a deadline; the poll interval is not part of any result."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.1)


class CommandFailed(AssertionError):
    def __init__(self, args, done):
        super().__init__(f"homeport {' '.join(map(str, args))}: exit {done.returncode}\n"
                         f"{done.stdout[-2000:]!r}\n{done.stderr[-2000:]!r}")
        self.exit_code = done.returncode
        self.stderr = done.stderr.decode(errors="replace")


class Cluster:
    """`with Cluster(processes=True) as c:` starts three regions in a temporary directory and stops them at the end.

    On failure the directory is kept and its path printed.
    """

    def __init__(self, processes=True, regions="sh,hk,ca", up=True):
        self.bin = os.path.join(os.environ["HOMEPORT_BIN"], "homeport")
        self.root = tempfile.mkdtemp(prefix="homeport-e2e-", dir=os.environ.get("HOMEPORT_TMP"))
        self.data = os.path.join(self.root, "data")
        self.regions = regions
        self.processes_mode = processes
        self.start_now = up

    def __enter__(self):
        if self.start_now:
            try:
                self.up()
            except BaseException:
                self.__exit__(*sys.exc_info())
                raise
        return self

    def __exit__(self, kind, value, trace):
        subprocess.run([self.bin, "down", "--data", self.data], capture_output=True, timeout=120)
        if kind is None:
            shutil.rmtree(self.root, ignore_errors=True)
        else:
            print(f"FAILED; data and logs are kept in {self.root}", flush=True)

    def up(self):
        args = ["up", "--detach", "--regions", self.regions]
        if self.processes_mode:
            args.append("--processes")
        self.run(*args, timeout=180)

    def down(self):
        self.run("down", timeout=120)

    def command(self, args):
        return [self.bin, *map(str, args), "--data", self.data]

    def run(self, *args, stdin=b"", timeout=120):
        done = subprocess.run(self.command(args), input=stdin, capture_output=True, timeout=timeout)
        if done.returncode != 0:
            raise CommandFailed(args, done)
        return done.stdout

    def json(self, *args, stdin=b"", timeout=120):
        return json.loads(self.run(*args, "--output", "json", stdin=stdin, timeout=timeout))

    def start(self, *args):
        """A command that goes on in the background, its output in files."""
        out = open(os.path.join(self.root, f"{args[0]}.out"), "wb")
        err = open(os.path.join(self.root, f"{args[0]}.err"), "wb")
        return subprocess.Popen(self.command(args), stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    # ---- processes

    def processes(self):
        with open(os.path.join(self.data, "up.json"), "rb") as state:
            return json.load(state)["processes"]

    def find(self, role, region, replica=None):
        for process in self.processes():
            if (process["role"] == role and process["region"] == region
                    and (replica is None or process.get("replica") == replica)):
                return process
        raise AssertionError(f"no {role} of {region} {replica or ''} in up.json")

    def kill(self, role, region, replica=None):
        """kill -9; the supervisor starts it again."""
        process = self.find(role, region, replica)
        os.kill(process["pid"], signal.SIGKILL)
        return process["pid"]

    def restarted(self, role, region, replica, old_pid, seconds=60):
        def alive():
            pid = self.find(role, region, replica)["pid"]
            return pid != old_pid and pid > 0 and os.path.exists(f"/proc/{pid}")
        wait_for(f"{role} {region} {replica or ''} restarted", alive, seconds)

    def endpoints(self):
        """All ZeroMQ endpoints and all addresses with /metrics of the cluster."""
        with open(os.path.join(self.data, "cluster.toml")) as config:
            text = config.read()
        return (re.findall(r'"(tcp://127\.0\.0\.1:\d+)"', text),
                re.findall(r'http = "(127\.0\.0\.1:\d+)"', text))

    # ---- what regions hold

    def equal(self):
        """Whether all of them hold the same."""
        try:
            self.run("verify")
            return True
        except CommandFailed:
            return False

    # ---- what users see

    def inbox(self, user, timeout=120):
        """All messages of a user as (sender bytes, body bytes), in the order of sync."""
        answer = self.json("sync", user, timeout=timeout)
        return [(as_bytes(m["from"]), body(m)) for m in answer["messages"]], answer


def body(message):
    import base64
    if "base64" in message:
        return base64.b64decode(message["base64"])
    return message["text"].encode()


def as_bytes(name):
    return name.encode("utf-8", "surrogateescape")


def log_files(count):
    """Real chat logs, if they are on this machine."""
    folder = os.environ.get("HOMEPORT_IRC_LOGS", "")
    if not os.path.isdir(folder):
        skip("no real chat logs here (HOMEPORT_IRC_LOGS)")
    files = sorted(f for f in os.listdir(folder) if f.endswith(".raw.txt"))
    return [os.path.join(folder, f) for f in files[:count]]
