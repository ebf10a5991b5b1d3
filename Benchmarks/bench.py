#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Measures bench-3, a chain of three stages, and a fan-out: embedded and as processes, beside the baseline.

Wants AMQP_URL, REDIS_URL, PG_URL and BENCH_SERVER_PIDS of empty servers (scripts/bench.sh brings them). A task counts
only when its callback came, once. The generator is one thread of Python and takes its share of the cores: the figures are
there to be compared with themselves. Standard library only.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

from overload_load import Load, quantile
from overload_mesh import ROOT, Embedded, Mesh, processor_seconds

BASELINE = pathlib.Path(__file__).resolve().parent / "baseline.json"
# What is measured, its unit, and whether less of it is better.
FIGURES = (
    ("flood", "tasks/s", False), ("rest p50", "ms", True), ("rest p99", "ms", True), ("150/s p50", "ms", True),
    ("150/s p99", "ms", True), ("processor", "ms/task", True), ("servers", "ms/task", True), ("memory", "MiB", True),
    ("1,000 items", "ms", True), ("10,000 items", "ms", True),
)


# Beyond this factor figures no longer follow the machine's speed.
MOST_CORRECTED = 1.5


def calibrate() -> float:
    """Milliseconds that a fixed piece of work takes on one core: how fast this machine is now."""
    began, value = time.perf_counter(), 0
    for number in range(400_000):
        value = (value * 31 + number) & 0xFFFFFFFF
    return (time.perf_counter() - began) * 1000


def measure(mesh: Mesh, servers: "list[int]", tasks: int) -> "dict[str, float]":
    """One round on one mesh; ends the program when a task was lost, refused, repeated or did not end well."""
    load = Load(mesh, 64, 50, 1024, "bench-3")
    load.closed("warm-up", 16, 2)
    warm_up = load.phase
    rest = load.closed_tasks("rest", 1, 200)
    offered = load.steady("150/s", 150, 5)
    load.drain(60)
    before = (processor_seconds(mesh.pids()), processor_seconds(servers))
    flood = load.flood("flood", 64, tasks)
    load.drain(120)
    used = [now - then for now, then in zip((processor_seconds(mesh.pids()), processor_seconds(servers)), before)]
    load.require_all(warm_up, rest, offered, flood)
    took = {phase.name: [end[1] for end in phase.ends] for phase in (rest, offered)}
    figures = {"flood": tasks / (max(end[0] for end in flood.ends) - flood.started)}
    for name in took:
        figures |= {f"{name} p50": quantile(took[name], 0.5), f"{name} p99": quantile(took[name], 0.99)}
    for items, times in ((1000, 5), (10_000, 1)):
        figures[f"{items:,} items"] = fan_out(mesh, items, times)
    figures |= {"processor": used[0] / tasks * 1000, "memory": sum(mesh.memory().values()) / 1024}
    return figures | ({"servers": used[1] / tasks * 1000} if servers and not isinstance(mesh, Embedded) else {})


def fan_out(mesh: Mesh, items: int, times: int) -> float:
    """Milliseconds from the call to the callback of a task that joins so many items which cost nothing: the median."""
    load = Load(mesh, 1, 1, 0, "fan-out", {"n": items})
    phase = load.closed_tasks(f"{items} items", 1, times)
    load.require_all(phase)
    return quantile([end[1] for end in phase.ends], 0.5)


def start(name: str, malla: str, folder: pathlib.Path) -> Mesh:
    """The mesh of this name."""
    folder.mkdir()
    return Embedded(malla, folder) if name == "embedded" else Mesh(malla, folder, None)


def table(results: "dict[str, dict[str, float]]", speed: float) -> None:
    """What was measured beside the baseline; a ratio above 1 is better than it, on a machine that is as fast."""
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {"calibration": speed, "meshes": {}}
    faster = known["calibration"] / speed
    if known["meshes"]:
        print(f"\nThis machine is {faster:.2f} times as fast as the baseline's, by a loop of {speed:.0f} ms.")
        if not 1 / MOST_CORRECTED <= faster <= MOST_CORRECTED:
            print("That is too far away to correct for: the ratios tell little. Run it again, or the old version beside it.")
    else:
        print(f"\nThere is no {BASELINE.name} to compare with; --write-baseline makes one.")
    print("| mesh | figure | now | baseline | ratio |\n|---|---|---|---|---|")
    for mesh, figures in results.items():
        for name, unit, less_is_better in FIGURES:
            if name not in figures:
                continue
            base = known["meshes"].get(mesh, {}).get(name)
            ratio = "" if not base else (base / figures[name] if less_is_better else figures[name] / base)
            if ratio and name != "memory":
                ratio /= faster
            shown = f"{ratio:.2f}" if ratio else ""
            print(f"| {mesh} | {name} | {figures[name]:.1f} {unit} | {f'{base:.1f} {unit}' if base else ''} | {shown} |")


def main() -> int:
    """The whole run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--malla", default=str(ROOT / ".build/release/malla"))
    parser.add_argument("-n", type=int, default=3000, help="tasks of the flood (default 3000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the medians count (default 3)")
    parser.add_argument("--write-baseline", action="store_true", help="these figures are the baseline from now on")
    options = parser.parse_args()
    servers = [int(pid) for pid in os.environ.get("BENCH_SERVER_PIDS", "").split()]
    work = pathlib.Path(tempfile.mkdtemp(prefix="malla-bench-"))
    rounds: "dict[str, list[dict[str, float]]]" = {"embedded": [], "distributed": []}
    speeds = [calibrate()]
    try:
        for number in range(options.rounds):
            for name, found in rounds.items():
                with start(name, options.malla, work / f"{name}-{number}") as mesh:
                    found.append(measure(mesh, servers, options.n))
                speeds.append(calibrate())
                print(f"{name}: {found[-1]['flood']:.0f} tasks/s, at rest {found[-1]['rest p50']:.1f} ms", flush=True)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    results = {
        name: {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
        for name, found in rounds.items()
    }
    speed = statistics.median(speeds)
    table(results, speed)
    if options.write_baseline:
        short = {mesh: {name: round(value, 3) for name, value in found.items()} for mesh, found in results.items()}
        BASELINE.write_text(json.dumps({"calibration": round(speed, 1), "meshes": short}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
