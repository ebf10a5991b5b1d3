# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""serve(): the life of a handler process."""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import sys
import threading
from typing import Any, Callable, List, Optional

from . import _local, _signals
from ._addresses import Addresses, from_environment
from ._call import Caller
from ._errors import Cancelled
from ._feed import Draining, ExchangeFeed, Feed, Finished, PlainFeed, ServerGone, ping, stop_poll
from ._jobs import Work, jobs
from ._log import logger, set_up


def serve(
    handler: Callable[..., Any],
    *,
    concurrency: Optional[int] = None,
    batch: Optional[int] = None,
    setup: Optional[Callable[[], Any]] = None,
    aggregate: bool = True,
) -> None:
    """Runs jobs through `handler` until the process is told to stop; then it exits with status 0.

    handler:     called with a job, a dict with `id` and `input` (and `attempt`, `deadline`, `traceparent`); returns
                 any JSON value. May be async, a generator or an async generator.
    concurrency: jobs at once: threads for a sync handler, tasks for an async one. Default: MALLA_CONCURRENCY, else 1.
                 With 1, a sync handler runs in the main thread.
    batch:       the handler is called with a list of up to so many jobs, and returns a list with one result for each;
                 a result may be an exception. If it raises, the jobs are run again one by one.
    setup:       called (awaited) once before the first job is asked for; the place to load a model.
    aggregate:   whether the result of a generator is the list of what it yielded, or an empty list.
    """
    set_up()
    slots = _count("concurrency", concurrency, os.environ.get("MALLA_CONCURRENCY"), 1)
    size = 1
    if batch is not None:
        size = _count("batch", batch, None, 1)
        size = min(size, _count("MALLA_BATCH_MAX_SIZE", None, os.environ.get("MALLA_BATCH_MAX_SIZE"), size))
    is_async = _is_async(handler)
    if batch is not None and (inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler)):
        raise ValueError("a generator cannot be a batch handler")
    addresses = from_environment()
    if not addresses.served:
        sys.exit(_local.run(handler, is_async, batch is not None, setup))
    process = _Process(Caller(handler, addresses, batch is not None, aggregate), addresses, slots, size, setup)
    sys.exit(process.run(is_async))


