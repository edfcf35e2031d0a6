"""The value types of recipe fields; ranges are JSON Schema keywords, so one definition serves checks, schema and docs."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal


@dataclasses.dataclass(frozen=True)
class Rules:
    """JSON Schema keywords that narrow a type, and an optional remedy to print when they are broken."""

    keywords: tuple[tuple[str, Any], ...]
    hint: str = ""


@dataclasses.dataclass(frozen=True)
class FixedType:
    """Marks a slot of a family that always holds this member, so that the recipe writes no `type:` there."""

    type: str


def rules(hint: str = "", **keywords: Any) -> Rules:
    return Rules(tuple(sorted(keywords.items())), hint)


PositiveInt = Annotated[int, rules(minimum=1)]
NonNegativeInt = Annotated[int, rules(minimum=0)]
PositiveFloat = Annotated[float, rules(exclusiveMinimum=0)]
NonNegativeFloat = Annotated[float, rules(minimum=0)]
Probability = Annotated[float, rules("a probability; 0.1 is usual", minimum=0, maximum=1)]
Fraction = Annotated[float, rules(exclusiveMinimum=0, exclusiveMaximum=1)]
Name = Annotated[str, rules("letters, digits, dot, dash and underscore", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
BELOW = r"^(?![/~]|[A-Za-z][A-Za-z0-9+.-]*:)(?!(?:[^/]*/)*\.\.(?:/|$))[^\\\x00]+$"  # neither absolute nor a scheme's, nor upwards
DataPath = Annotated[str, rules("a path below the data root, such as multi30k/train.en.gz", minLength=1, maxLength=1024, pattern=BELOW)]
Text = Annotated[str, rules(maxLength=65536)]

Activation = Literal["none", "relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid", "softplus", "squared_relu"]
