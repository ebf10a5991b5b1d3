#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""One photograph through the whole mesh, seen from the outside.

Starts `malla dev` on free ports with its state in a temporary folder, enrols a small gallery, sends a photograph to
`face-recognition/identify`, shows the progress, and prints what came back: stages, faces, the annotated picture, the
signed callback and the user's numbers. Ends everything that it started. Standard library only.
"""

import argparse
import base64
import binascii
import contextlib
import ctypes
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import queue
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
APP = "face-recognition"
USER = "demo-user"


class DemoError(Exception):
    """Something that a person can act on; printed without a traceback."""


# ------------------------------------------------------------------ the callback


class CallbackReceiver:
    """An HTTP server on loopback that takes callbacks and checks their Standard Webhooks signatures."""

    def __init__(self, secret: str) -> None:
        self.key = base64.b64decode(secret.removeprefix("whsec_"))
        self.received: "queue.Queue[dict]" = queue.Queue()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Answers each POST with 204 if its signature is right, else with 401."""

            def do_POST(self) -> None:  # noqa: N802 (the name is the library's)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                reason = receiver.reason_to_refuse(self.headers, body)
                self.send_response(401 if reason else 204)
                self.send_header("content-length", "0")
                self.end_headers()
                receiver.received.put(
                    {
                        "id": self.headers.get("webhook-id"),
                        "refused": reason,
                        "token": self.headers.get("x-marketplace-token"),
                        "body": body,
                    }
                )

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the demonstration prints what matters itself."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/callback"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reason_to_refuse(self, headers, body: bytes) -> "str | None":
        """Why a callback is not genuine; `None` if it is."""
        message_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
        if not message_id or not timestamp or not headers.get("webhook-signature"):
            return "it lacks webhook-id, webhook-timestamp or webhook-signature"
        if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
            return f"its timestamp {timestamp} is not within five minutes of now"
        signed = f"{message_id}.{timestamp}.".encode() + body
        expected = hmac.new(self.key, signed, hashlib.sha256).digest()
        for signature in headers["webhook-signature"].split():
            version, _, value = signature.partition(",")
            with contextlib.suppress(binascii.Error, ValueError):
                if version == "v1" and hmac.compare_digest(base64.b64decode(value), expected):
                    return None
        return "no signature matches"

    def wait_for(self, task_id: str, seconds: float) -> dict:
        """The callback of a task. Raises `DemoError` when none came in time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                callback = self.received.get(timeout=left)
            except queue.Empty:
                break
            with contextlib.suppress(ValueError):
                if json.loads(callback["body"]).get("taskId") == task_id:
                    return callback
        raise DemoError(f"no callback for task {task_id} within {seconds:.0f} s")

    def close(self) -> None:
        """Stops listening."""
        self.server.shutdown()
        self.server.server_close()


# ---------------------------------------------------------------------- the mesh


def free_ports(count: int) -> "list[int]":
    """Ports of loopback that nothing listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Mesh:
    """`malla dev` as a child process, and the marketplace's calls to it."""

    def __init__(self, binary: str, data: pathlib.Path, log: pathlib.Path, secret: str) -> None:
        port, service_port, worker_port = free_ports(3)
        self.base = f"http://127.0.0.1:{port}"
        self.token = secrets.token_urlsafe(24)
        self.log = log
        # No proxy of the environment may stand between this program and loopback.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        environment = os.environ | {
            "MARKETPLACE_TOKEN": self.token,
            "CALLBACK_SECRET": secret,
            "CALLBACK_ALLOW_NETWORKS": "127.0.0.0/8",
            "APP_API_PORT": str(port),
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": str(service_port),
            "WORKER_HTTP_HOST": "127.0.0.1",
            "WORKER_HTTP_PORT": str(worker_port),
        }
        # Callbacks and servers of the caller's own deployment are not this demonstration's.
        for name in ("MARKETPLACE_CALLBACK", "DATABASE_URL", "AMQP_URL", "REDIS_URL", "S3_ENDPOINT", "S3_BUCKET"):
            environment.pop(name, None)
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [binary, "dev", "--port", str(port), "--data", str(data)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def request(self, method: str, url: str, body: "bytes | None" = None, headers: "dict | None" = None) -> bytes:
        """One HTTP request; `DemoError` with the server's own words when it is refused."""
        request = urllib.request.Request(urllib.parse.urljoin(self.base, url), data=body, method=method)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with self.opener.open(request, timeout=60) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise DemoError(f"{method} {url.split('?')[0]} was answered with {error.code}: {text[:600]}") from error

    def marketplace(self, path: str, body: "dict | None" = None) -> dict:
        """One call of the marketplace contract."""
        headers = {"x-marketplace-token": self.token, "x-user-id": USER, "content-type": "application/json"}
        return json.loads(self.request("POST", path, json.dumps(body or {}).encode(), headers))

    def wait_until_ready(self, seconds: float) -> None:
        """Returns when `/readyz` says yes."""
        end, last = time.monotonic() + seconds, "no answer"
        while time.monotonic() < end:
            if (code := self.process.poll()) is not None:
                raise DemoError(f"malla dev ended with code {code} while starting\n{self.last_words()}")
            try:
                self.request("GET", "/readyz")
                return
            except (DemoError, OSError) as error:
                last = str(error)
            time.sleep(0.1)
        raise DemoError(f"malla dev was not ready after {seconds:.0f} s: {last}\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of the mesh's log."""
        lines = self.log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join(["the end of " + str(self.log) + ":"] + ["  " + line for line in lines])

    def upload(self, picture: pathlib.Path) -> str:
        """Puts a file into the media store through a presigned URL; returns the reference for a payload."""
        name = urllib.parse.quote(picture.name)
        answer = self.marketplace(f"/upload?s3_key={name}")
        if answer.get("code") != 0:
            raise DemoError(f"/upload refused {picture.name}: {answer}")
        self.request("PUT", answer["data"]["presignedUrl"], picture.read_bytes(), {"content-type": "image/png"})
        return answer["data"]["reference"]

    def call(self, method: str, payload: dict, callback: "str | None" = None) -> str:
        """Submits a request; returns its task id."""
        body = {"method": method, "payload": payload}
        if callback:
            body["callbackUrl"] = callback
        return self.marketplace(f"/{APP}/call", body)["response"]["taskId"]

    def result(self, task_id: str, seconds: float, show=None) -> dict:
        """Polls a task until it has ended well; `show` sees each answer on the way."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = self.marketplace(f"/{APP}/result", {"taskId": task_id})
            status = answer["errorCode"]["status"].rpartition("_")[2]
            if show:
                show(answer)
            if status == "000":
                return answer
            if status not in ("001", "002"):
                raise DemoError(f"task {task_id} failed: {answer['errorCode']}\n{self.last_words()}")
            time.sleep(0.1)
        raise DemoError(f"task {task_id} has not ended after {seconds:.0f} s\n{self.last_words()}")

    def stop(self) -> None:
        """Asks the mesh to drain and waits; after 20 s it is killed."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            print(f"malla dev did not stop within 20 s, killing pid {self.process.pid}", file=sys.stderr)
            self.process.kill()
            self.process.wait()


def adopt_orphans() -> None:
    """Lets processes that the mesh leaves behind become our children (Linux), so that they can be found and ended."""
    if sys.platform == "linux":
        set_child_subreaper = 36
        ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def end_orphans() -> "list[str]":
    """Kills what is left of the mesh, and says what it was. Empty when it stopped cleanly."""
    left = []
    # Each round ends the children; theirs become ours for the next.
    while pids := [
        int(pid) for file in pathlib.Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()
    ]:
        for pid in pids:
            with contextlib.suppress(OSError):
                line = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if line:
                    left.append(f"pid {pid}: {line.strip()}")
                    os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
    return left


# ------------------------------------------------------------------- the printing


def seconds_of(stage: dict) -> str:
    """A stage's time, as far as it is known."""
    duration = stage.get("duration_ms")
    return f"{duration / 1000:8.3f} s" if isinstance(duration, (int, float)) else " " * 10


def stages_of(answer: dict) -> "list[dict]":
    """The stages in an answer of `/result`."""
    progress = (answer.get("response") or {}).get("progress") or {}
    return progress.get("stages") or []


class Progress:
    """Shows the stages: redrawn in place on a terminal, a line per change elsewhere."""

    SIGNS = {"succeeded": "+", "done": "+", "running": ">", "failed": "!", "skipped": "-"}

    def __init__(self) -> None:
        self.terminal = sys.stdout.isatty()
        self.drawn = 0
        self.last: "list[str]" = []

    def __call__(self, answer: dict) -> None:
        lines = []
        for stage in stages_of(answer):
            state = str(stage.get("state", "?"))
            items = stage.get("items")
            count = f"  {stage.get('done', 0)}/{items}" if isinstance(items, int) and items != 1 else ""
            lines.append(f"  {self.SIGNS.get(state, '.')} {stage.get('name', '?'):<12} {state:<10}{count}")
        if lines == self.last:
            return
        if self.terminal:
            if self.drawn:
                print(f"\x1b[{self.drawn}A", end="")
            for line in lines:
                print(f"\x1b[2K{line}")
            self.drawn = len(lines)
        else:
            for line in lines:
                if line not in self.last:
                    print(line)
        sys.stdout.flush()
        self.last = lines


def result_data(answer: dict) -> dict:
    """The JSON part of a result, whatever its data type."""
    response = answer["response"]
    data = response.get("data")
    if response.get("dataType") == "HYBRID" and isinstance(data, list):
        merged: dict = {}
        for part in data:
            if part.get("dataType") == "S3_OBJECT":
                merged.setdefault("annotated", part.get("data"))
            elif isinstance(part.get("data"), dict):
                merged.update(part["data"])
        return merged
    return data if isinstance(data, dict) else {"data": data}


def box_text(box: object) -> str:
    """A face's box as `x,y width x height`, or as it came."""
    if isinstance(box, dict):
        width, height = box.get("width", box.get("w")), box.get("height", box.get("h"))
        box = [box.get("x", box.get("left")), box.get("y", box.get("top")), width, height]
    if isinstance(box, list) and len(box) == 4 and all(isinstance(value, (int, float)) for value in box):
        return "at {:.0f},{:.0f} size {:.0f} x {:.0f}".format(*box)
    return json.dumps(box)


def best_match(face: dict) -> str:
    """Who a face looks like most, with the score."""
    match = face.get("best") or face.get("match")
    if not match and isinstance(face.get("matches"), list) and face["matches"]:
        match = face["matches"][0]
    if isinstance(match, str):
        return match
    if not isinstance(match, dict):
        return "nobody in the gallery"
    name = match.get("name") or match.get("id") or match.get("label")
    score = match.get("score", match.get("similarity"))
    return f"{name} ({score:.3f})" if isinstance(score, (int, float)) else str(name)


def save_annotated(mesh: Mesh, data: dict, folder: pathlib.Path) -> None:
    """Fetches the annotated picture and says where it lies, in the media store and here."""
    media = data.get("annotated")
    if media is None:
        raise DemoError(f"the result names no annotated picture: {json.dumps(data)[:400]}")
    # A media reference, or an object that holds one beside a presigned URL.
    words = [word for word in (media.values() if isinstance(media, dict) else [media]) if isinstance(word, str)]
    url = next((word for word in words if word.startswith(("http://", "https://"))), None)
    reference = next((word for word in words if word.startswith("s3://")), words[0] if words else url)
    if not url:
        headers = {"x-marketplace-token": mesh.token, "x-user-id": USER}
        path = f"/download?s3_key={urllib.parse.quote(str(reference), safe='')}"
        url = json.loads(mesh.request("GET", path, headers=headers))["data"]["url"]
    picture = mesh.request("GET", url)
    target = folder / ("annotated.png" if picture.startswith(b"\x89PNG") else "annotated.jpg")
    target.write_bytes(picture)
    print(f"\nAnnotated picture\n  in the mesh  {reference}\n  a copy       {target} ({len(picture)} bytes)")


# --------------------------------------------------------------- the demonstration


def demonstrate(mesh: Mesh, receiver: CallbackReceiver, pictures: pathlib.Path, folder: pathlib.Path) -> None:
    """The whole tour."""
    began = time.monotonic()
    print("Starting malla dev: every role in one process, no server ...", flush=True)
    mesh.wait_until_ready(120)
    print(f"  ready after {time.monotonic() - began:.1f} s at {mesh.base}")

    people = json.loads((pictures / "gallery.json").read_text(encoding="utf-8"))["people"]
    print(f"\nEnrolling {len(people)} people", flush=True)
    tasks = []
    for person in people:
        payload = {"name": person["name"], "image": mesh.upload(pictures / person["image"])}
        tasks.append((person["name"], mesh.call("enrol", payload)))
    for name, task in tasks:
        mesh.result(task, 180)
        print(f"  + {name}", flush=True)

    print(f"\nIdentifying the faces in {pictures / 'photo.png'}", flush=True)
    task = mesh.call("identify", {"image": mesh.upload(pictures / "photo.png")}, receiver.url)
    print(f"  task {task}", flush=True)
    answer = mesh.result(task, 180, Progress())
    data = result_data(answer)

    print("\nStages")
    for stage in stages_of(answer):
        items = f"  {stage['items']} items" if isinstance(stage.get("items"), int) and stage["items"] != 1 else ""
        print(f"  {stage.get('name', '?'):<12} {seconds_of(stage)}{items}")
    print(f"  {'in all':<12} {answer.get('processDuration', 0):8.3f} s")

    faces = data.get("faces") or []
    print(f"\nFaces: {len(faces)}")
    for face in faces:
        print(f"  {box_text(face.get('box'))}: {best_match(face)}")
    if not faces:
        raise DemoError(f"no face was found in the photograph: {json.dumps(data)[:400]}")

    save_annotated(mesh, data, folder)

    callback = receiver.wait_for(task, 30)
    if callback["refused"]:
        raise DemoError(f"the callback is not genuine: {callback['refused']}")
    status = json.loads(callback["body"])["errorCode"]
    size = len(callback["body"])
    print(f"\nCallback {callback['id']}\n  signature verified, {size} bytes: {status['status']} {status['reason']}")

    numbers = mesh.marketplace(f"/{APP}/stats")["response"]
    print(f"\nNumbers of {USER}")
    for name in sorted(numbers, key=lambda one: not one.startswith("numRequest")):
        if isinstance(numbers[name], (int, float, str)):
            print(f"  {name:<20} {numbers[name]}")


def main() -> int:
    """Runs the demonstration; 0 if all of it worked and nothing was left running."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--malla", required=True, help="the malla binary")
    parser.add_argument("--keep", default=ROOT / ".malla-demo", type=pathlib.Path, help="folder for log and picture")
    arguments = parser.parse_args()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    adopt_orphans()
    folder = arguments.keep.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    work = pathlib.Path(tempfile.mkdtemp(prefix="malla-demo."))
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    receiver, mesh, code = CallbackReceiver(secret), None, 1
    began = time.monotonic()
    try:
        pictures = folder / "pictures"
        made = subprocess.run(
            [sys.executable, str(ROOT / "demo" / "gallery.py"), str(pictures)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )
        if made.returncode != 0:
            raise DemoError(f"demo/gallery.py failed:\n{made.stderr.strip()}")
        mesh = Mesh(arguments.malla, work / "data", folder / "malla.log", secret)
        demonstrate(mesh, receiver, pictures, folder)
        code = 0
    except (DemoError, OSError, KeyError, ValueError) as error:
        words = str(error) if isinstance(error, DemoError) else f"{type(error).__name__}: {error}"
        print(f"\ndemo: {words}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        code = 130
    finally:
        # A second Ctrl-C must not cut the cleaning up short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if mesh:
            mesh.stop()
        receiver.close()
        shutil.rmtree(work, ignore_errors=True)
    if left := end_orphans():
        print("demo: malla dev left processes running, ended now:", *left, sep="\n  ", file=sys.stderr)
        code = code or 1
    if code == 0:
        print(f"\nDone in {time.monotonic() - began:.1f} s, nothing left running. To play with it: make dev")
    return code


if __name__ == "__main__":
    sys.exit(main())
