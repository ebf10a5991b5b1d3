# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""What a handler can raise, and how an error looks on the wire."""

from __future__ import annotations

import json
import os
import traceback
from typing import Any, Optional

from ._version import __version__

# A traceback says what is needed in its last lines; a recursion without end must not make a result of megabytes.
_TRACEBACK_LIMIT = 16_000
_MESSAGE_LIMIT = 4_000


class Failure(Exception):
    """A job failed for a reason that the caller shall read.

    message:  what went wrong, in words a caller can act on
    final:    True when trying again is of no use
    category: a short word for programs, such as "upstream" or "out_of_memory"
    details:  anything more; must fit JSON
    """

    def __init__(
        self, message: str, *, final: bool = False, category: str = "handler", details: Optional[Any] = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.final = final
        self.category = category
        self.details = details
        self.field: Optional[str] = None


class InvalidInput(Failure):
    """The job's input is wrong and will be wrong next time: no further attempt is made.

    field:   which one, as a JSON Pointer into the input ("/image"); a bare name gets its slash; "" is the whole input
    message: what is wrong with it, and what would be right
    """

    def __init__(self, field: str, message: str, *, details: Optional[Any] = None) -> None:
        super().__init__(message, final=True, category="invalid_input", details=details)
        self.field = field if not field or field.startswith("/") else "/" + field


class BadResult(Failure):
    """The handler returned something that cannot be sent."""

    def __init__(self, message: str) -> None:
        super().__init__(message, final=True, category="bad_result")


class Cancelled(Failure):
    """Raise it to end a job that was stopped (see malla.cancelled)."""

    def __init__(self, message: str = "the job was stopped") -> None:
        super().__init__(message, final=True, category="cancelled")


def error_text(error: BaseException, worker_id: str) -> str:
    """The JSON text that stands for an error in a result."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    fields = {
        "error_type": str(type(error)),
        "error_message": _text(error)[:_MESSAGE_LIMIT],
        "error_traceback": trace[-_TRACEBACK_LIMIT:],
        "hostname": os.environ.get("RUNPOD_POD_HOSTNAME", "unknown"),
        "worker_id": worker_id,
        "malla_version": __version__,
        "category": "handler",
        "final": False,
    }
    if isinstance(error, Failure):
        fields["category"] = error.category
        fields["final"] = error.final
        if error.field is not None:
            fields["field"] = error.field
        if error.details is not None:
            fields["details"] = error.details
    try:
        return json.dumps(fields, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        fields["details"] = repr(fields.get("details"))[:_MESSAGE_LIMIT]
        return json.dumps(fields)


def _text(error: BaseException) -> str:
    try:
        return str(error) or type(error).__name__
    except Exception as broken:  # an exception class of a handler may have a __str__ that raises
        return "{} (its message cannot be read: {})".format(type(error).__name__, type(broken).__name__)
