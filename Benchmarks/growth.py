#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""How bench-3 grows: with processes, with the offered load, with a long queue, with a full ledger.

Wants AMQP_URL, REDIS_URL, PG_URL and BENCH_SERVER_PIDS of empty servers, and OVERLOAD_WAIT=0, for nothing may be
refused (scripts/bench.sh --growth brings them). Everything runs on the cores of one machine, the servers and the
generator too. The plots go to the folder that --plots names. Standard library only, and psql.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from overload_load import Load, quantile
from overload_mesh import ROOT, Mesh, processor_seconds
from plot import Axis, chart

# A finished task of bench-3 with all that is its own, copied under other ids into the time before.
FILL = """
CREATE TEMPORARY TABLE sample AS SELECT t.id, c.id AS callback FROM tasks t JOIN callbacks c ON c.task_id = t.id
    WHERE t.finished_at IS NOT NULL AND c.state = 1 ORDER BY t.id LIMIT 1;
CREATE TEMPORARY TABLE numbers AS SELECT n, now() - interval '1 hour' - n * interval '1 ms' AS moment,
    lpad(to_hex(floor(extract(epoch FROM now()) * 1000)::bigint - 3600000 - n), 12, '0') || '7000' AS head,
    lpad(to_hex(n), 12, '0') AS tail FROM generate_series({first}, {last}) AS n;
INSERT INTO tasks SELECT new.* FROM tasks JOIN sample ON tasks.id = sample.id, numbers, LATERAL jsonb_populate_record(tasks,
    jsonb_build_object('id', head || '8000' || tail, 'request', head || tail, 'user_id', 'u' || n % 50,
    'created_at', moment, 'finished_at', moment, 'deadline', moment)) AS new;
INSERT INTO runs SELECT new.* FROM runs JOIN sample ON runs.task_id = sample.id, numbers, LATERAL
    jsonb_populate_record(runs, jsonb_build_object('task_id', head || '8000' || tail)) AS new;
INSERT INTO jobs SELECT new.* FROM jobs JOIN sample ON jobs.task_id = sample.id, numbers, LATERAL
    jsonb_populate_record(jobs, jsonb_build_object('id', head || '800' || (stage + 1) || tail,
    'task_id', head || '8000' || tail, 'created_at', moment, 'finished_at', moment)) AS new;
INSERT INTO callbacks SELECT new.* FROM callbacks JOIN sample ON callbacks.id = sample.callback, numbers,
    LATERAL jsonb_populate_record(callbacks, jsonb_build_object('id', head || '8009' || tail,
    'task_id', head || '8000' || tail, 'created_at', moment)) AS new;
INSERT INTO callback_attempts (callback_id, number, started_at, duration, status)
    SELECT (head || '8009' || tail)::uuid, 1, moment, 1000, 200 FROM sample, numbers;
"""


class Growth:
    """The runs, each on a mesh of its own over the same servers."""

    def __init__(self, malla: str, work: pathlib.Path, servers: "list[int]") -> None:
        self.malla, self.work, self.servers = malla, work, servers
        self.count = 0

    def mesh(self, app_apis: int = 1, workers: int = 1) -> Mesh:
        """A mesh, to be entered."""
        self.count += 1
        folder = self.work / str(self.count)
        folder.mkdir()
        return Mesh(self.malla, folder, None, app_apis=app_apis, workers=workers)

    def flood(self, mesh: Mesh, tasks: int) -> "tuple[float, float]":
        """Tasks per second of a flood, and the milliseconds of processor time that each took, servers included."""
        load = Load(mesh, 64, 50, 1024, "bench-3")
        load.closed("warm-up", 16, 2)
        before = processor_seconds(mesh.pids() + self.servers)
        flood = load.flood("flood", 64, tasks)
        load.drain(300)
        used = processor_seconds(mesh.pids() + self.servers) - before
        load.require_all(flood)
        return tasks / (max(end[0] for end in flood.ends) - flood.started), used / tasks * 1000

    def processes(self, tasks: int) -> "dict[str, list[tuple[float, float]]]":
        """Throughput with 1, 2 and 4 workers, and with 1, 2 and 4 App APIs."""
        rates: "dict[tuple[int, int], list[float]]" = {}
        for _ in range(3):
            for shape in ((1, 1), (1, 2), (1, 4), (2, 1), (4, 1)):
                with self.mesh(*shape) as mesh:
                    rates.setdefault(shape, []).append(self.flood(mesh, tasks)[0])
        middle = {shape: statistics.median(found) for shape, found in rates.items()}
        return {
            "workers": [(number, middle[(1, number)]) for number in (1, 2, 4)],
            "App APIs": [(number, middle[(number, 1)]) for number in (1, 2, 4)],
        }

    def offered(self) -> "dict[str, list[tuple[float, float]]]":
        """Latency, in milliseconds, at the rates that are held."""
        lines: "dict[str, list[tuple[float, float]]]" = {"median": [], "99th percentile": []}
        with self.mesh() as mesh:
            for rate in (25, 50, 100, 150, 200, 300, 400, 500, 600, 700, 800):
                load = Load(mesh, 64, 50, 1024, "bench-3")
                load.steady("warm-up", min(rate, 100), 1)
                load.drain(60)
                phase = load.steady(f"{rate}/s", rate, 6)
                load.drain(120)
                load.require_all(phase)
                took = [end[1] for end in phase.ends]
                middle, late = quantile(took, 0.5), quantile(took, 0.99)
                print(f"{rate}/s: median {middle:.1f} ms, 99th percentile {late:.1f} ms", flush=True)
                if middle > 1000:
                    break
                lines["median"].append((rate, middle))
                lines["99th percentile"].append((rate, late))
        return lines

    def full_ledger(self, tasks: int, sizes: "list[int]") -> "list[tuple[int, float, float]]":
        """Throughput and cost per task, servers included, with so many finished tasks in the ledger."""
        found, there = [], 0
        for size in sizes:
            if size > there:
                began = time.perf_counter()
                fill(there, size - there)
                print(f"{size} finished tasks are there after {time.perf_counter() - began:.0f} s", flush=True)
                there = size
            rounds = []
            for _ in range(3):
                with self.mesh() as mesh:
                    rounds.append(self.flood(mesh, tasks))
            rate, cost = (statistics.median(column) for column in zip(*rounds))
            print(f"{size} finished tasks: {rate:.0f} tasks/s, {cost:.2f} ms/task", flush=True)
            found.append((size, rate, cost))
        return found

    def long_queue(self, depths: "list[int]") -> "list[tuple[int, float, float]]":
        """How fast queues of these lengths are worked off once a worker comes, and what a task costs then."""
        found = []
        for depth in depths:
            with self.mesh(workers=0) as mesh:
                load = Load(mesh, 64, 50, 1024, "bench-3")
                flood = load.flood("queue", 64, depth)
                while sum(flood.codes.values()) < depth and not load.lost:
                    load.poll(0.05)
                before, started = processor_seconds(mesh.pids() + self.servers), time.perf_counter()
                mesh.add("worker")
                load.drain(1200)
                used = processor_seconds(mesh.pids() + self.servers) - before
                load.require_all(flood)
            rate = depth / (max(end[0] for end in flood.ends) - started)
            found.append((depth, rate, used / depth * 1000))
            print(f"{depth} tasks: {rate:.0f} tasks/s, {found[-1][2]:.2f} ms/task", flush=True)
        return found


