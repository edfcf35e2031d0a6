"""What is asked and answered over HTTP, apart from how it travels."""

from __future__ import annotations

import dataclasses
import json
from typing import Any


class HttpError(Exception):
    """Answered with this status."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


@dataclasses.dataclass(frozen=True)
class Request:
    """Header names are in lower case; path is without query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclasses.dataclass(frozen=True)
class Response:
    """headers are those besides length, type and connection."""

    status: int
    body: bytes
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


def as_json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(status, json.dumps(value, ensure_ascii=False, allow_nan=False).encode(), headers=headers or {})


def refusal(error: HttpError) -> Response:
    """An error as TensorFlow Serving words it."""
    return as_json({"error": error.message}, error.status, error.headers)
