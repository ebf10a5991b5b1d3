# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Results to JSON, and a clear word about those that are none."""

from __future__ import annotations

import json
from typing import Any, Optional, Tuple

from ._errors import BadResult

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode(value: Any) -> bytes:
    """The value as UTF-8 JSON. Raises BadResult that names the place and type of the first value JSON cannot hold."""
    try:
        return _encode(value).encode("utf-8")
    except RecursionError:
        raise BadResult("the result is nested too deeply, or holds itself") from None
    except (TypeError, ValueError) as error:
        found = _offender(value, "", 0)
        if found is None:
            raise BadResult("the result is not JSON: {}".format(error)) from None
        raise BadResult("the result is not JSON: at {} there is {}".format(found[0] or "its root", found[1])) from None


def _offender(value: Any, path: str, depth: int) -> Optional[Tuple[str, str]]:
    if depth > 100:
        return path[:200], "a structure nested too deeply, or one that holds itself"
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, (str, int, float, bool, type(None))):
                return path, "a key of type {}".format(_name(key))
            found = _offender(item, "{}/{}".format(path, str(key).replace("~", "~0").replace("/", "~1")), depth + 1)
            if found:
                return found
        return None
    if isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            found = _offender(item, "{}/{}".format(path, index), depth + 1)
            if found:
                return found
        return None
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            return path, "the number {}, which JSON has not".format(value)
        return None
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return path, "text with half a surrogate pair, which UTF-8 cannot hold"
        return None
    if value is None or isinstance(value, (bool, int)):
        return None
    if isinstance(value, (bytes, bytearray, memoryview)):
        return path, "a value of type {}; write it with malla.media.write and return the reference".format(_name(value))
    return path, "a value of type {}".format(_name(value))


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else "{}.{}".format(kind.__module__, kind.__name__)
