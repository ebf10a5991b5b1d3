# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""A load of calls, open loop or closed, from one thread, and the receiver of their callbacks."""

import collections
import json
import os
import re
import selectors
import socket
import time

from overload_mesh import Mesh

LENGTH = re.compile(rb"content-length: *(\d+)", re.I)
REQUEST_ID = re.compile(rb"x-request-id: *([^\r]+)", re.I)
RETRY = re.compile(rb"retry-after: *(\d+)", re.I)
VERDICT = re.compile(rb'"status":"[A-Z]+_(\d+)"')
OK_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


def quantile(values: "list[float]", share: float) -> float:
    """A quantile, in milliseconds; nan of nothing."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def received(source: socket.socket) -> "bytes | None":
    """What has come, nothing at the connection's end; None when there is nothing yet."""
    try:
        return source.recv(1 << 18)
    except BlockingIOError:
        return None
    except OSError:
        return b""


class Connection:
    """A keep-alive connection; requests wait in a pipeline only when all connections are busy."""

    def __init__(self, load: "Load") -> None:
        self.load = load
        entrances = load.mesh.entrances
        self.socket = socket.create_connection(("127.0.0.1", entrances[len(load.connections) % len(entrances)]))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.sent: "collections.deque[tuple[bytes, float]]" = collections.deque()
        self.out = bytearray()
        self.buffer = b""
        load.selector.register(self.socket, selectors.EVENT_READ, self.readable)

    def send(self, data: bytes, key: bytes, due: float) -> None:
        """Adds a request to the pipeline."""
        self.sent.append((key, due))
        self.out += data
        self.flush()

    def flush(self) -> None:
        """Writes what the socket takes."""
        try:
            while self.out:
                del self.out[: self.socket.send(self.out)]
        except BlockingIOError:
            self.load.unwritten.add(self)
        else:
            self.load.unwritten.discard(self)

    def readable(self) -> None:
        """Takes answers."""
        data = received(self.socket)
        if data is None:
            return
        if not data:
            self.load.lost += len(self.sent)
            for key, _ in self.sent:
                self.load.settle(key)
            self.sent.clear()
            self.load.selector.unregister(self.socket)
            self.socket.close()
            self.load.drop(self)
            return
        buffer = self.buffer + data
        start = 0
        now = time.perf_counter()
        while True:
            end = buffer.find(b"\r\n\r\n", start)
            if end < 0:
                break
            head = buffer[start:end]
            size = end + 4 + int(LENGTH.search(head)[1])
            if size > len(buffer):
                break
            key, due = self.sent.popleft()
            self.load.answered(int(head[9:12]), key, due, now, head, buffer[end + 4 : size])
            start = size
            if not self.sent:
                self.load.idle.append(self)
        self.buffer = buffer[start:]


class Caller:
    """One connection of the App API that calls back."""

    def __init__(self, load: "Load", accepted: socket.socket) -> None:
        self.load, self.socket, self.buffer = load, accepted, b""
        accepted.setblocking(False)
        load.selector.register(accepted, selectors.EVENT_READ, self.readable)

    def readable(self) -> None:
        """Takes callbacks and answers each with 200."""
        data = received(self.socket)
        if data is None:
            return
        if not data:
            self.load.selector.unregister(self.socket)
            self.socket.close()
            return
        buffer = self.buffer + data
        start = 0
        now = time.perf_counter()
        count = 0
        while True:
            end = buffer.find(b"\r\n\r\n", start)
            if end < 0:
                break
            head = buffer[start:end]
            size = end + 4 + int(LENGTH.search(head)[1])
            if size > len(buffer):
                if b"100-continue" in head.lower() and end + 4 == len(buffer):
                    self.socket.send(b"HTTP/1.1 100 Continue\r\n\r\n")
                break
            self.load.called_back(REQUEST_ID.search(head)[1], buffer[end + 4 : size], now)
            start = size
            count += 1
        self.buffer = buffer[start:]
        if count:
            self.socket.send(OK_ANSWER * count)


