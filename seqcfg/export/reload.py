"""Running an artefact in a process of its own that never sees seqcfg."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from seqcfg.errors import UserError

SCRIPT = """
import json, sys
import tensorflow as tf
import tensorflow_text
model = tf.saved_model.load(sys.argv[1])
call = model.signatures["serving_default"]
lines, size = json.load(sys.stdin), int(sys.argv[2])
texts = []
for start in range(0, len(lines), size):
    texts += [text.decode("utf-8") for text in call(tf.constant(lines[start : start + size]))["text"].numpy()]
assert not any(name.split(".")[0] == "seqcfg" for name in sys.modules), "seqcfg was imported"
json.dump(texts, open(sys.argv[3], "w"))
"""


def reload_and_decode(folder: Path, lines: list[str], batch_size: int) -> list[str]:
    """The texts that a SavedModel gives for the lines, `batch_size` at a time. Raises UserError when it does not run."""
    if not lines:
        return []
    with tempfile.TemporaryDirectory() as place:
        result = Path(place) / "texts.json"
        command = [sys.executable, "-c", SCRIPT, str(folder.resolve()), str(batch_size), str(result)]
        done = subprocess.run(command, cwd=place, input=json.dumps(lines), capture_output=True, text=True, encoding="utf-8")
        if done.returncode or not result.exists():
            last = done.stderr.strip().rsplit("\n", 1)[-1]
            raise UserError(
                f"the exported model does not run by itself: {last}", hint="is tensorflow-text installed? 'seqcfg doctor' tells"
            )
        return json.loads(result.read_text())
