"""Lingvo's input pipeline for translation, run by a Python that has Lingvo: FOLDER MAX_TOKENS MAX_LENGTH.

FOLDER holds `source` and `target`, pieces with spaces between them, and their vocabularies; they become the records that
its NmtInput reads, with buckets of two tokens as its own recipes have them. A number of seconds on standard input gives
{"tokens", "batches", "seconds", "cpu_seconds"}; the end id of each side is counted.
"""

import json
import os
import sys
import time
from importlib.metadata import version

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import lingvo.compat as tf
import tensorflow
from lingvo.tasks.mt import input_generator

folder, max_tokens, max_length = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
END = 2


def ids(side):
    with open(f"{folder}/{side}.vocabulary", encoding="utf-8") as lines:
        number = {line.rstrip("\n"): place for place, line in enumerate(lines)}
    with open(f"{folder}/{side}", encoding="utf-8") as lines:
        for line in lines:
            yield [number.get(piece, 0) for piece in line.rstrip("\n").split(" ")]


def write_records(path):
    """One tf.Example per pair, as Lingvo's own preparation writes them; returns how many."""
    whole = tensorflow.train
    count = 0
    with tensorflow.io.TFRecordWriter(path) as file:
        for source, target in zip(ids("source"), ids("target"), strict=True):
            source = [*source, END]
            zeros, ones = [0.0] * (len(target) + 1), [1.0] * (len(target) + 1)
            lists = {"source_id": source, "target_id": [1, *target], "target_label": [*target, END], "natural_order": [1]}
            feature = {name: whole.Feature(int64_list=whole.Int64List(value=value)) for name, value in lists.items()}
            floats = {"source_padding": [0.0] * len(source), "target_padding": zeros, "target_weight": ones}
            feature |= {name: whole.Feature(float_list=whole.FloatList(value=value)) for name, value in floats.items()}
            file.write(whole.Example(features=whole.Features(feature=feature)).SerializeToString())
            count += 1
    return count


def params(records, count):
    p = input_generator.NmtInput.Params()
    p.tokenizer.token_vocab_filepath = f"{folder}/target.vocabulary"
    with open(p.tokenizer.token_vocab_filepath, encoding="utf-8") as lines:
        p.tokenizer.vocab_size = sum(1 for _ in lines)
    p.file_random_seed, p.file_parallelism, p.file_buffer_size, p.num_samples = 1, 1, count, count
    p.bucket_upper_bound = [*range(6, min(41, max_length), 2), *(bound for bound in (48, 60) if bound < max_length), max_length + 1]
    p.bucket_batch_limit = [max(1, max_tokens // bound) for bound in p.bucket_upper_bound]
    p.file_pattern = f"tfrecord:{records}"
    return p


def window(run, seconds):
    sums = {"tokens": 0.0, "batches": 0.0}
    start, cpu_start = time.monotonic(), time.process_time()
    while True:
        source, target = run()
        sums["tokens"] += float((1 - source).sum() + (1 - target).sum())
        sums["batches"] += 1
        if time.monotonic() - start >= seconds:
            return {**sums, "seconds": time.monotonic() - start, "cpu_seconds": time.process_time() - cpu_start}


def main():
    tf.disable_v2_behavior()
    records = f"{folder}/train.tfrecord"
    count = write_records(records)
    with tf.Graph().as_default():
        batch = params(records, count).Instantiate().GetPreprocessedInputBatch()
        fetched = (batch.src.paddings, batch.tgt.paddings, batch.src.ids, batch.tgt.ids, batch.tgt.labels, batch.tgt.weights)
        with tf.Session() as session:

            def run():
                return session.run(fetched)[:2]

            run()
            print(json.dumps({"lingvo": version("lingvo"), "tensorflow": tensorflow.__version__}), flush=True)
            for line in sys.stdin:
                print(json.dumps(window(run, float(line))), flush=True)


main()
