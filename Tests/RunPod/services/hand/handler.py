# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""An async handler that does what the test wants."""

import asyncio
import os

import runpod


async def handler(job):
    wanted = job["input"]
    kind = wanted.get("kind")
    if kind == "raise":
        raise ValueError("bad colour")
    if kind == "soft":
        return {"error": "soft failure", "detail": 1}
    if kind == "job":
        return {key: value for key, value in job.items() if key != "input"}
    if kind == "hold":
        runpod.serverless.progress_update(job, {"at": "half"})
        while not os.path.exists(wanted["until"]):
            await asyncio.sleep(0.05)
        return "done"
    return {"echo": wanted}


runpod.serverless.start({"handler": handler})
