# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The package's own lines on stderr."""

from __future__ import annotations

import json
import logging
import os
import sys

logger = logging.getLogger("malla")


class _Lines(logging.Formatter):
    """JSON lines where the platform asks for them, else text that a person reads."""

    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self.as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        job = getattr(record, "job", None)
        message = record.getMessage()
        if record.exc_info:
            message = "{}\n{}".format(message, self.formatException(record.exc_info))
        if self.as_json:
            return json.dumps({"requestId": job, "message": message, "level": record.levelname})
        where = " job.id={}".format(job) if job else ""
        return "{} malla{}: {}".format(record.levelname.lower(), where, message)


def set_up() -> None:
    """Gives the logger a way out, unless the handler's own code has given it one."""
    level = os.environ.get("MALLA_LOG_LEVEL", "info").upper()
    logger.setLevel(level if level in ("DEBUG", "INFO", "WARNING", "ERROR") else "INFO")
    if logger.handlers:
        return
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(_Lines("RUNPOD_ENDPOINT_ID" in os.environ))
    logger.addHandler(stream)
    logger.propagate = False
