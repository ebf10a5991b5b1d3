# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Reading and writing media through the worker, which alone knows the store and its keys.

    picture = malla.media.read(job["input"]["image"], field="/image")
    reference = malla.media.write(png, content_type="image/png", name="annotated.png", origin=job["input"]["image"])

Without a worker (a handler run by hand) a reference is the path of a file, and what is written goes to the folder
`MALLA_MEDIA_DIR`, by default `media-out`.
"""

from __future__ import annotations

import builtins
import hashlib
import http.client
import json
import os
import threading
from types import TracebackType
from typing import BinaryIO, Iterator, NoReturn, Optional, Type, Union
from urllib.parse import quote, unquote, urlsplit

from ._channel import BROKEN
from ._errors import Failure, InvalidInput
from ._version import __version__

__all__ = ["NotFound", "Reader", "open", "read", "write"]

_TIMEOUT = 60.0
_ATTEMPTS = 3
_PIECE = 1 << 20
# This module has an `open` of its own.
_open_file = builtins.open


class NotFound(InvalidInput):
    """There is no such media, or the reference is none."""


class Reader:
    """Media as a stream: read(), iteration by pieces, and `with`. `size` and `content_type` where they are known."""

    def __init__(
        self, stream: BinaryIO, size: Optional[int], content_type: str, owner: Optional[object] = None
    ) -> None:
        self._stream = stream
        self._owner = owner
        self._taken = 0
        self.size = size
        self.content_type = content_type

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes, all that is left when it is negative; b"" at the end.

        Raises http.client.IncompleteRead when the stream ends before `size`: half of the media is not the whole.
        """
        piece = self._stream.read(count) if count >= 0 else self._stream.read()
        self._taken += len(piece)
        is_over = count < 0 or (count > 0 and not piece)
        if is_over and self.size is not None and self._taken < self.size:
            raise http.client.IncompleteRead(piece, self.size - self._taken)
        return piece

    def __iter__(self) -> Iterator[bytes]:
        while True:
            piece = self.read(_PIECE)
            if not piece:
                return
            yield piece

    def close(self) -> None:
        """Closes the stream and its connection."""
        self._stream.close()
        if isinstance(self._owner, http.client.HTTPConnection):
            self._owner.close()

    def __enter__(self) -> "Reader":
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()


def open(ref: str, *, field: str = "") -> Reader:  # noqa: A001 - the name that a reader expects
    """The media of a reference as a stream. `field` is named in the error when there is no such media.

    Raises NotFound (the job fails for good), or Failure when the store does not answer (the job is tried again).
    """
    base = os.environ.get("MALLA_MEDIA_URL")
    if not isinstance(ref, str) or not ref:
        raise NotFound(field, "a media reference is a text such as s3://bucket/key, not {!r}".format(ref))
    if not base:
        return _open_local(ref, field)
    reason = ""
    for attempt in range(_ATTEMPTS):
        connection = None
        try:
            connection, target = _connect(base, "ref=" + quote(ref, safe=""))
            connection.request("GET", target, headers=_headers())
            response = connection.getresponse()
            if response.status == 200:
                size = response.headers.get("Content-Length")
                kind = response.headers.get("Content-Type", "application/octet-stream")
                return Reader(response, int(size) if size else None, kind, connection)
            answer = response.read()
            connection.close()
            if response.status < 500 and response.status != 429:
                _refused(response.status, answer, ref, field)
            reason = "status {}".format(response.status)
        except BROKEN as error:
            if connection is not None:
                connection.close()
            reason = repr(error)
        _pause(attempt)
    raise Failure("media {} could not be read: {}".format(ref, reason), category="media")


def read(ref: str, *, field: str = "", limit: Optional[int] = None) -> bytes:
    """All bytes of a reference. More than `limit` bytes is the input's fault. Raises as open() does."""
    reason = ""
    for attempt in range(_ATTEMPTS):
        try:
            with open(ref, field=field) as source:
                if limit is not None and source.size is not None and source.size > limit:
                    _too_large(field, limit)
                content = source.read() if limit is None else _read_up_to(source, limit + 1)
                if limit is not None and len(content) > limit:
                    _too_large(field, limit)
                if source.size is not None and len(content) < source.size:
                    raise http.client.IncompleteRead(content, source.size - len(content))
                return content
        except BROKEN as error:
            reason = repr(error)
        _pause(attempt)
    raise Failure("media {} could not be read: {}".format(ref, reason), category="media")


