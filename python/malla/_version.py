# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""The package's version, sent along with errors."""

__version__ = "0.1.0"
