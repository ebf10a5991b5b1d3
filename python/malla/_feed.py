# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The two dialects: each hands in results and takes jobs. A feed belongs to one thread; see PROTOCOL.md."""

from __future__ import annotations

import json
import os
import random
import threading
from typing import Any, Callable, List, NamedTuple, Optional, Tuple
from urllib.parse import quote

from ._addresses import Addresses
from ._channel import BROKEN, Answer, Channel, target_of
from ._jobs import Work, jobs
from ._log import logger

_WAIT_MS = 20_000
_PLAIN_TIMEOUT = 90.0
_POST_TIMEOUT = 30.0
_PAUSE_429 = 5.0
#: More than this goes in several requests: the worker takes 64 MiB at once.
_BODY_BYTES = 32 << 20


class Finished(NamedTuple):
    """A result: `member` is `"output":…` or `"error":…` as JSON."""

    work: Work
    member: bytes
    streamed: bool = False


class ServerGone(Exception):
    """The worker that started this process has died."""


class Draining:
    """Whether the process is on its way out, and how to wait without sleeping through that."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._parent = os.getppid()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def begin(self) -> None:
        """Nothing new is taken from now on."""
        self._event.set()

    def pause(self, seconds: float) -> None:
        """Waits between two attempts, less when the drain begins. Raises ServerGone for an orphan."""
        if os.getppid() != self._parent:
            raise ServerGone("the worker that started this process has died")
        if self._event.is_set():
            threading.Event().wait(min(seconds, 0.2))
        else:
            self._event.wait(seconds)


class BackOff:
    """Pauses of 0.1 s to 5 s, with jitter."""

    def __init__(self) -> None:
        self._next = 0.1

    def reset(self) -> None:
        """The last attempt went well."""
        self._next = 0.1

    def after(self, answer: Optional[Answer]) -> float:
        """Seconds until the next attempt."""
        if answer is not None and answer.status == 429:
            return _PAUSE_429 if answer.retry_after is None else answer.retry_after
        pause = self._next * random.uniform(0.7, 1.3)
        self._next = min(5.0, self._next * 2)
        return pause


class Feed:
    """What both dialects share."""

    #: Whether results can go out with the call that takes jobs.
    combines = False

    def __init__(self, addresses: Addresses, draining: Draining) -> None:
        self.addresses = addresses
        self.draining = draining
        self._back_off = BackOff()
        self._parked = False
        self._channel = Channel(addresses.exchange or addresses.take, addresses.key)

    def turn(self, done: List[Finished], slots: int, busy: bool = False) -> List[Work]:
        """Hands in what is done (certainly: it returns when the server has it), then waits for up to `slots` jobs.

        An empty list after a wait, an interrupt or a failed attempt to take; the caller just comes again.
        """
        raise NotImplementedError

    def interrupt(self) -> None:
        """From another thread: ends a wait for jobs, and no other request."""
        if self._parked:
            self._channel.interrupt()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _pause(self, what: str, answer: Optional[Answer], error: Optional[BaseException]) -> None:
        seconds = self._back_off.after(answer)
        reason = "status {}".format(answer.status) if answer is not None else repr(error)
        level = logger.warning if seconds > 0.3 else logger.debug
        level("%s: %s; again in %.1f s", what, reason, seconds)
        self.draining.pause(seconds)


class ExchangeFeed(Feed):
    """One call hands in and takes."""

    combines = True

    def turn(self, done: List[Finished], slots: int, busy: bool = False) -> List[Work]:
        """See Feed."""
        done = self._hand_in_large(done)
        waiting: List[Tuple[Work, bytes]] = []
        while True:
            if self.draining:
                slots = 0
            if jobs.has_progress():
                waiting += jobs.take_progress()
            if not slots and not done and not waiting and not self.draining:
                return []
            body = self._body(done, waiting)
            wait_ms = _WAIT_MS if slots else 0
            answer, failed = None, None  # type: Optional[Answer], Optional[BaseException]
            self._parked = slots > 0
            try:
                target = self.addresses.exchange_target(slots, wait_ms)
                answer = self._channel.request("POST", target, body, wait_ms / 1000 + 15)
            except BROKEN as error:
                failed = error
            finally:
                self._parked = False
            if answer is not None and answer.status == 200:
                taken = self._read(answer.body)
                if taken is not None:
                    self._back_off.reset()
                    return taken
                failed, answer = ValueError("the answer is not the JSON of an exchange"), None
            if self.draining and failed is not None and slots:
                continue  # the wait was interrupted: what is done goes out again, without a wait
            self._pause("exchange", answer, failed)
            if not done:
                return []

    def _hand_in_large(self, done: List[Finished]) -> List[Finished]:
        """Hands in the first results while all together are too large for one request; returns the rest."""
        while len(done) > 1 and sum(len(item.member) for item in done) > _BODY_BYTES:
            self.turn(done[:1], 0)
            done = done[1:]
        return done

    def _body(self, done: List[Finished], waiting: List[Tuple[Work, bytes]]) -> bytes:
        parts = []
        if waiting:
            items = (b"{" + _identity(work) + b',"output":' + value + b"}" for work, value in waiting)
            parts.append(b'"progress":[' + b",".join(items) + b"]")
        if done:
            items = (b"{" + _identity(item.work) + b"," + item.member + b"}" for item in done)
            parts.append(b'"done":[' + b",".join(items) + b"]")
        if self.draining:
            parts.append(b'"leaving":true')
        return b"{" + b",".join(parts) + b"}"

    @staticmethod
    def _read(body: bytes) -> Optional[List[Work]]:
        try:
            answer = json.loads(body)
            stop = answer.get("stop")
            if stop:
                jobs.stop(stop)
            begin_by = answer.get("begin_by")
            begin_by = begin_by if isinstance(begin_by, int) else None
            return [Work(job, begin_by) for job in answer.get("jobs") or [] if _is_job(job)]
        except (ValueError, AttributeError, TypeError):
            return None


class PlainFeed(Feed):
    """The RunPod serverless worker protocol."""

    def turn(self, done: List[Finished], slots: int, busy: bool = False) -> List[Work]:
        """See Feed."""
        if jobs.has_progress():
            for work, value in jobs.take_progress():
                self._post(work, b'{"status":"IN_PROGRESS","output":' + value + b"}", False)
        for item in done:
            self._post(item.work, b"{" + item.member + b"}", item.streamed)
        if not slots or self.draining:
            return []
        answer, failed = None, None  # type: Optional[Answer], Optional[BaseException]
        self._parked = True
        try:
            answer = self._channel.request("GET", self.addresses.take_target(slots, busy), None, _PLAIN_TIMEOUT)
        except BROKEN as error:
            failed = error
        finally:
            self._parked = False
        if answer is not None and answer.status in (200, 204):
            self._back_off.reset()
            return self._read(answer)
        if not self.draining:
            self._pause("job-take", answer, failed)
        return []

    def _post(self, work: Work, body: bytes, streamed: bool) -> None:
        while True:
            answer, failed = None, None  # type: Optional[Answer], Optional[BaseException]
            try:
                target = self.addresses.done_target(work.id, streamed)
                answer = self._channel.request("POST", target, body, _POST_TIMEOUT)
            except BROKEN as error:
                failed = error
            if answer is not None and answer.status < 500 and answer.status != 429:
                if answer.status >= 300:
                    logger.error("the server refused a result: status %d", answer.status, extra={"job": work.id})
                self._back_off.reset()
                return
            self._pause("job-done", answer, failed)

    @staticmethod
    def _read(answer: Answer) -> List[Work]:
        if answer.status == 204 or not answer.body:
            return []
        try:
            value: Any = json.loads(answer.body)
        except ValueError:
            logger.error("job-take: the answer is not JSON")
            return []
        found = value if isinstance(value, list) else [value]
        return [Work(job) for job in found if _is_job(job)]


def stop_poll(addresses: Addresses, draining: Draining, on_gone: Callable[[], None]) -> None:
    """Thread body: holds the job-stop poll open and marks what it names. Calls `on_gone` when the worker has died."""
    url = addresses.stop_url()
    if url is None:
        return
    channel = Channel(url, addresses.key)
    back_off = BackOff()
    while True:
        answer = None  # type: Optional[Answer]
        try:
            answer = channel.request("GET", target_of(url), None, _PLAIN_TIMEOUT)
            if answer.status == 200:
                jobs.stop([name for name in json.loads(answer.body)["jobsToStop"] if isinstance(name, str)])
            if answer.status in (200, 204):
                back_off.reset()
                continue
        except BROKEN as error:
            logger.debug("job-stop: %r", error)
        except (ValueError, KeyError, TypeError):
            logger.warning("job-stop: the answer is not what the protocol says")
        try:
            draining.pause(back_off.after(answer))
        except ServerGone:
            on_gone()
            return


def ping(addresses: Addresses) -> None:
    """Thread body: says at every interval which jobs run here."""
    if not addresses.ping or not addresses.key:
        return
    channel = Channel(addresses.ping, addresses.key)
    never = threading.Event()
    while True:
        names = ",".join(quote(name, safe="") for name in jobs.names())
        try:
            channel.request("GET", target_of(addresses.ping + ("&job_id=" + names if names else "")), None, 10.0)
        except BROKEN as error:
            logger.debug("ping: %r", error)  # the next one is soon
        never.wait(addresses.ping_interval)


def _identity(work: Work) -> bytes:
    text = '"id":' + json.dumps(work.id)
    if work.lease is not None:
        text += ',"lease":' + json.dumps(work.lease)
    return text.encode("utf-8")


def _is_job(job: Any) -> bool:
    if isinstance(job, dict) and isinstance(job.get("id"), str) and "input" in job:
        return True
    if job is not None:
        logger.error("a job without a text `id` and an `input` was ignored")
    return False
