# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""SIGTERM and SIGINT begin the drain, a second SIGINT ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from typing import Callable

from ._feed import Draining
from ._log import logger


def watch(draining: Draining, on_drain: Callable[[], None]) -> None:
    """Installs the handlers; `on_drain` is called once, in a thread of its own.

    The work is done in a thread that reads the wake-up pipe: a Python signal handler runs between two instructions of
    the main thread, which may hold the very lock that it would need.
    """
    if threading.current_thread() is not threading.main_thread():
        logger.warning("serve() does not run in the main thread: SIGTERM ends the process without a drain")
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def read() -> None:
        interrupts = 0
        while True:
            for number in os.read(reading, 64):
                if number == signal.SIGINT:
                    interrupts += 1
                if interrupts > 1:
                    os._exit(130)
                if number in (signal.SIGTERM, signal.SIGINT) and not draining:
                    logger.info("draining: running jobs finish, no new ones are taken")
                    draining.begin()
                    on_drain()

    threading.Thread(target=read, name="malla-signals", daemon=True).start()