def write(
    source: Union[bytes, bytearray, memoryview, BinaryIO, Reader],
    *,
    content_type: str = "application/octet-stream",
    name: Optional[str] = None,
    origin: Optional[str] = None,
) -> str:
    """Stores bytes, or what a binary file or a Reader still holds, and returns the reference (`s3://bucket/key`).

    name:   a file name, for people
    origin: the reference that this was made from
    Raises Failure when the store does not take it.
    """
    content = bytes(source) if isinstance(source, (bytes, bytearray, memoryview)) else source
    if not isinstance(content, bytes) and not hasattr(content, "read"):
        raise TypeError("malla.media.write takes bytes or a binary file, not {!r}".format(type(source).__name__))
    base = os.environ.get("MALLA_MEDIA_URL")
    if not base:
        return _write_local(content, name)
    query = "&".join(
        "{}={}".format(key, quote(value, safe="")) for key, value in (("name", name), ("origin", origin)) if value
    )
    headers = dict(_headers(), **{"Content-Type": content_type})
    start: Optional[int] = None
    # What can only be read, such as a Reader, is sent in chunks, once.
    if not isinstance(content, bytes) and hasattr(content, "seekable") and content.seekable():
        start = content.tell()
        headers["Content-Length"] = str(content.seek(0, os.SEEK_END) - start)
        content.seek(start)
    repeatable = isinstance(content, bytes) or start is not None
    reason = ""
    for attempt in range(_ATTEMPTS if repeatable else 1):
        connection = None
        try:
            if attempt and start is not None:
                content.seek(start)  # type: ignore[union-attr]
            connection, target = _connect(base, query)
            connection.request("POST", target, body=content, headers=headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status in (200, 201):
                return str(json.loads(answer)["ref"])
            reason = "status {}: {}".format(response.status, _message(answer))
            if response.status < 500 and response.status != 429:
                break
        except BROKEN as error:
            reason = repr(error)
        except (ValueError, KeyError, TypeError):
            reason = "the answer holds no reference"
        finally:
            if connection is not None:
                connection.close()
        _pause(attempt)
    raise Failure("media could not be written: {}".format(reason), category="media")


def _connect(base: str, query: str) -> "tuple[http.client.HTTPConnection, str]":
    parts = urlsplit(base)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=_TIMEOUT, blocksize=_PIECE)
    whole = "&".join(part for part in (parts.query, query) if part)
    return connection, (parts.path or "/") + ("?" + whole if whole else "")


def _headers() -> "dict[str, str]":
    headers = {"User-Agent": "malla-python/" + __version__}
    key = os.environ.get("RUNPOD_AI_API_KEY")
    if key:
        headers["Authorization"] = key
    return headers


def _refused(status: int, answer: bytes, ref: str, field: str) -> NoReturn:
    if status in (400, 404):
        raise NotFound(field, _message(answer) or "there is no media {}".format(ref))
    if status == 413:
        raise InvalidInput(field, _message(answer) or "the media {} is too large".format(ref))
    raise Failure("media {} could not be read: status {}: {}".format(ref, status, _message(answer)), category="media")


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["error"])[:500]
    except (ValueError, KeyError, TypeError):
        return answer[:200].decode("utf-8", "replace")


def _too_large(field: str, limit: int) -> NoReturn:
    raise InvalidInput(field, "the media is larger than {} bytes, which is the limit here".format(limit))


def _read_up_to(source: Reader, count: int) -> bytes:
    pieces = []
    while count > 0:
        piece = source.read(min(count, _PIECE))
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _pause(attempt: int) -> None:
    if attempt < _ATTEMPTS - 1:
        threading.Event().wait(0.1 * 4**attempt)


def _open_local(ref: str, field: str) -> Reader:
    path = unquote(urlsplit(ref).path) if ref.startswith("file:") else ref
    try:
        stream = _open_file(path, "rb")
    except (OSError, ValueError) as error:
        raise NotFound(field, "{} (run by hand, a reference is the path of a file)".format(error)) from None
    return Reader(stream, os.fstat(stream.fileno()).st_size, "application/octet-stream")


def _write_local(content: Union[bytes, BinaryIO], name: Optional[str]) -> str:
    whole = content if isinstance(content, bytes) else content.read()
    folder = os.environ.get("MALLA_MEDIA_DIR", "media-out")
    os.makedirs(folder, exist_ok=True)
    plain = os.path.basename(name) if name else "media"
    path = os.path.join(folder, "{}-{}".format(hashlib.sha256(whole).hexdigest()[:12], plain))
    with _open_file(path, "wb") as file:
        file.write(whole)
    return path
