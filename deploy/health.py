#!/usr/bin/env python3
# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The container's health check: exit 0 if the role's /readyz answers 200.

    health.py [PORT]     default: HEALTH_PORT, else 8007 (the App API)
"""

import os
import sys
import urllib.request

port = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("HEALTH_PORT", "8007")
try:
    # No proxy of the environment may stand between this check and the container itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/readyz", timeout=4) as response:
        print(response.read(500).decode(errors="replace"))
except (OSError, ValueError) as error:
    print(error)
    sys.exit(1)
