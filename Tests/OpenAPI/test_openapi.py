# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Whatever `/openapi.json` allows, and what it does not, is sent to a running `malla dev`: no call may answer with a
fault of the server, and every answer must be as the document says."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

HERE = pathlib.Path(__file__).parent
TREE = HERE.parent.parent
TOKEN = "openapi-test-token"
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """A running `malla dev` on the services beside this file."""
    folder = tmp_path_factory.mktemp("malla")
    (folder / "apps").mkdir()
    port = free_port()
    environment = {
        **os.environ,
        "HTTP_PORT": str(port),
        "APPS_DIR": str(folder / "apps"),
        "SERVICES_DIR": str(HERE / "services"),
        "AI_SERVICE_TOKEN": TOKEN,
        "MESH_TOKEN": TOKEN,
        "INFRA_STATUS_URLS": f"self=http://127.0.0.1:{port}/metrics,gone=http://127.0.0.1:1/",
    }
    binary = os.environ.get("MALLA_BINARY", str(TREE / ".build/debug/malla"))
    command = [binary, "dev", "--port", str(free_port()), "--data", str(folder / "data")]
    with open(folder / "malla.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while True:
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            pytest.fail("malla dev does not start:\n" + (folder / "malla.log").read_text()[-4000:])
        try:
            with urllib.request.urlopen(address + "/readyz", timeout=2):
                break
        except OSError:
            time.sleep(0.05)
    yield address
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0


@pytest.fixture(scope="session")
def document(base):
    return schemathesis.openapi.from_url(base + "/openapi.json")


schema = schemathesis.pytest.from_fixture("document")


def shorten(case):
    """Calls that may be held open are not: they would take the whole time."""
    if isinstance(case.body, dict) and isinstance(case.body.get("wait_seconds"), (int, float)):
        case.body["wait_seconds"] = 0
    if isinstance(case.query, dict) and "wait" in case.query:
        case.query["wait"] = 1000


@schema.exclude(path_regex="^/v2/.*/(runsync|status-sync|job-take|job-stop|job-stream|openai)").parametrize()
@settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_call_answers_as_the_document_says(case):
    shorten(case)
    case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, checks=CHECKS, timeout=40)


def call(base, method, path, body=None):
    request = urllib.request.Request(
        base + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_answers_of_a_whole_life_fit_the_document(base, document):
    """The calls above meet hardly any job that is there; these walk through one job's life."""

    def check(method, path, template, body=None, status=200):
        import requests

        answer = requests.request(
            method, base + path, json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=40
        )
        assert answer.status_code == status, answer.text
        document[template][method].validate_response(answer)
        return answer.json()

    job = check("POST", "/api/v1/jobs", "/api/v1/jobs", {"task_type": "llm_chat"}, 201)["id"]
    check("GET", f"/api/v1/jobs/{job}", "/api/v1/jobs/{id}")
    check("GET", f"/api/v1/jobs/{job}/explain", "/api/v1/jobs/{id}/explain")
    worker = {"worker_id": "w"}
    held = check("POST", "/api/v1/jobs/claim", "/api/v1/jobs/claim", {**worker, "task_types": ["llm_chat"]})
    assert held["jobs"][0]["id"] == job
    beat = "/api/v1/jobs/{id}/heartbeat"
    check("POST", f"/api/v1/jobs/{job}/heartbeat", beat, {**worker, "progress": {"done": 1}})
    check("GET", f"/api/v1/jobs/{job}", "/api/v1/jobs/{id}")
    failure = {**worker, "category": "handler", "message": "x", "retry": False}
    check("POST", f"/api/v1/jobs/{job}/fail", "/api/v1/jobs/{id}/fail", failure)
    check("POST", f"/api/v1/jobs/{job}/retry", "/api/v1/jobs/{id}/retry")
    check("POST", "/api/v1/jobs/claim", "/api/v1/jobs/claim", worker)
    done = {**worker, "result": {"a": 1}, "usage": {"prompt_tokens": 3}}
    check("POST", f"/api/v1/jobs/{job}/complete", "/api/v1/jobs/{id}/complete", done)
    check("POST", f"/api/v1/jobs/{job}/cancel", "/api/v1/jobs/{id}/cancel", status=409)
    batch = {"jobs": [{"task_type": "llm_chat"}, {"task_type": "nosuch"}], "partial": True}
    check("POST", "/api/v1/jobs/batch", "/api/v1/jobs/batch", batch, 201)
    check("POST", "/api/v1/jobs/cancel", "/api/v1/jobs/cancel", {"status": "pending"})
    check("GET", "/api/v1/jobs?limit=1", "/api/v1/jobs")
    check("GET", "/api/v1/stats?group_by=task_type", "/api/v1/stats")
    check("GET", "/api/v1/workers", "/api/v1/workers")
    check("GET", "/api/v1/queues", "/api/v1/queues")
    check("GET", "/api/v1/providers/status", "/api/v1/providers/status")
    check("GET", "/api/v1/infra/status", "/api/v1/infra/status")


def test_the_page_works_as_it_stands(base, tmp_path):
    """docs/jobs.md: its worker, run as it is written there, completes a job."""
    page = (TREE / "docs/jobs.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    (tmp_path / "worker.py").write_text(code)
    status, text = call(base, "POST", "/api/v1/jobs", {"task_type": "capitals", "input": {"text": "hola"}})
    assert status == 201, text
    job = json.loads(text)["id"]
    environment = {**os.environ, "MALLA_URL": base, "AI_SERVICE_TOKEN": TOKEN}
    worker = subprocess.Popen(["python3", str(tmp_path / "worker.py")], env=environment)
    try:
        # Server-sent events end with the job's final state.
        status, events = call(base, "GET", f"/api/v1/jobs/{job}/events")
        assert status == 200
        last = json.loads(events.strip().split("data: ")[-1])
        assert last["status"] == "completed" and last["result"] == {"text": "HOLA"}, events
        assert worker.poll() is None
    finally:
        worker.terminate()
        worker.wait(timeout=10)
