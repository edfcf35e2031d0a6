"""TensorFlow Serving's REST format (tensorflow.org/tfx/serving/api_rest): JSON to texts or sounds, answers to JSON."""

from __future__ import annotations

import json
from typing import Any, ClassVar, NamedTuple

from seqcfg.serving.http import HttpError
from seqcfg.serving.page import PAGE


class Asked(NamedTuple):
    """The texts or sounds of a request, and whether they came as rows (`instances`) or as a column (`inputs`)."""

    texts: list[Any]
    by_row: bool


class Texts:
    """Reads texts."""

    name: ClassVar[str] = "text"
    is_slow: ClassVar[bool] = False
    wanted: ClassVar[str] = '{"instances": ["text", ...]} or {"inputs": ["text", ...]}'
    page: ClassVar[str] = PAGE
    sample: ClassVar[str] = "a"

    def rows(self, instances: list[Any]) -> list[str]:
        return [_text(one.get("text") if isinstance(one, dict) and len(one) == 1 else one) for one in instances]

    def columns(self, inputs: Any) -> Any:
        """The instances of `inputs`: a list, one alone, or {"text": one of both}."""
        texts = inputs.get("text") if isinstance(inputs, dict) and len(inputs) == 1 else inputs
        return [texts] if isinstance(texts, str) else texts


TEXTS = Texts()


def parse(body: bytes, most: int, reader: Any = TEXTS) -> Asked:
    """What is asked. Raises HttpError 400 for anything else than what `reader` reads (Texts or Sounds), 413 for more than `most`."""
    asked = _json(body)
    if not isinstance(asked, dict) or ("instances" in asked) == ("inputs" in asked):
        raise HttpError(400, f"send {reader.wanted}")
    if unknown := sorted(asked.keys() - {"instances", "inputs", "signature_name"}):
        raise HttpError(400, f"there is no field {unknown[0][:40]!r}")
    if asked.get("signature_name", "serving_default") != "serving_default":
        raise HttpError(404, "this server has the signature serving_default alone; TensorFlow Serving has those of ids and scores")
    by_row = "instances" in asked
    rows = asked["instances"] if by_row else reader.columns(asked["inputs"])
    if not isinstance(rows, list) or not rows:
        form = "" if by_row else f', or {{"{reader.name}": such a list}}'
        raise HttpError(400, f"{'instances' if by_row else 'inputs'} is a list of at least one {reader.name}{form}")
    if len(rows) > most:
        raise HttpError(413, f"a request may have {most} texts or sounds")
    return Asked(reader.rows(rows), by_row)


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


def _text(value: Any) -> str:
    """A text that the model can take: NUL and lone surrogates, which are in no text file, become U+FFFD as `seqcfg decode` has it."""
    if not isinstance(value, str):
        raise HttpError(400, f"a text is expected, and this is {json.dumps(value)[:40]}")
    return "".join("\N{REPLACEMENT CHARACTER}" if one == "\0" or "\ud800" <= one <= "\udfff" else one for one in value)
