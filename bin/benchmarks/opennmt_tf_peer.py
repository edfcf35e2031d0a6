"""OpenNMT-tf's training pipeline, run by a Python that has OpenNMT-tf: FOLDER MAX_TOKENS MAX_LENGTH.

FOLDER holds `source` and `target`, pieces with spaces between them, and their vocabularies. It shuffles all lines and
buckets by length as its own trainer does. A number of seconds on standard input gives {"tokens", "batches", "seconds",
"cpu_seconds"}; the end id of each side is counted.
"""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import opennmt
import tensorflow as tf

folder, max_tokens, max_length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = opennmt.models.TransformerTiny()
model.initialize({f"{side}_vocabulary": f"{folder}/{side}.vocabulary" for side in ("source", "target")})
with open(f"{folder}/source", encoding="utf-8") as lines:
    size = sum(1 for _ in lines)
dataset = model.examples_inputter.make_training_dataset(
    f"{folder}/source",
    f"{folder}/target",
    batch_size=max_tokens,
    batch_type="tokens",
    shuffle_buffer_size=size,
    length_bucket_width=1,
    maximum_features_length=max_length,
    maximum_labels_length=max_length,
)
batches = iter(dataset)


def window(seconds):
    sums = {"tokens": 0.0, "batches": 0.0}
    start, cpu_start = time.monotonic(), time.process_time()
    while True:
        features, labels = next(batches)
        source, target = features["length"].numpy(), labels["length"].numpy()
        sums["tokens"] += float(source.sum() + len(source) + target.sum())
        sums["batches"] += 1
        if time.monotonic() - start >= seconds:
            return {**sums, "seconds": time.monotonic() - start, "cpu_seconds": time.process_time() - cpu_start}


next(batches)
print(json.dumps({"opennmt_tf": opennmt.__version__, "tensorflow": tf.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(window(float(line))), flush=True)
