// Malla - a mesh that turns AI models into services
// SPDX-License-Identifier: Apache-2.0
// Copyright 2026 the Malla authors

/// The program behind all services of the app `chaos`: it does what its input says and writes down every call.
enum ChaosHandler {
    /// The text of `handler.py`.
    ///
    /// Input: `key`, `journal` (a folder), `stage`, perhaps `item`, `do` (what to do, see below) and `from` (answers
    /// of earlier stages). Answer: `nonce`, `attempt`, `job`, `stage`, `item`, and `from`, the nonces of the calls whose
    /// answers came in. A journal file is one process's; a line is written by one call of `write`.
    static let python = #"""
        import hashlib
        import json
        import os
        import signal
        import threading
        import time
        import uuid

        import malla


        def worker():
            """The role whose handler this is; its temporary folders are FOLDER/tmp/ROLE/... in a mesh under test."""
            parts = os.environ.get("MALLA_SCRATCH", "").split("/")
            for folder, name in zip(parts, parts[1:]):
                if folder == "tmp" and name.startswith("worker-"):
                    return name
            return None


        PROCESS = os.getpid()
        WORKER = worker()
        RUN = uuid.uuid4().hex[:12]
        files = {}
        guard = threading.Lock()


        def journal(folder):
            with guard:
                if folder not in files:
                    os.makedirs(folder, exist_ok=True)
                    path = os.path.join(folder, "{}-{}.jsonl".format(PROCESS, RUN))
                    files[folder] = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
                return files[folder]


        class Call:
            """One call of the handler."""

            def __init__(self, job):
                self.job = job
                self.given = job["input"]
                self.nonce = uuid.uuid4().hex

            def mark(self, kind, answer=None):
                line = json.dumps({
                    "kind": kind, "at": time.time(), "key": self.given["key"], "stage": self.given["stage"],
                    "item": self.given.get("item"), "job": self.job["id"], "attempt": self.job["attempt"],
                    "nonce": self.nonce, "answer": answer, "process": PROCESS, "worker": WORKER,
                })
                line = line.encode() + b"\n"
                written = os.write(journal(self.given["journal"]), line)
                if written != len(line):
                    raise OSError("the journal took {} of {} bytes".format(written, len(line)))

            def answer(self, **more):
                return dict({
                    "nonce": self.nonce, "attempt": self.job["attempt"], "job": self.job["id"],
                    "stage": self.given["stage"], "item": self.given.get("item"),
                    "from": nonces(self.given.get("from")),
                }, **more)

            def sleep(self, seconds, deaf):
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    if not deaf and malla.cancelled(self.job):
                        self.mark("stopped")
                        raise malla.Cancelled()
                    if deaf:
                        self.mark("alive")
                    time.sleep(max(0, min(0.05, end - time.monotonic())))


        def nonces(answers):
            """The nonces in what earlier stages answered, in its shape."""
            if isinstance(answers, list):
                return [nonces(answer) for answer in answers]
            if isinstance(answers, dict):
                if "filler" in answers and digest(answers["filler"].encode()) != answers["fillerHash"]:
                    raise malla.Failure("the filler is not what was answered", final=True, category="handler")
                return answers["nonce"]
            return answers


        def digest(data):
            return hashlib.sha256(data).hexdigest()


        def copy_media(call, do):
            """Reads media, compares its hash and writes other bytes that follow from it."""
            data = malla.media.read(do["media"], field="/do/media")
            want = do.get("hash")
            if want is not None and digest(data) != want:
                raise malla.Failure("the media is not what was stored", final=True, category="handler")
            derived = bytes(reversed(data))
            reference = malla.media.write(
                derived, content_type="application/octet-stream", name="derived.bin", origin=do["media"]
            )
            return call.answer(derived=reference, derivedHash=digest(derived))


        def act(call):
            do = call.given["do"]
            kind = do["kind"]
            if do.get("seconds"):
                call.sleep(do["seconds"], do.get("deaf", False))
            if kind == "fail-attempts" and call.job["attempt"] <= do["n"] or kind == "fail-always":
                raise malla.Failure("asked to fail")
            if kind == "refuse":
                raise malla.Failure("asked to refuse", final=True)
            if kind == "die":
                os.kill(PROCESS, signal.SIGKILL)
            if kind == "media":
                return copy_media(call, do)
            if kind == "big":
                filler = (call.nonce * (do["size"] // 32 + 1))[: do["size"]]
                return call.answer(filler=filler, fillerHash=digest(filler.encode()))
            return call.answer()


        def handler(job):
            call = Call(job)
            call.mark("began")
            try:
                answer = act(call)
            except malla.Cancelled:
                raise
            except malla.Failure as failure:
                call.mark("refused" if failure.final else "failed", str(failure))
                raise
            except Exception as error:
                call.mark("failed", repr(error))
                raise
            # The filler is only weight: its hash stands for it.
            call.mark("answered", {name: value for name, value in answer.items() if name != "filler"})
            return answer


        if __name__ == "__main__":
            malla.serve(handler)

        """#
}
