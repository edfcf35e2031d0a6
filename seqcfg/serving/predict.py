"""TensorFlow Serving's REST format (tensorflow.org/tfx/serving/api_rest): JSON to texts, answers to JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from seqcfg.serving.http import HttpError


class Asked(NamedTuple):
    """The texts of a request, and whether they came as rows (`instances`) or as a column (`inputs`)."""

    texts: list[str]
    by_row: bool


def parse(body: bytes, most: int) -> Asked:
    """What is asked. Raises HttpError 400 for anything else than texts, 413 for more than `most`."""
    asked = _json(body)
    if not isinstance(asked, dict) or ("instances" in asked) == ("inputs" in asked):
        raise HttpError(400, 'send {"instances": ["text", ...]} or {"inputs": ["text", ...]}')
    if unknown := sorted(asked.keys() - {"instances", "inputs", "signature_name"}):
        raise HttpError(400, f"there is no field {unknown[0][:40]!r}")
    if asked.get("signature_name", "serving_default") != "serving_default":
        raise HttpError(404, "this server has the signature serving_default alone; TensorFlow Serving has those of ids and scores")
    texts = _column(asked["inputs"]) if "inputs" in asked else _rows(asked["instances"])
    if len(texts) > most:
        raise HttpError(413, f"a request may have {most} texts")
    return Asked(texts, "instances" in asked)


def answer(asked: Asked, answers: list[dict[str, Any]]) -> dict[str, Any]:
    """The body of the answer, in the form of the request."""
    if asked.by_row:
        return {"predictions": answers}
    names = answers[0] if answers else {"text": "", "scores": 0.0}
    return {"outputs": {name: [one[name] for one in answers] for name in names}}


def _json(body: bytes) -> Any:
    def refuse(text: str) -> Any:
        raise ValueError(f"{text} is no JSON")

    try:
        return json.loads(body.decode("utf-8"), parse_constant=refuse)
    except UnicodeDecodeError as error:
        raise HttpError(400, f"the body is not UTF-8: byte {error.start} and following") from error
    except RecursionError as error:
        raise HttpError(400, "the JSON is nested too deeply") from error
    except ValueError as error:
        raise HttpError(400, f"the body is no JSON: {error}") from error


def _rows(instances: Any) -> list[str]:
    if not isinstance(instances, list) or not instances:
        raise HttpError(400, "instances is a list of at least one text")
    return [_text(one.get("text") if isinstance(one, dict) and len(one) == 1 else one) for one in instances]


def _column(inputs: Any) -> list[str]:
    texts = inputs.get("text") if isinstance(inputs, dict) and len(inputs) == 1 else inputs
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts:
        raise HttpError(400, 'inputs is a list of at least one text, or {"text": such a list}')
    return [_text(one) for one in texts]


def _text(value: Any) -> str:
    """A text that the model can take: NUL and lone surrogates, which are in no text file, become U+FFFD as `seqcfg decode` has it."""
    if not isinstance(value, str):
        raise HttpError(400, f"a text is expected, and this is {json.dumps(value)[:40]}")
    return "".join("\N{REPLACEMENT CHARACTER}" if one == "\0" or "\ud800" <= one <= "\udfff" else one for one in value)
