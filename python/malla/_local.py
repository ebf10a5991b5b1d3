# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Running a handler by hand, without a worker: one job, its result on stdout."""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import sys
from typing import Any, Callable, Optional

from ._addresses import Addresses
from ._call import Caller
from ._jobs import Work, jobs


def run(
    handler: Callable[..., Any], is_async: bool, batched: bool, setup: Optional[Callable[[], Any]]
) -> int:
    """Runs one job from the command line; returns the exit status: 0 succeeded, 1 failed, 2 no usable input."""
    parser = argparse.ArgumentParser(
        description="A Malla handler. Started by a worker it takes jobs; by hand it runs one and prints its result."
    )
    parser.add_argument("--input", metavar="JSON", help="the job's input, or @FILE; default: read from standard input")
    options = parser.parse_args()
    try:
        if options.input is None:
            text = sys.stdin.read()
        elif options.input.startswith("@"):
            with open(options.input[1:], encoding="utf-8") as file:
                text = file.read()
        else:
            text = options.input
        value = json.loads(text)
    except (OSError, ValueError) as error:
        print("the input is not usable: {}".format(error), file=sys.stderr)
        return 2
    work = Work({"id": "local", "input": value, "attempt": 1})
    caller = Caller(handler, Addresses({"RUNPOD_POD_ID": "local"}), batched, True)
    jobs.begin([work])

    async def run_async() -> Any:
        if setup:
            ready = setup()
            if inspect.isawaitable(ready):
                await ready
        return await caller.run_async([work])

    if is_async:
        finished = asyncio.run(run_async())[0]
    else:
        if setup:
            setup()
        finished = caller.run([work])[0]
    result = json.loads(b"{" + finished.member + b"}")
    if "error" in result:
        failure = json.loads(result["error"])
        print(failure["error_traceback"], file=sys.stderr)
        print(json.dumps({key: failure[key] for key in ("category", "field", "error_message") if key in failure}))
        return 1
    print(json.dumps(result["output"], ensure_ascii=False, indent=2))
    return 0
