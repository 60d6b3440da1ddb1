"""The cluster as containers: docker/compose.yaml. Its names are the same as those of processes."""

import os
import subprocess
import tomllib

import backend_process
import wan

COMPOSE = os.path.join(os.path.dirname(__file__), "..", "..", "docker", "compose.yaml")


class DockerBackend(backend_process.ProcessBackend):
    name = "docker"
    project = "homeport-scenario"

    def compose(self, *args, check=True):
        tool = ["docker-compose"] if os.environ.get("HOMEPORT_COMPOSE") != "plugin" else ["docker", "compose"]
        done = subprocess.run([*tool, "-p", self.project, "-f", COMPOSE, *args], capture_output=True, timeout=600)
        if check and done.returncode != 0:
            raise AssertionError(f"docker-compose {' '.join(args)}: {done.stderr.decode()[-2000:]}")
        return done.stdout

    def docker(self, *args):
        done = subprocess.run(["docker", *args], capture_output=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"docker {' '.join(args)}: {done.stderr.decode()[-1000:]}")
        return done.stdout

    def start(self):
        os.makedirs(self.logs)
        os.makedirs(self.data)
        self.compose("down", "-v", "--remove-orphans")
        self.compose("up", "-d")
        self.containers = {}
        listed = self.docker("ps", "-a", "--filter", f"label=com.docker.compose.project={self.project}", "--format",
                             '{{.Label "com.docker.compose.service"}} {{.ID}}')
        for line in listed.decode().splitlines():
            name, container = line.split()
            self.containers[name] = container
        self.paused = set()
        # The containers' addresses are reached from here, so the command line of this machine serves.
        self.config = os.path.join(self.data, "cluster.toml")
        with open(self.config, "wb") as file:
            file.write(self.docker("exec", "-u", "root", self.containers["wan"], "cat", "/etc/homeport/cluster.toml"))
        with open(self.config, "rb") as file:
            self.regions = {region["name"]: region for region in tomllib.load(file)["region"]}
        self.wan = wan.Wan("10.77.11.2:7127")
        self.wait_ready(120)

    def stop(self):
        self.compose("down", "-v", "--remove-orphans", check=False)

    def kill(self, name):
        self.down.add(name)
        self.docker("kill", self.containers[name])

    def start_again(self, name, *more):
        if name in self.down:
            self.docker("start", self.containers[name])
            self.down.discard(name)

    def pause(self, name):
        self.docker("pause", self.containers[name])
        self.paused.add(name)

    def resume(self, name):
        if name in self.paused:
            self.docker("unpause", self.containers[name])
            self.paused.discard(name)

    def collect_logs(self):
        for name, container in self.containers.items():
            with open(os.path.join(self.logs, f"{name}.log"), "wb") as log:
                subprocess.run(["docker", "logs", container], stdout=log, stderr=log, timeout=60)
