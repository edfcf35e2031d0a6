"""Where in a model an operation of a traced graph lies."""

from __future__ import annotations

import re

LOOPS = re.compile(r"(?:while|cond|body|StatefulPartitionedCall|PartitionedCall)(?:_\d+)?")


def place_of(operation: str) -> str:
    """The layers around an operation "a/while/b/Op", by the names of their scopes: " in a/b", or nothing outside of all."""
    around = [one for one in operation.split("/")[:-1] if not LOOPS.fullmatch(one)]
    return f" in {'/'.join(around)}" if around else ""
