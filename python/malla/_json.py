# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
"""Results to JSON, and a clear word about those that are none."""

from __future__ import annotations

import json
from typing import Any, Optional, Tuple

from ._errors import BadResult

#: How many lists and dicts may lie within each other, and how many bytes a result may have as JSON.
MAX_DEPTH = 100
MAX_BYTES = 16 << 20

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encode(value: Any, max_bytes: int = MAX_BYTES) -> bytes:
    """The value as UTF-8 JSON. Raises BadResult that names the place and type of the first value JSON cannot hold."""
    try:
        text = _encode(value).encode("utf-8")
    except RecursionError:
        raise BadResult("the result is nested too deeply, or holds itself") from None
    except (TypeError, ValueError) as error:
        found = _offender(value, "", 0)
        if found is None:
            raise BadResult("the result is not JSON: {}".format(error)) from None
        raise BadResult("the result is not JSON: at {} there is {}".format(found[0] or "its root", found[1])) from None
    if len(text) > max_bytes:
        raise BadResult(
            "it has {} bytes as JSON and at most {} can be handed in; write what is large with malla.media.write and "
            "hand in the reference".format(len(text), max_bytes)
        )
    # Few results have so many brackets; only those are looked through.
    if text.count(b"[") + text.count(b"{") > MAX_DEPTH and _is_deep(value):
        raise BadResult("the result is nested deeper than {} lists and objects".format(MAX_DEPTH))
    return text


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for outer in level
            if isinstance(outer, (dict, list, tuple))
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list, tuple))
        ]
        if not level:
            return False
    return True


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
