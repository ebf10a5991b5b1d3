# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""A generator, as RunPod's documentation writes one."""

import runpod


def handler(job):
    words = job["input"]["text"].split()
    for number, word in enumerate(words):
        yield {"number": number, "word": word}
    if job["input"].get("fails"):
        raise ValueError("no more words")


runpod.serverless.start({"handler": handler, "return_aggregate_stream": True})
