# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Turns a Python function into a Malla service.

    import malla

    def handler(job):
        return {"echo": job["input"]}

    malla.serve(handler)

Started by a worker, the process takes jobs until it is told to stop. Started by hand, it runs one job:

    python3 handler.py --input '{"text": "hello"}'
"""

from __future__ import annotations

from . import media
from ._errors import Cancelled, Failure, InvalidInput
from ._jobs import cancelled, progress
from ._serve import serve
from ._version import __version__

__all__ = ["Cancelled", "Failure", "InvalidInput", "__version__", "cancelled", "media", "progress", "serve"]
