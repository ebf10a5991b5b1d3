# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The mesh under load: its roles as processes on servers that are there."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent


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

    def __init__(self, malla: str, folder: pathlib.Path, definitions: "pathlib.Path | None") -> None:
        self.port = free_ports(3)
        self.folder = folder
        environment = common_environment(self.port) | {
            "DATABASE_URL": os.environ["PG_URL"], "SERVICE_API_URL": f"http://127.0.0.1:{self.port + 1}",
            "MESH_TOKEN": "overload-mesh-token", "AWS_ACCESS_KEY": os.environ.get("AWS_ACCESS_KEY", "unused"),
            "AWS_SECRET_KEY": os.environ.get("AWS_SECRET_KEY", "unused"),
            "S3_ENDPOINT": os.environ.get("S3_ENDPOINT", "http://127.0.0.1:9"),
        }
        if definitions:
            environment.update(AI_SERVICE_TOKEN="overload-token", APPS_DIR=str(definitions / "apps"), SERVICES_DIR=str(definitions / "services"))
        names = [folder.name for folder in sorted((definitions or ROOT).joinpath("services").iterdir())]
        services = ["--service", *(names if definitions else ["echo-1", "echo-2", "echo-3"])]
        self.processes: "dict[str, subprocess.Popen[bytes]]" = {}
        for role, extra in (("app-api", ["--host", "127.0.0.1"]), ("service-api", services), ("worker", services)):
            log = open(folder / f"{role}.log", "wb")
            self.processes[role] = subprocess.Popen([malla, role, *extra], env=environment, stderr=log, cwd=ROOT)

    def wait_ready(self) -> None:
        """Until all three answer."""
        for port in range(self.port, self.port + 3):
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
    """All roles in one process, without a server."""

    def __init__(self, malla: str, folder: pathlib.Path) -> None:
        self.port = free_ports(3)
        self.folder = folder
        environment = common_environment(self.port)
        for name in ("MARKETPLACE_CALLBACK", "DATABASE_URL", "AMQP_URL", "REDIS_URL", "S3_ENDPOINT"):
            environment.pop(name, None)
        log = open(folder / "dev.log", "wb")
        words = [malla, "dev", "--port", str(self.port), "--data", str(folder / "data")]
        self.processes = {"dev": subprocess.Popen(words, env=environment, stderr=log, stdout=log, cwd=ROOT)}

    def wait_ready(self) -> None:
        """Until the App API answers."""
        self.wait_for(self.port)
