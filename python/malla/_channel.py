# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""One kept-alive HTTP connection. Used by one thread at a time; only interrupt() may come from another."""

from __future__ import annotations

import http.client
import socket
from typing import Dict, NamedTuple, Optional
from urllib.parse import urlsplit

from ._version import __version__

#: What a broken, refused or garbled exchange raises.
BROKEN = (OSError, http.client.HTTPException)


class Answer(NamedTuple):
    """Status, headers that matter, and the whole body."""

    status: int
    content_type: str
    retry_after: Optional[float]
    body: bytes


class Channel:
    """A connection to the server of a URL, opened when it is needed and kept open."""

    def __init__(self, url: str, key: Optional[str]) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("not an http URL: {!r}".format(url))
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port
        self._connection: Optional[http.client.HTTPConnection] = None
        self._headers: Dict[str, str] = {
            "Content-Type": "application/json",
            "User-Agent": "malla-python/" + __version__,
        }
        if key:
            self._headers["Authorization"] = key

    def request(self, method: str, target: str, body: Optional[bytes], timeout: float) -> Answer:
        """Sends one request and reads the whole answer. Raises one of BROKEN, and then closes the connection.

        A kept-alive connection that the server closed meanwhile is opened again once, at once: every request of the
        protocol may be repeated.
        """
        reused = self._connection is not None
        try:
            return self._request(method, target, body, timeout)
        except socket.timeout:
            raise
        except BROKEN:
            if not reused:
                raise
        return self._request(method, target, body, timeout)

    def _request(self, method: str, target: str, body: Optional[bytes], timeout: float) -> Answer:
        connection = self._connection
        try:
            if connection is None:
                kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
                connection = kind(self._host, self._port, timeout=timeout)
                connection.connect()
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._connection = connection
            elif connection.sock is not None:
                connection.sock.settimeout(timeout)
            connection.request(method, target, body, self._headers)
            response = connection.getresponse()
            content = response.read()
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        return Answer(
            response.status,
            response.headers.get("Content-Type", ""),
            _seconds(response.headers.get("Retry-After")),
            content,
        )

    def interrupt(self) -> None:
        """Ends a read that waits: what has arrived is still read, then the connection counts as broken."""
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is None:
            return
        try:
            # The plain socket's method: the one of a TLS socket would take its state away under the reading thread.
            socket.socket.shutdown(sock, socket.SHUT_RD)
        except OSError:
            pass  # closed meanwhile, which is what was wanted

    def close(self) -> None:
        """Closes the connection; the next request opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def target_of(url: str) -> str:
    """Path and query of a URL, as they go into the request line."""
    parts = urlsplit(url)
    return (parts.path or "/") + ("?" + parts.query if parts.query or url.endswith("?") else "")


def _seconds(text: Optional[str]) -> Optional[float]:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
