# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Unmodified handlers of the runpod package; TEST_HANDLER names the one that this worker runs."""

import asyncio
import os
import signal
import time

import runpod

# A group of its own, so that a test ends the process that pings as well.
os.setpgid(0, 0)
# As in a container: what a test runner ignores or blocks is inherited, and the process that pings would never end.
signal.signal(signal.SIGTERM, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, [])


def sync(job):
    given = job["input"]
    kind = given.get("kind")
    if kind == "raise":
        raise ValueError("bad colour")
    if kind == "soft":
        return {"error": "soft failure", "detail": 1}
    if kind == "null":
        return {"error": None, "done": True}
    if kind == "none":
        return None
    if kind == "bytes":
        return b"no JSON"
    if kind == "job":
        return {key: value for key, value in job.items() if key != "input"}
    return {"echo": given, "worker": os.environ["RUNPOD_POD_ID"]}


async def asynchronous(job):
    given = job["input"]
    if "sleep" in given:
        runpod.serverless.progress_update(job, {"begun": given["sleep"]})
        await asyncio.sleep(given["sleep"])
    return {"echo": given}


def blocking(job):
    runpod.serverless.progress_update(job, "begun")
    time.sleep(job["input"]["sleep"])
    return os.environ["RUNPOD_POD_ID"]


def generator(job):
    for number in range(job["input"]["count"]):
        if number == job["input"].get("fail_at"):
            raise RuntimeError("no more")
        yield {"n": number}


async def async_generator(job):
    for number in range(job["input"]["count"]):
        await asyncio.sleep(0)
        yield {"n": number}


def refreshing(job):
    return {"refresh_worker": True, "pid": os.getpid()}


CONFIGS = {
    "sync": {"handler": sync},
    "async": {"handler": asynchronous, "concurrency_modifier": lambda current: 4},
    "blocking": {"handler": blocking},
    "generator": {"handler": generator},
    "aggregate": {"handler": async_generator, "return_aggregate_stream": True},
    "refreshing": {"handler": refreshing},
    "leaving": {"handler": sync, "refresh_worker": True},
}

runpod.serverless.start(CONFIGS[os.environ["TEST_HANDLER"]])