class _Process:
    def __init__(
        self, caller: Caller, addresses: Addresses, slots: int, size: int, setup: Optional[Callable[[], Any]]
    ) -> None:
        self._caller = caller
        self._addresses = addresses
        self._slots = slots
        self._size = size
        self._setup = setup
        self._draining = Draining()
        self._taker = self._feed()
        self._ended = threading.Event()
        # Guards what follows; notified whenever one of them changes.
        self._changed = threading.Condition()
        self._free = slots
        self._waiting: List[Finished] = []
        self._parked = False
        self._posting = False
        self._taking = True

    def _feed(self) -> Feed:
        kind = ExchangeFeed if self._addresses.exchange else PlainFeed
        return kind(self._addresses, self._draining)

    def run(self, is_async: bool) -> int:
        """Until the drain has ended; returns the exit status."""
        _signals.watch(self._draining, self._on_drain)
        try:
            if is_async:
                asyncio.run(self._run_async())
                return 0
            if self._setup:
                self._setup()
            self._start_threads()
            if self._slots == 1:
                self._run_inline()
            else:
                self._run_threads()
            return 0
        except ServerGone as gone:
            logger.error("%s", gone)
            return 1
        finally:
            self._ended.set()

    # One slot: this thread hands in, takes and runs. No other is touched, so a job costs one round trip.

    def _run_inline(self) -> None:
        self._thread("malla-progress", self._post_progress)
        done: List[Finished] = []
        while not self._draining:
            batch = self._taker.turn(done, self._size)
            done = []
            # A plain server may answer with more than it was asked for.
            for start in range(0, len(batch), self._size):
                done += self._run_batch(batch[start : start + self._size])
        self._taker.turn(done, 0)

    def _run_batch(self, batch: List[Work]) -> List[Finished]:
        jobs.begin(batch)
        try:
            return self._caller.run(batch)
        finally:
            jobs.end(batch)

    # Several slots: one thread takes, one hands in while the first is parked, and the jobs run in threads or tasks.

    def _run_threads(self) -> None:
        inbox: "queue.SimpleQueue[Optional[List[Work]]]" = queue.SimpleQueue()

        def run_jobs() -> None:
            while True:
                batch = inbox.get()
                if batch is None:
                    return
                try:
                    self._finish(self._run_batch(batch), 1)
                except SystemExit as leaving:
                    # A handler that exits means the process, not the thread it happens to be in.
                    logger.error("the handler left the process: %r", leaving)
                    sys.stderr.flush()
                    os._exit(leaving.code if isinstance(leaving.code, int) else 1)

        for number in range(self._slots):
            self._thread("malla-slot-{}".format(number), run_jobs)
        self._thread("malla-poster", self._post)
        self._take(inbox.put)

    async def _run_async(self) -> None:
        if self._setup:
            value = self._setup()
            if inspect.isawaitable(value):
                await value
        self._start_threads()
        loop = asyncio.get_running_loop()
        running = set()

        async def run_jobs(batch: List[Work]) -> None:
            task = asyncio.current_task()
            assert task is not None
            if len(batch) == 1:
                # A batch has one task for all its jobs: one that is stopped must not take the others along.
                jobs.on_stop(batch[0].id, lambda: loop.call_soon_threadsafe(task.cancel))
            try:
                results = await self._caller.run_async(batch)
            except asyncio.CancelledError:
                # The stop came before the handler began, or after it ended.
                results = [self._caller.failed(work, Cancelled()) for work in batch]
            finally:
                jobs.end(batch)
            self._finish(results, 1)

        def start(batch: List[Work]) -> None:
            jobs.begin(batch)
            task = loop.create_task(run_jobs(batch))
            running.add(task)
            task.add_done_callback(running.discard)

        self._thread("malla-poster", self._post)
        ended: "asyncio.Future[None]" = loop.create_future()

        def take() -> None:
            failed: Optional[BaseException] = None
            try:
                self._take(lambda batch: loop.call_soon_threadsafe(start, batch))
            except BaseException as error:
                failed = error
            if failed is not None:
                loop.call_soon_threadsafe(ended.set_exception, failed)
            else:
                loop.call_soon_threadsafe(ended.set_result, None)

        self._thread("malla-taker", take)
        await ended

    def _take(self, start: Callable[[List[Work]], Any]) -> None:
        """Takes jobs while slots are free, and returns when the drain has begun and everything is handed in."""
        while True:
            with self._changed:
                self._parked = False
                while not self._turn_is_due():
                    self._changed.wait(0.2)  # the drain begins without a notification
                draining = bool(self._draining)
                if draining and self._free == self._slots and not self._posting and not self._waiting:
                    break
                done: List[Finished] = []
                if self._taker.combines:
                    done, self._waiting = self._waiting, []
                free = 0 if draining else self._free
                self._parked = free > 0
            if not free and not done:
                with self._changed:
                    self._changed.wait(0.05)  # draining: the poster or a job has still something to end
                continue
            batch = self._taker.turn(done, free * self._size, busy=free < self._slots)
            with self._changed:
                self._free -= -(-len(batch) // self._size)
            for begin in range(0, len(batch), self._size):
                start(batch[begin : begin + self._size])
        self._taker.turn([], 0)
        with self._changed:
            self._taking = False
            self._changed.notify_all()

    def _turn_is_due(self) -> bool:
        return self._free > 0 or bool(self._draining) or (self._taker.combines and bool(self._waiting))

    def _finish(self, results: List[Finished], slots: int) -> None:
        with self._changed:
            self._waiting += results
            self._free += slots
            self._changed.notify_all()

    def _post(self) -> None:
        """Thread body: hands in what the taker, parked or of the plain dialect, does not."""
        feed = self._feed()
        jobs.attach(self._notify)
        try:
            while True:
                with self._changed:
                    while not self._post_is_due():
                        if not self._taking:
                            return
                        self._changed.wait()
                    done, self._waiting = self._waiting, []
                    self._posting = True
                feed.turn(done, 0)
                with self._changed:
                    self._posting = False
                    self._changed.notify_all()
        except ServerGone as gone:
            logger.error("%s", gone)
            os._exit(1)

    def _post_is_due(self) -> bool:
        ours = self._parked or not self._taker.combines
        return jobs.has_progress() or (bool(self._waiting) and ours)

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _post_progress(self) -> None:
        """Thread body, one slot: progress is sent while the handler runs."""
        due = threading.Semaphore(0)
        jobs.attach(due.release)
        feed = self._feed()
        try:
            while True:
                due.acquire()
                if jobs.has_progress():
                    feed.turn([], 0)
        except ServerGone:
            os._exit(1)

    # Threads and the drain.

    def _start_threads(self) -> None:
        self._thread("malla-stop", lambda: stop_poll(self._addresses, self._draining, lambda: os._exit(1)))
        if self._addresses.ping and self._addresses.key:
            self._thread("malla-ping", lambda: ping(self._addresses))

    @staticmethod
    def _thread(name: str, body: Callable[[], None]) -> None:
        threading.Thread(target=body, name=name, daemon=True).start()

    def _on_drain(self) -> None:
        self._thread("malla-interrupt", self._interrupt)

    def _interrupt(self) -> None:
        # Again and again: the taker may be on its way into the wait just now.
        while True:
            self._taker.interrupt()
            if self._ended.wait(0.05):
                return


def _is_async(handler: Any) -> bool:
    call = getattr(handler, "__call__", None)
    return any(inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f) for f in (handler, call))


def _count(name: str, value: Optional[int], text: Optional[str], default: int) -> int:
    if value is None:
        if not text:
            return default
        try:
            value = int(text)
        except ValueError:
            raise ValueError("{} must be a number, not {!r}".format(name, text)) from None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("{} must be a whole number of at least 1, not {!r}".format(name, value))
    return value
