# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Runs when Python starts in a handler's process: keeps the state of unmodified RunPod handlers apart.

The RunPod package (1.7 and later) remembers its jobs in progress in a file of the working folder, which all processes
of a service share. A process that is started after another was killed reads that one's jobs as its own, finds itself
busy and never asks for work. Here the package's state lies in the scratch folder of its process instead.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys

_STATE = "runpod.serverless.modules.worker_state"


class _InScratch(importlib.abc.Loader):
    """Loads the module that picks the working folder for its state while that is the scratch folder."""

    def __init__(self, loader, folder):
        self._loader = loader
        self._folder = folder

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        before = os.getcwd()
        os.chdir(self._folder)
        try:
            self._loader.exec_module(module)
        finally:
            os.chdir(before)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds that one module, wherever it is."""

    def __init__(self, folder):
        self._folder = folder

    def find_spec(self, name, path=None, target=None):
        if name != _STATE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _InScratch(spec.loader, self._folder)
        return spec


def _run_next():
    """Runs the `sitecustomize` that this one hides, if there is one."""
    here = os.path.dirname(os.path.abspath(__file__))
    places = [place for place in sys.path if os.path.abspath(place or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", places)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if os.path.isdir(os.environ.get("MALLA_SCRATCH", "")):
    sys.meta_path.insert(0, _Finder(os.environ["MALLA_SCRATCH"]))
_run_next()