class Phase:
    """What was seen of the requests of one phase."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.started = time.perf_counter()
        self.ended = self.started
        self.offered = 0
        self.codes: "collections.Counter[int]" = collections.Counter()
        self.answers: "dict[int, list[float]]" = collections.defaultdict(list)
        self.ends: "list[tuple[float, float]]" = []
        self.retry: "list[int]" = []
        self.bad: "collections.Counter[str]" = collections.Counter()


class Load:
    """Open and closed loops, and the receiver of the callbacks, on one thread."""

    def __init__(
        self, mesh: Mesh, connections: int, users: int, size: int, method: str, payload: "dict | None" = None
    ) -> None:
        self.mesh = mesh
        self.selector = selectors.DefaultSelector()
        self.receiver = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.receiver.setblocking(False)
        self.selector.register(self.receiver, selectors.EVENT_READ, self.accept)
        self.lost = 0
        self.open: "dict[bytes, tuple[Phase, float]]" = {}
        self.unanswered: "set[bytes]" = set()
        # Callbacks that came before the answers to their calls were read.
        self.early: "dict[bytes, tuple[float, bytes]]" = {}
        self.count = 0
        # Another load may have asked this ledger before; what it asked for must not be asked for again.
        self.name = os.urandom(4).hex().encode()
        self.users = users
        self.duplicates = 0
        self.seen: "set[bytes]" = set()
        callback = f"http://127.0.0.1:{self.receiver.getsockname()[1]}/cb"
        self.body = json.dumps(
            {"method": method, "payload": payload or {"payload": "x" * size}, "callbackUrl": callback},
            separators=(",", ":"),
        ).encode()
        self.most = connections
        self.connections: "list[Connection]" = []
        self.idle: "list[Connection]" = []
        self.unwritten: "set[Connection]" = set()
        self.turn = 0
        self.phase = Phase("none")

    def drop(self, connection: Connection) -> None:
        """Forgets a connection that the server closed."""
        self.connections.remove(connection)
        self.unwritten.discard(connection)
        if connection in self.idle:
            self.idle.remove(connection)

    def free(self) -> Connection:
        """A connection with nothing under way if there may be one, or the next in turn."""
        if self.idle:
            return self.idle.pop()
        if len(self.connections) < self.most:
            self.connections.append(Connection(self))
            return self.connections[-1]
        self.turn = (self.turn + 1) % len(self.connections)
        return self.connections[self.turn]

    def accept(self) -> None:
        """A connection of the sender of callbacks."""
        try:
            Caller(self, self.receiver.accept()[0])
        except BlockingIOError:
            return

    def send(self, due: float, user: "bytes | None" = None) -> None:
        """One request."""
        self.count += 1
        key = b"%s-%d" % (self.name, self.count)
        user = user or b"u%d" % (self.count % self.users)
        data = (
            b"POST /bench/call HTTP/1.1\r\nhost: mesh\r\nx-marketplace-token: overload-token\r\nx-user-id: "
            + user + b"\r\nx-request-id: " + key
            + b"\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(self.body)
            + self.body
        )
        self.phase.offered += 1
        self.open[key] = (self.phase, due)
        self.unanswered.add(key)
        self.free().send(data, key, due)

    def answered(self, status: int, key: bytes, due: float, now: float, head: bytes, body: bytes) -> None:
        """An answer to a call."""
        phase = self.open[key][0]
        phase.codes[status] += 1
        phase.answers[status].append(now - due)
        if status != 200:
            self.unanswered.discard(key)
            del self.open[key]
            phase.bad[VERDICT.search(body)[1].decode() if VERDICT.search(body) else "?"] += 1
            retry = RETRY.search(head)
            if retry:
                phase.retry.append(int(retry[1]))
        else:
            self.settle(key)

    def settle(self, key: bytes) -> None:
        """An answer was read, or can't come any more: what came before it counts now."""
        self.unanswered.discard(key)
        if key in self.early:
            self.finish(key, *self.early.pop(key))

    def called_back(self, key: bytes, body: bytes, now: float) -> None:
        """A callback, maybe before the answer to its call was read."""
        if key in self.seen:
            self.duplicates += 1
            return
        self.seen.add(key)
        if key in self.unanswered:
            self.early[key] = (now, body)
        elif key in self.open:
            self.finish(key, now, body)

    def finish(self, key: bytes, now: float, body: bytes) -> None:
        """A task ended."""
        phase, due = self.open.pop(key)
        verdict = VERDICT.search(body)
        if verdict and verdict[1] == b"000":
            phase.ends.append((now, now - due))
        else:
            phase.bad[body[-120:].decode(errors="replace")] += 1

    def poll(self, timeout: float) -> None:
        """Handles what is there, and waits for it at most so long."""
        for key, _ in self.selector.select(max(0.0, timeout)):
            key.data()
        for connection in list(self.unwritten):
            connection.flush()

    def begin(self, name: str) -> Phase:
        """A new phase: what is sent from now on counts for it."""
        self.phase = Phase(name)
        return self.phase

    def closed(self, name: str, window: int, seconds: float) -> float:
        """Keeps so many tasks open end to end; returns tasks per second."""
        phase = self.begin(name)
        stop = phase.started + seconds
        while time.perf_counter() < stop:
            while len(self.open) < window:
                self.send(time.perf_counter())
            self.poll(0.05)
        phase.ended = time.perf_counter()
        done = len(phase.ends)
        self.drain(60)
        return done / seconds

    def closed_tasks(self, name: str, window: int, tasks: int) -> Phase:
        """So many tasks, `window` of them open end to end."""
        phase = self.begin(name)
        while len(phase.ends) < tasks and not phase.bad and not self.lost:
            while phase.offered < tasks and len(self.open) < window:
                self.send(time.perf_counter())
            self.poll(0.05)
        phase.ended = time.perf_counter()
        return phase

    def flood(self, name: str, window: int, tasks: int) -> Phase:
        """So many tasks, as fast as `window` submissions at a time are answered."""
        phase = self.begin(name)
        while phase.offered < tasks:
            for _ in range(min(window - sum(len(one.sent) for one in self.connections), tasks - phase.offered)):
                self.send(time.perf_counter())
            self.poll(0.05)
        phase.ended = time.perf_counter()
        return phase

    def steady(self, name: str, rate: float, seconds: float, every=None) -> Phase:
        """Sends at a rate whatever comes back."""
        phase = self.begin(name)
        sent = 0
        tick = phase.started
        while (now := time.perf_counter()) < phase.started + seconds:
            due = int((now - phase.started) * rate)
            while sent < due:
                self.send(phase.started + (sent + 1) / rate)
                sent += 1
                if sent % 64 == 0:
                    self.poll(0)
            if every and now >= tick:
                every(now - phase.started)
                tick += 1
            self.poll(min(0.005, 1 / rate))
        phase.ended = time.perf_counter()
        return phase

    def require_all(self, *phases: Phase) -> None:
        """Ends the program when a task of these phases was lost, refused, repeated or did not end well."""
        for phase in phases:
            if len(phase.ends) != phase.offered or phase.bad:
                raise SystemExit(f"{phase.name}: {phase.offered} offered, {len(phase.ends)} ended well, {phase.bad}")
        if self.duplicates or self.lost:
            raise SystemExit(f"{self.duplicates} callbacks came twice, {self.lost} answers were lost")

    def drain(self, seconds: float) -> int:
        """Waits until every accepted task has ended; returns how many have not."""
        stop = time.perf_counter() + seconds
        while self.open and time.perf_counter() < stop:
            self.poll(0.05)
        return len(self.open)
