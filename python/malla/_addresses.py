# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Where the worker listens, read from the environment."""

from __future__ import annotations

import os
import uuid
from typing import Mapping, Optional
from urllib.parse import quote

from ._channel import target_of


class Addresses:
    """The URLs of the protocol with the process's name put in. `target` values are path and query."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.worker = environment.get("RUNPOD_POD_ID") or str(uuid.uuid4())
        self.key = environment.get("RUNPOD_AI_API_KEY") or None
        self._name = quote(self.worker, safe="")
        self.take = self._with_query(environment.get("RUNPOD_WEBHOOK_GET_JOB", "").replace("$ID", self._name))
        self.done = self._with_query(environment.get("RUNPOD_WEBHOOK_POST_OUTPUT", ""))
        self.stream = self._with_query(environment.get("RUNPOD_WEBHOOK_POST_STREAM", ""))
        self.ping = self._with_query(self._named(environment.get("RUNPOD_WEBHOOK_PING", "")))
        self.exchange = self._with_query(
            self._named(environment.get("MALLA_EXCHANGE_URL", "")).replace("$ID", self._name)
        )
        self.ping_interval = max(1.0, _number(environment.get("RUNPOD_PING_INTERVAL"), 10_000) / 1000)

    @property
    def served(self) -> bool:
        """Whether a worker started this process."""
        return bool(self.take or self.exchange)

    def stop_url(self) -> Optional[str]:
        """The job-stop poll, where the take URL has the form that tells."""
        return self.take.replace("/job-take/", "/job-stop/", 1) if "/job-take/" in self.take else None

    def take_target(self, slots: int, busy: bool) -> str:
        """One job, or a batch when several slots are free."""
        flag = "&job_in_progress={}".format(1 if busy else 0)
        if slots > 1 and "/job-take/" in self.take:
            batch = self.take.replace("/job-take/", "/job-take-batch/", 1)
            return target_of("{}&batch_size={}{}".format(batch, slots, flag))
        return target_of(self.take + flag)

    def done_target(self, job: str, streamed: bool) -> str:
        """Where the result or progress of a job goes."""
        return target_of("{}&isStream={}".format(self._of_job(self.done, job), "true" if streamed else "false"))

    def stream_target(self, job: str) -> str:
        """Where one chunk of a job goes."""
        return target_of(self._of_job(self.stream, job) + "&isStream=false")

    def exchange_target(self, slots: int, wait_ms: int) -> str:
        """Hands in results and asks for up to `slots` jobs."""
        return target_of("{}&max={}&wait_ms={}".format(self.exchange, slots, wait_ms))

    def _named(self, url: str) -> str:
        return url.replace("$RUNPOD_POD_ID", self._name)

    def _of_job(self, url: str, job: str) -> str:
        return self._named(url).replace("$ID", quote(job, safe=""))

    @staticmethod
    def _with_query(url: str) -> str:
        return url if not url or "?" in url else url + "?"


def from_environment() -> Addresses:
    """The addresses of this process."""
    return Addresses(os.environ)


def _number(text: Optional[str], default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
