"""Audio manifests: one utterance a line, as JSON or with tabs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from seqcfg.component.component import param
from seqcfg.component.types import DataPath, Text
from seqcfg.data.lines import Line, read_lines
from seqcfg.data.root import DataRoot
from seqcfg.data.sources.audio import AudioSource, Utterance
from seqcfg.data.sources.parallel_text import as_list

KEYS = {"audio": ("audio", "audio_filepath", "path"), "text": ("text", "transcript"), "offset": ("offset",), "duration": ("duration",)}


class AudioManifest(AudioSource, type="audio_manifest"):
    """Lines that name an audio file, its text and, where only a part is meant, offset and duration in seconds.

    JSON lines have the keys audio (or audio_filepath, path), text (or transcript), offset and duration; lines with
    tabs have these four in this order, the last two of which may be missing.
    """

    path: DataPath | list[DataPath] = param(doc="Manifest or manifests to read, plain or packed.")
    format: Literal["jsonl", "tsv"] = param(default="jsonl", doc="How a line is written.")
    audio_folder: Text = param(default="", doc="Folder below the data root that the audio paths start from; left out, the data root.")

    def paths(self) -> list[str]:
        """The manifests; the audio files are named in them."""
        return as_list(self.path)

    def utterances(self, root: DataRoot) -> Iterator[Utterance]:
        """One utterance per line; a line that cannot be understood is an utterance with a problem."""
        for name in root.expand(self.paths()):
            for line in read_lines(root.resolve(name), name, keeps_what_is_read=True):
                if line.text.strip() or line.problem:
                    yield self._utterance(name, line)

    def _utterance(self, name: str, line: Line) -> Utterance:
        try:
            if line.problem:
                raise ValueError(line.problem)
            audio, text, offset, duration = _from_json(line.text) if self.format == "jsonl" else _from_tabs(line.text)
        except (ValueError, RecursionError) as error:
            return Utterance("", "", "", name, line.number, problem=str(error))
        path = f"{self.audio_folder.rstrip('/')}/{audio}" if self.audio_folder else audio
        return Utterance(path, text, audio, name, line.number, offset, duration)


def _from_json(line: str) -> tuple[str, str, float, float | None]:
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("is no JSON object")
    found: dict[str, Any] = {}
    for name, keys in KEYS.items():
        found[name] = next((record[key] for key in keys if key in record), None)
    if not isinstance(found["audio"], str) or not isinstance(found["text"], str):
        raise ValueError("needs text under the keys 'audio' and 'text'")
    return found["audio"], found["text"], float(found["offset"] or 0), None if found["duration"] is None else float(found["duration"])


def _from_tabs(line: str) -> tuple[str, str, float, float | None]:
    cells = line.split("\t")
    if len(cells) < 2:
        raise ValueError("has no tab between audio and text")
    offset = float(cells[2]) if len(cells) > 2 and cells[2] else 0.0
    return cells[0], cells[1], offset, float(cells[3]) if len(cells) > 3 and cells[3] else None
