# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The real `runpod` package as a client of Malla: every call it has, sync and asyncio."""

import asyncio
import http.server
import json
import queue
import threading

import pytest
import requests

from conftest import KEY


def call(mesh, method, path, body=None, **options):
    headers = {"Authorization": f"Bearer {KEY}"}
    return requests.request(method, f"{mesh.base}/v2/{path}", json=body, headers=headers, timeout=60, **options)


def wait_for(mesh, endpoint, job, status):
    while True:
        answer = call(mesh, "GET", f"{endpoint}/status/{job}").json()
        if answer["status"] == status:
            return answer
        assert answer["status"] in ("IN_QUEUE", "IN_PROGRESS"), answer


@pytest.fixture
def gate(tmp_path):
    """A file that lets the held jobs end; made after the test whatever happened."""
    path = tmp_path / "go"
    yield path
    path.touch()


# The sync client


def test_run_and_follow(runpod):
    job = runpod.Endpoint("echo").run({"input": {"text": "hola ü"}})
    assert job.output(timeout=30) == {"text": "hola ü"}
    assert job.status() == "COMPLETED"


def test_run_wraps_a_bare_input(runpod):
    endpoint = runpod.Endpoint("echo")
    assert endpoint.run({"text": 1}).output(timeout=30) == {"text": 1}
    assert endpoint.run({"input": {}}).output(timeout=30) == {"input": {}}


def test_run_sync(runpod):
    assert runpod.Endpoint("echo").run_sync({"input": {"n": [1, 2.5, None]}}, timeout=30) == {"n": [1, 2.5, None]}
    assert runpod.Endpoint("hand").run_sync({"prompt": "x"}, timeout=60) == {"echo": {"prompt": "x"}}


@pytest.mark.parametrize("kind, words", [("raise", "bad colour"), ("soft", "soft failure")])
def test_a_failure_is_told(runpod, mesh, kind, words):
    job = runpod.Endpoint("hand").run({"input": {"kind": kind}})
    assert job.output(timeout=60) is None
    assert job.status() == "FAILED"
    assert words in call(mesh, "GET", f"hand/status/{job.job_id}").json()["error"]


def test_stream(runpod):
    job = runpod.Endpoint("writer").run({"input": {"text": "uno dos tres"}})
    words = [part["word"] for part in job.stream()]
    assert words == ["uno", "dos", "tres"]
    assert [part["number"] for part in job.output()] == [0, 1, 2]


def test_stream_of_a_generator_that_fails(runpod):
    job = runpod.Endpoint("writer").run({"input": {"text": "uno dos", "fails": True}})
    assert [part["word"] for part in job.stream()] == ["uno", "dos"]
    assert job.status() == "FAILED"


def test_progress_cancel_and_purge(runpod, mesh, gate):
    endpoint = runpod.Endpoint("hand")
    held = endpoint.run({"input": {"kind": "hold", "until": str(gate)}})
    wait_for(mesh, "hand", held.job_id, "IN_PROGRESS")
    while "output" not in (shown := call(mesh, "GET", f"hand/status/{held.job_id}").json()):
        assert shown["status"] == "IN_PROGRESS"
    assert shown["output"] == {"at": "half"}
    waiting = [endpoint.run({"input": {"n": n}}) for n in range(4)]
    assert waiting[0].cancel()["status"] == "CANCELLED"
    assert waiting[0].status() == "CANCELLED"
    health = endpoint.health()
    assert health["jobs"]["inProgress"] == 1 and health["jobs"]["inQueue"] == 3
    assert health["workers"]["running"] == 1
    assert endpoint.purge_queue() == {"removed": 3, "status": "completed"}
    with pytest.raises(TimeoutError):
        held.output(timeout=1)
    assert held.cancel()["status"] == "CANCELLED"
    # The handler was stopped, or the next would wait for ever.
    assert endpoint.run_sync({"input": {"n": 9}}, timeout=60) == {"echo": {"n": 9}}


