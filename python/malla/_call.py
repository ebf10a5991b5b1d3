# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Calling the handler: sync, async, generators and batches, and what becomes of errors."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any, Callable, List, Optional

from ._addresses import Addresses
from ._channel import BROKEN, Channel
from ._errors import BadResult, Cancelled, Failure, error_text
from ._feed import Finished
from ._jobs import Work, jobs
from ._json import encode
from ._log import logger

_CHUNK_TIMEOUT = 30.0


class Caller:
    """Runs jobs through the handler. The result of every job is a Finished, whatever the handler does."""

    def __init__(self, handler: Callable[..., Any], addresses: Addresses, batched: bool, aggregate: bool) -> None:
        self._handler = handler
        self._addresses = addresses
        self._batched = batched
        self._aggregate = aggregate
        self._local = threading.local()

    def run(self, batch: List[Work]) -> List[Finished]:
        """Sync handlers. Without batching, `batch` holds one job."""
        batch, settled = self._split(batch)
        if not self._batched or not batch:
            return settled + [self._run_one(work) for work in batch]
        try:
            return settled + self._settle_batch(batch, self._handler([work.job for work in batch]))
        except Exception as error:
            if len(batch) == 1:
                return settled + [self.failed(batch[0], error)]
            logger.warning("a batch of %d failed (%r); its jobs run one by one", len(batch), error)
        return settled + [item for work in batch for item in self.run([work])]

    async def run_async(self, batch: List[Work]) -> List[Finished]:
        """Async handlers."""
        batch, settled = self._split(batch)
        if not self._batched or not batch:
            return settled + [await self._run_one_async(work) for work in batch]
        try:
            return settled + self._settle_batch(batch, await self._handler([work.job for work in batch]))
        except asyncio.CancelledError:
            return settled + [self.failed(work, Cancelled()) for work in batch]
        except Exception as error:
            if len(batch) == 1:
                return settled + [self.failed(batch[0], error)]
            logger.warning("a batch of %d failed (%r); its jobs run one by one", len(batch), error)
        return settled + [item for work in batch for item in await self.run_async([work])]

    def _split(self, batch: List[Work]) -> "tuple[List[Work], List[Finished]]":
        """The jobs whose handler may begin, and results for those that were stopped or came too late."""
        begin: List[Work] = []
        settled: List[Finished] = []
        for work in batch:
            if jobs.is_stopped(work.id):
                settled.append(self.failed(work, Cancelled()))
            elif work.is_too_late():
                logger.warning("a job came too late and goes back unrun", extra={"job": work.id})
                settled.append(Finished(work, b'"returned":true'))
            else:
                work.begin_by = None  # it begins now; a batch that fails runs again one by one, much later perhaps
                begin.append(work)
        return begin, settled

    def failed(self, work: Work, error: BaseException, streamed: bool = False) -> Finished:
        """The result that stands for an error; it is logged here, once."""
        if isinstance(error, Failure):
            logger.info("%s: %s", error.category, error, extra={"job": work.id})
        else:
            logger.error("the handler raised %r", error, exc_info=error, extra={"job": work.id})
        return Finished(work, b'"error":' + encode(error_text(error, self._addresses.worker)), streamed)

    def _run_one(self, work: Work) -> Finished:
        streamed = False
        try:
            value = self._handler(work.job)
            if inspect.isgenerator(value):
                streamed = True
                chunks: List[Any] = []
                for chunk in value:
                    self._send_chunk(work, chunk, chunks)
                value = chunks
            return Finished(work, b'"output":' + encode(value), streamed)
        except Exception as error:
            return self.failed(work, error, streamed)

    async def _run_one_async(self, work: Work) -> Finished:
        streamed = False
        try:
            value = self._handler(work.job)
            if inspect.isasyncgen(value):
                streamed = True
                loop = asyncio.get_running_loop()
                chunks: List[Any] = []
                async for chunk in value:
                    await loop.run_in_executor(None, self._send_chunk, work, chunk, chunks)
                value = chunks
            else:
                value = await value
            return Finished(work, b'"output":' + encode(value), streamed)
        except asyncio.CancelledError:
            return self.failed(work, Cancelled(), streamed)
        except Exception as error:
            return self.failed(work, error, streamed)

    def _settle_batch(self, batch: List[Work], results: Any) -> List[Finished]:
        if not isinstance(results, (list, tuple)) or len(results) != len(batch):
            found = len(results) if isinstance(results, (list, tuple)) else "a " + type(results).__name__
            raise BadResult(
                "a batch handler returns a list with one result for each of its jobs: "
                "{} expected, got {}".format(len(batch), found)
            )
        settled = []
        for work, result in zip(batch, results):
            try:
                if isinstance(result, BaseException):
                    raise result
                settled.append(Finished(work, b'"output":' + encode(result)))
            except Exception as error:
                settled.append(self.failed(work, error))
        return settled

    def _send_chunk(self, work: Work, chunk: Any, chunks: List[Any]) -> None:
        """Posts a chunk and waits for the answer, so a slow server slows the handler instead of filling the memory."""
        body = b'{"output":' + encode(chunk) + b"}"
        if self._aggregate:
            chunks.append(chunk)
        if not self._addresses.stream:
            return
        channel: Optional[Channel] = getattr(self._local, "channel", None)
        if channel is None:
            channel = self._local.channel = Channel(self._addresses.stream, self._addresses.key)
        target = self._addresses.stream_target(work.id)
        for attempt in range(3):
            if jobs.is_stopped(work.id):
                raise Cancelled()
            try:
                answer = channel.request("POST", target, body, _CHUNK_TIMEOUT)
                if answer.status < 500:
                    return
                reason = "status {}".format(answer.status)
            except BROKEN as error:
                reason = repr(error)
            threading.Event().wait(0.1 * 4**attempt)
        # The chunks are a preview: the result still holds them all.
        logger.warning("a chunk was not taken: %s", reason, extra={"job": work.id})
