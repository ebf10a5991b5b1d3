# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The mesh under load: its roles as processes on servers that are there."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The services of the app `bench`, whose handlers are Malla's own.
BENCH_SERVICES = ["echo-1", "echo-2", "echo-3"]


def free_ports(count: int) -> int:
    """The first of so many free ports in a row."""
    for base in range(31000, 60000, 7):
        held = []
        try:
            for port in range(base, base + count):
                held.append(socket.create_server(("127.0.0.1", port)))
            return base
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
    raise SystemExit("there are no free ports")


def processor_seconds(roots: "list[int]") -> float:
    """What these processes and all that descend from them have used."""
    parents, ticks = {}, {}
    for entry in pathlib.Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split() if entry.name.isdigit() else []
        except OSError:
            continue
        if fields:
            parents[int(entry.name)] = int(fields[1])
            ticks[int(entry.name)] = sum(map(int, fields[11:15]))

    def descends(pid: int) -> bool:
        while pid > 1:
            if pid in roots:
                return True
            pid = parents.get(pid, 0)
        return False

    return sum(used for pid, used in ticks.items() if descends(pid)) / os.sysconf("SC_CLK_TCK")


def common_environment(port: int) -> "dict[str, str]":
    """What every role gets: three ports in a row on loopback, and the generator's token."""
    return os.environ | {
        "APP_API_PORT": str(port), "HTTP_PORT": str(port + 1), "WORKER_HTTP_PORT": str(port + 2),
        "HTTP_HOST": "127.0.0.1", "WORKER_HTTP_HOST": "127.0.0.1", "MARKETPLACE_TOKEN": "overload-token",
        "CALLBACK_ALLOW_NETWORKS": "127.0.0.0/8", "LOG_LEVEL": os.environ.get("LOG_LEVEL", "notice"),
        "CALLBACK_SECRET": "whsec_YmVuY2htYXJrLXNlY3JldC1ub3QtYS1yZWFsLW9uZQ==",
    }


class Mesh:
    """The roles as processes."""

    def __init__(
        self, malla: str, folder: pathlib.Path, definitions: "pathlib.Path | None", app_apis: int = 1, workers: int = 1
    ) -> None:
        self.malla, self.folder = malla, folder
        self.port = free_ports(app_apis + 1 + max(1, workers))
        # An App API, the Service API and a worker on ports in a row, then those that there are more of.
        self.environment = common_environment(self.port) | {
            "DATABASE_URL": os.environ["PG_URL"], "SERVICE_API_URL": f"http://127.0.0.1:{self.port + 1}",
            "MESH_TOKEN": "overload-mesh-token", "AWS_ACCESS_KEY": os.environ.get("AWS_ACCESS_KEY", "unused"),
            "AWS_SECRET_KEY": os.environ.get("AWS_SECRET_KEY", "unused"),
            "S3_ENDPOINT": os.environ.get("S3_ENDPOINT", "http://127.0.0.1:9"),
        }
        if definitions:
            self.environment.update(AI_SERVICE_TOKEN="overload-token", APPS_DIR=str(definitions / "apps"), SERVICES_DIR=str(definitions / "services"))
        names = [folder.name for folder in sorted((definitions or ROOT).joinpath("services").iterdir())]
        self.services = names if definitions else BENCH_SERVICES
        self.processes: "dict[str, subprocess.Popen[bytes]]" = {}
        self.ports: "dict[str, int]" = {}
        for role in ["app-api", "service-api"] + ["worker"] * workers + ["app-api"] * (app_apis - 1):
            self.add(role)

    @property
    def entrances(self) -> "list[int]":
        """The ports of the App APIs."""
        return [port for name, port in self.ports.items() if name.startswith("app-api")]

    def add(self, role: str) -> None:
        """Starts one more process of a role."""
        name = role if role not in self.processes else f"{role}-{len(self.processes)}"
        port = self.port + len(self.processes)
        variable = {"app-api": "APP_API_PORT", "service-api": "HTTP_PORT", "worker": "WORKER_HTTP_PORT"}[role]
        words = ["--host", "127.0.0.1"] if role == "app-api" else ["--service", *self.services]
        with open(self.folder / f"{name}.log", "wb") as log:
            self.processes[name] = subprocess.Popen(
                [self.malla, role, *words], env=self.environment | {variable: str(port)}, stderr=log, cwd=ROOT
            )
        self.ports[name] = port

    def __enter__(self) -> "Mesh":
        """The mesh once it is ready."""
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self.stop()

    def wait_ready(self) -> None:
        """Until all answer."""
        for port in self.ports.values():
            self.wait_for(port)

    def wait_for(self, port: int) -> None:
        """Waits for a role that says it is ready."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"nothing is ready on port {port}; see {self.folder}")

    def pids(self) -> "list[int]":
        """The roles' processes."""
        return [process.pid for process in self.processes.values()]

    def memory(self) -> "dict[str, int]":
        """The resident memory of each role in KiB."""
        sizes = {}
        for role, process in self.processes.items():
            try:
                text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                sizes[role] = int(re.search(r"VmRSS:\s+(\d+)", text)[1])
            except (OSError, TypeError):
                sizes[role] = 0
        return sizes

    def waiting(self) -> int:
        """The waiting jobs, as the Service API counts them."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port + 1}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return -1
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in text.splitlines()
                   if line.startswith("malla_jobs_waiting{"))

    def stop(self) -> None:
        """Ends what was started."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()


class Embedded(Mesh):
    """All roles in one process, without a server; like a mesh of processes it runs no handler of Python beside the load."""

    def __init__(self, malla: str, folder: pathlib.Path) -> None:
        self.port = free_ports(3)
        self.folder = folder
        environment = common_environment(self.port)
        for name in ("MARKETPLACE_CALLBACK", "DATABASE_URL", "AMQP_URL", "REDIS_URL", "S3_ENDPOINT"):
            environment.pop(name, None)
        shutil.copytree(ROOT / "apps/bench", folder / "apps/bench")
        for name in BENCH_SERVICES:
            shutil.copytree(ROOT / "services" / name, folder / "services" / name)
        environment.update(APPS_DIR=str(folder / "apps"), SERVICES_DIR=str(folder / "services"))
        log = open(folder / "dev.log", "wb")
        words = [malla, "dev", "--port", str(self.port), "--data", str(folder / "data")]
        self.processes = {"dev": subprocess.Popen(words, env=environment, stderr=log, stdout=log, cwd=ROOT)}
        self.ports = {"app-api": self.port}