def test_wrong_key_and_unknown_endpoint(runpod):
    with pytest.raises(RuntimeError):
        runpod.Endpoint("echo", api_key="other").run({"input": {"a": 1}})
    with pytest.raises(requests.HTTPError) as error:
        runpod.Endpoint("nobody").run({"input": {"a": 1}})
    assert error.value.response.status_code == 404
    assert "echo, hand, writer" in error.value.response.json()["error"]


# The asyncio client


def asyncio_client(runpod, body):
    async def run():
        from runpod.http_client import AsyncClientSession

        async with AsyncClientSession() as session:
            return await body(lambda endpoint: runpod.AsyncioEndpoint(endpoint, session))

    return asyncio.run(run())


def test_asyncio_run_and_follow(runpod):
    async def body(endpoint):
        job = await endpoint("echo").run({"text": "x"})
        assert isinstance(job, runpod.AsyncioJob)
        assert await job.output(timeout=30) == {"text": "x"}
        assert await job.status() == "COMPLETED"

    asyncio_client(runpod, body)


def test_asyncio_stream(runpod):
    async def body(endpoint):
        job = await endpoint("writer").run({"text": "uno dos tres"})
        return [part["word"] async for part in job.stream()]

    assert asyncio_client(runpod, body) == ["uno", "dos", "tres"]


def test_asyncio_cancel_health_and_purge(runpod, mesh, gate):
    async def body(endpoint):
        hand = endpoint("hand")
        held = await hand.run({"kind": "hold", "until": str(gate)})
        while await held.status() != "IN_PROGRESS":
            await asyncio.sleep(0.02)
        waiting = await hand.run({"n": 1})
        assert await waiting.status() == "IN_QUEUE"
        health = await hand.health()
        assert health["jobs"]["inQueue"] == 1 and set(health["workers"]) >= {"idle", "running"}
        assert await hand.purge_queue() == {"removed": 1, "status": "completed"}
        assert (await held.cancel())["status"] == "CANCELLED"
        assert await held.status() == "CANCELLED"

    asyncio_client(runpod, body)


# What the package sends along, and what it has no call for


def test_policy_and_storage_reach_the_handler(mesh):
    storage = {"accessId": "a", "accessSecret": "s", "bucketName": "b", "endpointUrl": "https://s3.example"}
    body = {"input": {"kind": "job"}, "s3Config": storage, "policy": {"executionTimeout": 60000, "ttl": 120000}}
    answer = call(mesh, "POST", "hand/runsync?wait=60000", body).json()
    assert answer["status"] == "COMPLETED", answer
    assert answer["output"]["s3Config"] == storage and answer["output"]["id"] == answer["id"]
    assert "webhook" not in answer["output"]


def test_execution_timeout(mesh, gate):
    body = {"input": {"kind": "hold", "until": str(gate)}, "policy": {"executionTimeout": 5000}}
    answer = call(mesh, "POST", "hand/runsync?wait=60000", body).json()
    assert answer["status"] == "TIMED_OUT" and answer["error"], answer
    retried = call(mesh, "POST", f"hand/retry/{answer['id']}")
    assert retried.status_code == 200 and retried.json()["status"] in ("IN_QUEUE", "IN_PROGRESS")
    gate.touch()
    assert call(mesh, "GET", f"hand/status-sync/{answer['id']}?wait=60000").json()["output"] == "done"


def test_webhook(runpod):
    calls = queue.Queue()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            calls.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        webhook = f"http://127.0.0.1:{server.server_port}/done"
        job = runpod.Endpoint("echo").run({"input": {"n": 1}, "webhook": webhook})
        told = calls.get(timeout=30)
        assert told["id"] == job.job_id and told["status"] == "COMPLETED"
        assert told["output"] == {"n": 1} and told["input"] == {"n": 1}
    finally:
        server.shutdown()


def test_contract(runpod):
    contract = {
        "contract_version": "2.1",
        "source": {"system": "DECK"},
        "target": {"service": "ECHO", "module": "ASR"},
        "input": {"type": "audio", "data": "UklG"},
    }
    output = runpod.Endpoint("echo").run_sync({"input": {"contract": contract}}, timeout=30)
    assert output["status"] == "completed" and output["output"]["data"]["data"] == "UklG"
