"""The cluster as processes of this machine, each started, killed and stopped by its name: sh, sh-replica-1, wan."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
import tomllib
import urllib.request

import cluster as c
import disks
import wan

DISK_MIB = 600  # of a replica whose disk is to become full


class ProcessBackend:
    name = "process"

    def __init__(self, root, scenario):
        self.bin = os.environ["HOMEPORT_BIN"]
        self.root = root
        self.data = os.path.join(root, "data")
        self.logs = os.path.join(root, "logs")
        self.scenario = scenario
        self.children = {}  # name -> Popen
        self.down = set()  # those that are not started again
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.mounts = []

    # ---- life

    def start(self):
        os.makedirs(self.logs)
        self.run_program("homeport", "init", "--data", self.data, "--wan")
        self.config = os.path.join(self.data, "cluster.toml")
        with open(self.config) as file:
            text = file.read()
        with open(self.config, "w") as file:
            file.write("".join(f"{key} = {json.dumps(value)}\n" for key, value in self.scenario.cluster.items()) + text)
        with open(self.config, "rb") as file:
            self.regions = {region["name"]: region for region in tomllib.load(file)["region"]}
        self.wan = wan.of(self)
        for fault in self.scenario.faults:
            if fault.do == "fill_disk":
                for name in fault.target:
                    self.give_small_disk(name)
        for name in self.names():
            self.launch(name)
        self.watcher.start()
        self.wait_ready()

    def wait_ready(self, seconds=60):
        for region in self.regions.values():
            c.wait_for(f"{region['name']} is ready", lambda: self.answers(region["http"], "/readyz"), seconds)

    def stop(self):
        self.stopping.set()
        if self.watcher.is_alive():
            self.watcher.join()
        with self.lock:
            for child in self.children.values():
                if child.poll() is None:
                    child.send_signal(signal.SIGCONT)
                    child.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + 15
            for child in self.children.values():
                try:
                    child.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        for path in self.mounts:
            subprocess.run(["umount", "-l", path], capture_output=True)

    def remove_data(self):
        shutil.rmtree(self.data, ignore_errors=True)

    # ---- processes

    def names(self):
        return ["wan"] + [f"{region}-replica-{number}" for region in self.regions for number in (1, 2, 3)] + list(self.regions)

    def command(self, name, *more):
        if name == "wan":
            return [f"{self.bin}/homeport-wan", "--cluster", self.config, "--config", f"{self.data}/wan.toml"]
        region, _, number = name.partition("-replica-")
        role = ["--role", "replica", "--replica", number] if number else ["--role", "region"]
        return [f"{self.bin}/homeportd", "--config", self.config, "--region", region, *role, *more]

    def launch(self, name, *more):
        with open(os.path.join(self.logs, f"{name}.log"), "ab") as log:
            self.children[name] = subprocess.Popen(self.command(name, *more), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def watch(self):
        """Starts again what ended by itself, as any supervisor does."""
        while not self.stopping.wait(0.2):
            with self.lock:
                for name, child in self.children.items():
                    if child.poll() is not None and name not in self.down:
                        self.launch(name)

    def kill(self, name):
        with self.lock:
            self.down.add(name)
            self.children[name].kill()
            self.children[name].wait()

    def start_again(self, name, *more):
        with self.lock:
            if name in self.down:
                self.down.discard(name)
                self.launch(name, *more)

    # A paused one dies by a kill, and is not started meanwhile: resume is harmless for all.
    def pause(self, name):
        self.children[name].send_signal(signal.SIGSTOP)

    def resume(self, name):
        self.children[name].send_signal(signal.SIGCONT)

    def lose_disk(self, name):
        """Its directory is gone; it is started on an empty one, as an operator would."""
        self.kill(name)
        directory = self.directory(name)
        os.rename(directory, directory + ".lost")
        self.start_again(name, "--replace")

    # ---- disks

    def directory(self, name):
        region, _, number = name.partition("-replica-")
        return os.path.join(self.data, region, f"replica-{number}")

    def give_small_disk(self, name):
        path = self.directory(name)
        if path in self.mounts:
            return
        os.rename(path, path + ".made")
        os.mkdir(path)
        disks.mount(path, DISK_MIB)
        self.mounts.append(path)
        shutil.copytree(path + ".made", path, dirs_exist_ok=True)

    def fill_disk(self, name):
        disks.fill(os.path.join(self.directory(name), "ballast"))

    def free_disk(self, name):
        os.remove(os.path.join(self.directory(name), "ballast"))

    def heal(self):
        for path in self.mounts:
            if os.path.exists(os.path.join(path, "ballast")):
                os.remove(os.path.join(path, "ballast"))
        with self.lock:
            down = list(self.down)
        for name in self.names():
            if name not in down:
                self.resume(name)
        for name in down:
            self.start_again(name)

    # ---- what is asked of it

    def api(self, region):
        return self.regions[region]["api"]

    def metrics_addresses(self):
        """{name: address} of all that has /metrics."""
        addresses = {}
        for name, region in self.regions.items():
            addresses[name] = region["http"]
            for number, replica in enumerate(region["replica"], 1):
                addresses[f"{name}-replica-{number}"] = replica["http"]
        return addresses

    @staticmethod
    def answers(address, path):
        try:
            return urllib.request.urlopen(f"http://{address}{path}", timeout=2).read().decode()
        except OSError:
            return None

    def run_program(self, program, *args, timeout=300):
        return subprocess.run([f"{self.bin}/{program}", *args], capture_output=True, timeout=timeout)

    def homeport(self, *args, timeout=300):
        return self.run_program("homeport", *args, "--config", self.config, timeout=timeout)

    def collect_logs(self):
        """They are there already."""
