# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Handlers of every kind against both dialects, and what can go wrong with them."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import unittest

from fake_server import KEY
from process import HandlerTestCase


class Contract:
    """The cases of both dialects; its subclasses say which."""

    def error(self, name):
        return json.loads(self.server.result(name)["error"])

    def test_one_job_and_the_key_is_sent_raw(self):
        self.start("import malla\nmalla.serve(lambda job: {'echo': job['input']})\n")
        self.put({"text": "ñandú ☃"})
        self.assertEqual(self.server.result("job-0")["output"], {"echo": {"text": "ñandú ☃"}})
        self.assertEqual(self.server.keys, {KEY})

    def test_values_that_are_false_are_results(self):
        self.start("import malla\nmalla.serve(lambda job: job['input'])\n")
        values = [None, {}, [], 0, "", False, {"error": "is only a key"}]
        for name, value in zip(self.put(*values), values):
            self.assertEqual(self.server.result(name)["output"], value)

    def test_errors_say_what_happened(self):
        self.start(
            """
            import malla
            def handler(job):
                kind = job["input"]
                if kind == "raise": raise ValueError("no good")
                if kind == "invalid": raise malla.InvalidInput("image", "is not an image")
                if kind == "final": raise malla.Failure("never", final=True, category="licence", details={"a": 1})
                if kind == "bytes": return {"a/b": [b"x"]}
                if kind == "nan": return {"x": [1, float("nan")]}
                if kind == "loop":
                    value = []; value.append(value); return value
                if kind == "deep": return handler(job)
                if kind == "nested":
                    value = []
                    for _ in range(100): value = [value]
                    return value
                if kind == "nearly":
                    value = []
                    for _ in range(99): value = {"a": value}
                    return value
                if kind == "large": return "x" * (16 << 20)
                if kind == "surrogate": return ["\\ud800"]
                if kind == "object": return {"o": object()}
                if kind == "key": return {"o": {(1, 2): 3}}
                return "fine"
            malla.serve(handler)
            """
        )
        kinds = "raise invalid final bytes nan loop deep surrogate object key nested nearly large fine".split()
        names = dict(zip(kinds, self.put(*kinds)))
        self.assertEqual(self.server.result(names["fine"])["output"], "fine")
        error = self.error(names["raise"])
        self.assertEqual(error["error_type"], "<class 'ValueError'>")
        self.assertEqual(error["error_message"], "no good")
        self.assertIn("in handler", error["error_traceback"])
        self.assertEqual((error["category"], error["final"]), ("handler", False))
        self.assertEqual(error["worker_id"], "pod-1")
        error = self.error(names["invalid"])
        self.assertEqual((error["category"], error["final"], error["field"]), ("invalid_input", True, "/image"))
        error = self.error(names["final"])
        self.assertEqual((error["category"], error["final"], error["details"]), ("licence", True, {"a": 1}))
        for kind, word in {
            "bytes": "/a~1b/0", "nan": "/x/1", "loop": "holds itself", "surrogate": "/0", "object": "/o", "key": "/o"
        }.items():
            error = self.error(names[kind])
            self.assertEqual((error["category"], error["final"]), ("bad_result", True), kind)
            self.assertIn(word, error["error_message"])
        for kind, word in {"nested": "deeper than 100", "large": "malla.media.write"}.items():
            error = self.error(names[kind])
            self.assertEqual((error["category"], error["final"]), ("bad_result", True), kind)
            self.assertIn(word, error["error_message"])
        self.assertIn("output", self.server.result(names["nearly"]))
        self.assertLess(len(self.error(names["deep"])["error_traceback"]), 20_000)

    def test_async_jobs_run_at_once(self):
        self.start(
            """
            import asyncio, malla
            waiting = []
            async def handler(job):
                waiting.append(1)
                while len(waiting) < 5: await asyncio.sleep(0.01)
                return len(waiting)
            malla.serve(handler, concurrency=5)
            """
        )
        for name in self.put(*range(5)):
            self.assertEqual(self.server.result(name)["output"], 5)

    def test_sync_jobs_run_in_threads(self):
        self.start(
            """
            import threading, malla
            barrier = threading.Barrier(4)
            def handler(job): barrier.wait(10); return threading.current_thread().name
            malla.serve(handler)
            """,
            MALLA_CONCURRENCY="4",
        )
        found = {self.server.result(name)["output"] for name in self.put(*range(4))}
        self.assertEqual(len(found), 4)

    def test_batches(self):
        self.server.put(*({"id": str(n), "input": n} for n in range(20)))
        self.start(
            """
            import malla
            def handler(jobs):
                assert len(jobs) <= 8
                if any(job["input"] == 13 for job in jobs): raise ValueError("13 spoils the batch")
                return [malla.InvalidInput("", "odd") if job["input"] % 2 else job["input"] * 10 for job in jobs]
            malla.serve(handler, batch=8)
            """
        )
        for number in range(20):
            if number % 2 == 0:
                self.assertEqual(self.server.result(str(number))["output"], number * 10)
        self.assertEqual(self.error("3")["category"], "invalid_input")
        self.assertIn("13 spoils", self.error("13")["error_message"])
        self.assertEqual(max(self.server.batches), 8)

    def test_the_environment_lowers_the_batch(self):
        self.server.put(*({"id": str(n), "input": n} for n in range(6)))
        code = "import malla\nmalla.serve(lambda jobs: [len(jobs)] * len(jobs), batch=8)\n"
        self.start(code, MALLA_BATCH_MAX_SIZE="3")
        self.assertEqual([self.server.result(str(n))["output"] for n in range(6)], [3] * 6)

    def test_a_batch_handler_with_the_wrong_number_of_results(self):
        self.start("import malla\nmalla.serve(lambda jobs: [1, 2, 3], batch=4)\n")
        self.put(1)
        self.assertIn("1 expected, got 3", self.error("job-0")["error_message"])

    def test_async_batches(self):
        self.server.put(*({"id": str(n), "input": n} for n in range(12)))
        self.start(
            """
            import malla
            async def handler(jobs): return [job["input"] for job in jobs]
            malla.serve(handler, batch=4, concurrency=2)
            """
        )
        self.assertEqual([self.server.result(str(n))["output"] for n in range(12)], list(range(12)))

    def test_generators_stream_and_collect(self):
        for kind in ("def", "async def"):
            with self.subTest(kind):
                self.server.chunks.clear()
                self.server.results.clear()
                process = self.start(
                    kind
                    + """ handler(job):
    for number in range(job["input"]):
        yield {"n": number}
    if job["input"] == 2: raise ValueError("after two")
import malla
malla.serve(handler)
"""
                )
                self.put(3, 0, 2)
                self.assertEqual(self.server.result("job-0")["output"], [{"n": 0}, {"n": 1}, {"n": 2}])
                self.assertEqual(self.server.chunks["job-0"], [{"n": 0}, {"n": 1}, {"n": 2}])
                self.assertEqual(self.server.result("job-1")["output"], [])
                self.assertIn("after two", self.error("job-2")["error_message"])
                self.assertEqual(len(self.server.chunks["job-2"]), 2)
                self.end(process)

    def test_progress_while_it_runs(self):
        self.start(
            """
            import malla, threading
            def handler(job):
                malla.progress(job, {"done": 0.5})
                while not malla.cancelled(job): threading.Event().wait(0.01)
                raise malla.Cancelled()
            malla.serve(handler)
            """
        )
        self.put(1)
        self.server.wait(lambda: self.server.progress)
        self.assertEqual((self.server.progress[0]["id"], self.server.progress[0]["output"]), ("job-0", {"done": 0.5}))
        self.server.stop("job-0", "unknown")
        self.assertEqual(self.error("job-0")["category"], "cancelled")

    def test_a_stop_cancels_the_task_and_no_other(self):
        self.start(
            """
            import asyncio, malla
            started = 0
            async def handler(job):
                global started
                started += 1
                malla.progress(job, started)
                try: await asyncio.sleep(job["input"])
                except asyncio.CancelledError:
                    malla.progress(job, "stopping"); raise
                return "slept"
            malla.serve(handler, concurrency=2)
            """
        )
        self.put(60, 1)
        self.server.wait(lambda: {item["id"] for item in self.server.progress} >= {"job-0", "job-1"})
        began = time.monotonic()
        self.server.stop("job-0")
        self.assertEqual(self.error("job-0")["category"], "cancelled")
        self.assertLess(time.monotonic() - began, 0.9)
        self.assertEqual(self.server.result("job-1")["output"], "slept")

    def test_sigterm_while_idle_and_again_while_running(self):
        for concurrency in (1, 3):
            with self.subTest(concurrency):
                self.server.leaving = False
                code = """
                    import time, malla
                    def handler(job):
                        malla.progress(job, "runs")
                        time.sleep(0.5)
                        return "finished"
                    malla.serve(handler, concurrency={})
                    """.format(concurrency)
                before = self.server.requests.get(self.take_kind(concurrency), 0)
                process = self.start(code)
                self.server.wait(lambda: self.server.requests.get(self.take_kind(concurrency), 0) > before)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(5), 0, self.stderr())

                self.server.leaving = False
                self.server.progress.clear()
                self.server.results.clear()
                process = self.start(code)
                self.put(1)
                self.server.wait(lambda: self.server.progress)
                process.send_signal(signal.SIGTERM)
                if concurrency == 1:  # with free slots a poll is parked, and a job may cross the signal on the wire
                    self.server.put({"id": "late", "input": 1})
                self.assertEqual(process.wait(5), 0, self.stderr())
                self.assertEqual(self.server.results["job-0"][0]["output"], "finished")
                self.assertNotIn("late", self.server.results)
                self.server.jobs.clear()

    def test_sigterm_async(self):
        process = self.start(
            """
            import asyncio, malla
            async def handler(job):
                malla.progress(job, "runs")
                await asyncio.sleep(0.5)
                return "finished"
            malla.serve(handler, concurrency=2)
            """
        )
        self.put(1)
        self.server.wait(lambda: self.server.progress)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(5), 0, self.stderr())
        self.assertEqual(self.server.results["job-0"][0]["output"], "finished")

    def test_results_survive_a_bad_line(self):
        failures = []

        def fault(kind, body):
            if kind in ("exchange", "job-done") and b"output" in body and len(failures) < 4:
                failures.append(kind)
                return (500, True, 429, 503)[len(failures) - 1]
            return None

        self.server.fault = fault
        for concurrency in (1, 4):
            del failures[:]
            self.server.results.clear()
            process = self.start(
                "import malla\nmalla.serve(lambda job: job['input'], concurrency={})\n".format(concurrency)
            )
            for name, value in zip(self.put(*range(6)), range(6)):
                self.assertEqual(self.server.result(name)["output"], value)
            self.assertEqual(len(failures), 4)
            self.end(process)

    def test_setup_comes_first_and_its_failure_ends_the_process(self):
        process = self.start(
            """
            import malla
            def setup(): raise OSError("no such model")
            malla.serve(lambda job: 1, setup=setup)
            """
        )
        self.assertEqual(process.wait(10), 1)
        self.assertIn("no such model", self.stderr())
        self.assertEqual(self.server.requests.get(self.take_kind(1), 0), 0)

    def test_a_handler_that_exits_takes_the_process_along(self):
        for concurrency in (1, 2):
            process = self.start(
                "import malla, sys\nmalla.serve(lambda job: sys.exit(7), concurrency={})\n".format(concurrency)
            )
            self.put(1)
            self.assertEqual(process.wait(10), 7)

    def test_nothing_but_junk_from_the_server(self):
        answers = iter([204, 500, 404])
        self.server.fault = lambda kind, body: next(answers, None) if kind == self.take_kind(1) else None
        self.start("import malla\nmalla.serve(lambda job: 'fine')\n")
        self.put(1)
        self.server.put({"no": "id"}, {"id": "good", "input": 1})
        self.assertEqual(self.server.result("good")["output"], "fine")

    def test_an_orphan_whose_server_is_gone_ends(self):
        path = self.write("import malla\nmalla.serve(lambda job: 1, concurrency={})\n".format(2))
        reading, writing = os.pipe()
        parent = subprocess.Popen(
            [sys.executable, "-c", "import subprocess, sys; subprocess.call(sys.argv[1:], close_fds=False)"]
            + [sys.executable, path],
            env=self.environment(),
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
        )
        os.close(writing)
        with os.fdopen(reading, "rb") as alive:
            self.server.wait(lambda: self.server.requests.get(self.take_kind(2)))
            parent.kill()
            parent.wait()
            self.server.hold = 0
            self.server.fault = lambda kind, body: True
            self.server.stop("anyone")
            self.server.close()
            self.assertTrue(select.select([alive], [], [], 20)[0], "the orphan still runs")
            self.assertEqual(alive.read(), b"")

    def test_pings_name_the_job(self):
        self.start("import malla, time\nmalla.serve(lambda job: time.sleep(1.5))\n")
        self.put(1)
        self.server.wait(lambda: "job-0" in self.server.pings)


