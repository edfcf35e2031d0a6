"""Contents: the checksummed list of what a checkpoint holds, stored in it as MANIFEST.json."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from seqcfg.errors import UserError

MANIFEST_FILE = "MANIFEST.json"
FORMAT = 1


class DamagedCheckpoint(UserError):
    """A checkpoint whose files are not those that were written."""


@dataclasses.dataclass(frozen=True)
class Contents:
    """variables {path: (dtype name, shape)}, files {name: (bytes, sha256)}, and what training wrote beside them."""

    step: int
    variables: dict[str, tuple[str, tuple[int, ...]]]
    files: dict[str, tuple[int, str]]
    metadata: dict[str, Any]

    def to_json(self) -> str:
        """Text that carries its own checksum; `from_json` gives an equal object back."""
        body = {
            "format": FORMAT,
            "step": self.step,
            "variables": {path: [dtype, list(shape)] for path, (dtype, shape) in self.variables.items()},
            "files": {name: list(entry) for name, entry in self.files.items()},
            "metadata": self.metadata,
        }
        body = json.loads(json.dumps(body))  # as a reader will see it, so that both compute one checksum
        lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in {**body, "checksum": _checksum(body)}.items()]
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @staticmethod
    def from_json(text: bytes) -> Contents:
        """Raises ValueError, saying why, when the text is not what `to_json` wrote."""
        body = json.loads(text)
        if not isinstance(body, dict) or body.pop("checksum", "") != _checksum(body):
            raise ValueError("its checksum is wrong")
        if body["format"] != FORMAT:
            raise ValueError(f"its format is {body['format']}; this version of seqcfg reads format {FORMAT}")
        return Contents(
            step=body["step"],
            variables={path: (dtype, tuple(shape)) for path, (dtype, shape) in body["variables"].items()},
            files={name: (size, digest) for name, (size, digest) in body["files"].items()},
            metadata=body["metadata"],
        )


def read_contents(path: Path) -> Contents:
    """The manifest of the checkpoint in the folder `path`; raises DamagedCheckpoint."""
    try:
        return Contents.from_json((path / MANIFEST_FILE).read_bytes())
    except FileNotFoundError as error:
        raise _damaged(path, f"{MANIFEST_FILE} is missing") from error
    except OSError as error:
        raise _damaged(path, f"{MANIFEST_FILE} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"{MANIFEST_FILE} is not as written: {error}") from error


def verify(path: Path) -> Contents:
    """Reads every byte of the checkpoint and compares it with the manifest, which is returned; raises DamagedCheckpoint."""
    contents = read_contents(path)
    for name, (size, digest) in contents.files.items():
        try:
            found = describe_file(path / name)
        except FileNotFoundError as error:
            raise _damaged(path, f"{name} is missing") from error
        except OSError as error:
            raise _damaged(path, f"{name} cannot be read: {error.strerror}") from error
        if found[0] != size:
            raise _damaged(path, f"{name} has {found[0]} bytes instead of {size}")
        if found[1] != digest:
            raise _damaged(path, f"{name} has changed since it was written (its sha256 is {found[1][:12]} instead of {digest[:12]})")
    return contents


def describe_file(path: Path) -> tuple[int, str]:
    """(bytes, sha256) of a file."""
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _damaged(path: Path, what: str) -> DamagedCheckpoint:
    return DamagedCheckpoint(
        f"checkpoint {path} is damaged: {what}", hint="restore it from a copy, or delete this folder to use an older one"
    )