def fill(first: int, count: int) -> None:
    """Makes so many more finished tasks, numbered from the first."""
    psql = ["psql", "-qXv", "ON_ERROR_STOP=1", os.environ["PG_URL"], "-c"]
    for start in range(first, first + count, 20_000):
        last = min(start + 20_000, first + count) - 1
        subprocess.run([*psql, FILL.format(first=start, last=last)], check=True)
    # What is written late must not be counted as the next load's.
    for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
        subprocess.run([*psql, statement], check=True)
    many = ["psql", "-qXAtc", "SELECT count(*) FROM tasks WHERE request ~ '^[0-9a-f]{28}$'", os.environ["PG_URL"]]
    found = int(subprocess.run(many, check=True, capture_output=True, text=True).stdout)
    if found != first + count:
        raise SystemExit(f"growth: {first + count} finished tasks were to be there, {found} are")


def cost_axes(words: str, found: "list[tuple[int, float, float]]") -> "tuple[Axis, Axis]":
    """The axes of a chart of costs; the sizes stand side by side, whatever lies between them."""
    return Axis(words, ticks=[(place, f"{one[0]:,}") for place, one in enumerate(found)]), Axis("ms/task")


def cost_line(found: "list[tuple[int, float, float]]") -> "dict[str, list[tuple[float, float]]]":
    """The line of a chart of costs."""
    return {"processor time, servers included": [(place, one[2]) for place, one in enumerate(found)]}


def main() -> int:
    """The runs that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--malla", default=str(ROOT / ".build/release/malla"))
    parser.add_argument("-n", type=int, default=3000, help="tasks of a flood (default 3000)")
    parser.add_argument("--ledger", type=int, default=1_000_000, help="finished tasks at most (default a million)")
    parser.add_argument("--depth", type=int, default=100_000, help="tasks of the long queue (default 100,000)")
    parser.add_argument("--plots", type=pathlib.Path, default=pathlib.Path.cwd(), help="the folder of the plots")
    parser.add_argument("--only", choices=["processes", "offered", "queue", "ledger"], help="one of the four")
    options = parser.parse_args()
    options.plots.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="malla-growth-"))
    growth = Growth(options.malla, work, [int(pid) for pid in os.environ.get("BENCH_SERVER_PIDS", "").split()])

    def wanted(name: str) -> bool:
        return options.only in (None, name)

    def plot(name: str, title: str, x: Axis, y: Axis, lines: "dict[str, list[tuple[float, float]]]") -> None:
        print(f"{title}: {lines}", flush=True)
        chart(options.plots / f"growth-{name}.svg", title, x, y, lines)

    if wanted("processes"):
        ticks = [(1, "1"), (2, "2"), (4, "4")]
        axes = Axis("processes of the role", ticks=ticks), Axis("tasks/s")
        plot("processes", "Throughput by processes", *axes, growth.processes(options.n))
    if wanted("offered"):
        axes = Axis("offered tasks/s"), Axis("ms")
        plot("offered", "Latency by offered load", *axes, growth.offered())
    if wanted("queue"):
        found = growth.long_queue([options.n, options.depth // 10, options.depth])
        plot("queue", "Cost of a task by what waits", *cost_axes("waiting tasks", found), cost_line(found))
    if wanted("ledger"):
        found = growth.full_ledger(options.n, [0, options.ledger // 10, options.ledger])
        plot("ledger", "Cost of a task by what the ledger holds", *cost_axes("finished tasks", found), cost_line(found))
    # Kept after a failure: the roles' logs are there.
    shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