class ExchangeTests(Contract, HandlerTestCase):
    exchange = True

    def test_a_job_that_came_too_late_goes_back_unrun(self):
        now = int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)
        for handler in ("lambda job: 1", "lambda jobs: [1 for _ in jobs], batch=2"):
            with self.subTest(handler):
                self.server.results.clear()
                self.server.extra = {"begin_by": now - 1}
                process = self.start("import malla\nmalla.serve({})\n".format(handler))
                (name,) = self.put(None)
                self.assertEqual(self.server.result(name).get("returned"), True)
                self.server.extra = {"begin_by": now + 60_000}
                self.server.results.clear()
                (name,) = self.put(None)
                self.assertEqual(self.server.result(name).get("output"), 1)
                self.end(process)

    def take_kind(self, _concurrency):
        return "exchange"

    def test_the_lease_comes_back_and_the_dict_belongs_to_the_handler(self):
        self.start("import malla\nmalla.serve(lambda job: [job.pop('id'), job.clear()])\n")
        self.server.put({"id": "a", "lease": "l-1", "input": 1}, {"id": "b", "input": 1})
        self.assertEqual(self.server.result("a")["lease"], "l-1")
        self.assertNotIn("lease", self.server.result("b"))

    def test_leaving_is_said(self):
        process = self.start("import malla\nmalla.serve(lambda job: 1)\n")
        self.server.wait(lambda: self.server.requests.get("exchange"))
        process.terminate()
        self.assertEqual(process.wait(5), 0)
        self.assertTrue(self.server.leaving)


class PlainTests(Contract, HandlerTestCase):
    exchange = False

    def take_kind(self, concurrency):
        return "job-take" if concurrency == 1 else "job-take-batch"

    def test_generators_are_marked(self):
        self.start("import malla\ndef handler(job):\n    yield 1\nmalla.serve(handler, aggregate=False)\n")
        self.put(1)
        result = self.server.result("job-0")
        self.assertEqual((result["isStream"], result["output"]), ("true", []))


if __name__ == "__main__":
    unittest.main()
