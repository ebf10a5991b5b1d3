# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The jobs that run in this process: who was stopped, and the latest progress of each."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._errors import Failure
from ._json import encode

Job = Dict[str, Any]

_PROGRESS_BYTES = 1 << 20


class Work:
    """A job as it was taken. Id and lease are kept apart from the dict, which a handler may change.

    `begin_by`: the last moment at which its handler may begin, in milliseconds of CLOCK_BOOTTIME.
    """

    __slots__ = ("id", "lease", "job", "begin_by")

    def __init__(self, job: Job, begin_by: Optional[int] = None) -> None:
        self.id: str = job["id"]
        self.lease: Optional[str] = job.get("lease")
        self.job = job
        self.begin_by = begin_by

    def is_too_late(self) -> bool:
        """Whether the handler must not begin any more: the whole machine may have been frozen since the job came."""
        return self.begin_by is not None and _machine_ms() > self.begin_by


def _machine_ms() -> int:
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return int(time.clock_gettime(clock) * 1000) if clock is not None else 0


class Jobs:
    """Registry of running jobs. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: Dict[str, Work] = {}
        self._stopped: Dict[str, bool] = {}
        self._progress: Dict[str, bytes] = {}
        self._on_stop: Dict[str, Callable[[], Any]] = {}
        self._wake: Optional[Callable[[], None]] = None

    def attach(self, wake: Callable[[], None]) -> None:
        """`wake` is called when progress waits to be sent."""
        self._wake = wake

    def begin(self, batch: List[Work]) -> None:
        """The jobs were taken."""
        with self._lock:
            for work in batch:
                self._running[work.id] = work
                self._stopped.pop(work.id, None)
                self._on_stop.pop(work.id, None)

    def end(self, batch: List[Work]) -> None:
        """The jobs have a result; later progress and stops of them mean nothing."""
        with self._lock:
            for work in batch:
                name = work.id
                # The same id may run again under another lease, taken before this one ended.
                if self._running.get(name) is work:
                    del self._running[name]
                    self._stopped.pop(name, None)
                    self._progress.pop(name, None)
                    self._on_stop.pop(name, None)

    def names(self) -> List[str]:
        """Ids of the running jobs."""
        with self._lock:
            return list(self._running)

    def stop(self, names: List[str]) -> None:
        """Marks jobs as stopped; unknown names are ignored, repeats do nothing."""
        calls = []
        with self._lock:
            for name in names:
                if name in self._running and not self._stopped.get(name):
                    self._stopped[name] = True
                    call = self._on_stop.get(name)
                    if call:
                        calls.append(call)
        for call in calls:
            call()

    def on_stop(self, name: str, call: Callable[[], Any]) -> None:
        """`call` runs when the job is stopped, at once when it is already."""
        with self._lock:
            now = self._stopped.get(name, False)
            self._on_stop[name] = call
        if now:
            call()

    def is_stopped(self, name: str) -> bool:
        """Whether the job was stopped."""
        return self._stopped.get(name, False)

    def set_progress(self, job: Job, value: Any) -> None:
        """Keeps the latest value only: a handler that reports in a tight loop must not fill the memory."""
        encoded = encode(value, _PROGRESS_BYTES)
        with self._lock:
            if self._running.get(job["id"]) is None:
                return
            self._progress[job["id"]] = encoded
        if self._wake:
            self._wake()

    def take_progress(self) -> List[Tuple[Work, bytes]]:
        """What waits to be sent."""
        with self._lock:
            waiting, self._progress = self._progress, {}
            return [(self._running[name], value) for name, value in waiting.items() if name in self._running]

    def has_progress(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._progress)


#: The jobs of this process: one process serves one handler.
jobs = Jobs()


def progress(job: Job, value: Any) -> None:
    """Tells how far a job is; `value` is any JSON value. Only the latest one that waits is sent."""
    if not isinstance(job, dict) or "id" not in job:
        raise Failure("progress() wants the job that the handler was given", final=True)
    jobs.set_progress(job, value)


def cancelled(job: Job) -> bool:
    """Whether the job was stopped. A long handler asks now and then, and ends by raising malla.Cancelled()."""
    return jobs.is_stopped(job["id"])
