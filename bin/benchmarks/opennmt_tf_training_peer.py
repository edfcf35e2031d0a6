"""OpenNMT-tf's own trainer, run by a Python that has OpenNMT-tf: FOLDER MAX_TOKENS MAX_LENGTH SIZES.

FOLDER holds `source` and `target`, pieces with spaces between them, and their vocabularies; SIZES is JSON {"num_layers",
"num_units", "num_heads", "ffn_inner_dim", "dropout", "threads"}. A number of own CPU-seconds on standard input gives {"weight",
"steps", "cpu_seconds"} of so many updates; target tokens are counted with the end id.
"""

import json
import os
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import opennmt
import tensorflow as tf
from opennmt import training

folder, max_tokens, max_length, sizes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # its own words must not stand among the answers
if threads := sizes.pop("threads"):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
model = opennmt.models.Transformer(
    share_embeddings=opennmt.models.EmbeddingsSharingLevel.ALL, attention_dropout=0.0, ffn_dropout=0.0, **sizes
)
both = {
    f"{what}_{side}_file": f"{folder}/{text}" for what in ("train", "eval") for side, text in (("features", "source"), ("labels", "target"))
}
config = {
    "model_dir": tempfile.mkdtemp(),
    "data": both | {f"{side}_vocabulary": f"{folder}/{side}.vocabulary" for side in ("source", "target")},
    "params": {
        "optimizer": "LazyAdam",
        "optimizer_params": {"beta_1": 0.9, "beta_2": 0.998},
        "learning_rate": 2.0,
        "decay_type": "NoamDecay",
        "decay_params": {"model_dim": sizes["num_units"], "warmup_steps": 2000},
        "label_smoothing": 0.1,
    },
    "train": {
        "batch_size": max_tokens,
        "batch_type": "tokens",
        "effective_batch_size": None,
        "length_bucket_width": 1,
        "maximum_features_length": max_length,
        "maximum_labels_length": max_length,
        "sample_buffer_size": -1,
        "save_summary_steps": 10**9,
        "save_checkpoints_steps": 10**9,
        "max_step": 10**9,
    },
}
steps = training.Trainer._steps


def measured(self, dataset, accum_steps=1):
    """Its updates, with a stop for an order before each window."""
    made, last = steps(self, dataset, accum_steps), 0

    def counted():
        nonlocal last
        total = int(self._training_stats._words_counters["target"].numpy())
        new, last = (total - last if total >= last else total), total
        return new

    yield next(made)
    counted()
    print(json.dumps({"opennmt_tf": opennmt.__version__, "tensorflow": tf.__version__}), file=answers, flush=True)
    for line in sys.stdin:
        seen, start = {"weight": 0.0, "steps": 0.0}, time.process_time()
        while time.process_time() - start < float(line) or not seen["steps"]:
            yield next(made)
            seen["weight"] += counted()
            seen["steps"] += 1
        print(json.dumps({**seen, "cpu_seconds": time.process_time() - start}), file=answers, flush=True)
    answers.flush()
    os._exit(0)  # its own end would write a checkpoint


training.Trainer._steps = measured
opennmt.Runner(model, config, auto_config=False).train()
