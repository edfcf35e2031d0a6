"""Recipes for audio that is still arriving: what their layers write as sound comes is what they write of the whole."""

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import PAD
from seqcfg.decoding.ctc_beam import CTCBeam
from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.settings import Decoding
from seqcfg.decoding.transducer_beam import TransducerBeam
from seqcfg.decoding.transducer_greedy import TransducerGreedy
from seqcfg.layers.create import initial_values
from seqcfg.plan.declaration import Declaration
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load
from seqcfg.tasks.frame_listening import listening_of

VOCABULARY = 12
SMALL = (
    "vars.width=8", "vars.hidden=8", "vars.heads=2", "vars.blocks=1", "vars.kernel_size=3", "vars.subsampling_channels=2",
)  # fmt: skip
STREAMING = ("vars.causal=true", "vars.reach={left: 8, right: 0, chunk: 4}", "vars.convolution_norm={type: layer_norm}")
CTC, TRANSDUCER = "asr/librispeech960_conformer_ctc_streaming", "asr/librispeech960_conformer_transducer"
RECIPES = {
    CTC: ("vars.reach={left: 8, right: 0, chunk: 4}",),
    TRANSDUCER: (*STREAMING, "task.model.tokens_per_frame=one"),  # random weights write on and on
}
SEARCHES = {
    "ctc": [CTCGreedy(), CTCBeam(width=4)],
    "transducer": [TransducerGreedy(tokens_per_frame=2), TransducerBeam(width=3)],
}
CLIP = np.random.default_rng(3).normal(0, 0.3, 16_000).astype(np.float32) * np.repeat(np.arange(16) % 4, 1000)


class Letters:
    vocabulary = VOCABULARY

    def decode(self, ids):
        return ["".join(chr(97 + one) for one in row) for row in ids]


def parts_of(recipe, overrides):
    task = load(str(shipped.find(recipe)), [*SMALL, *overrides]).recipe.task
    root = Declaration(task)
    task.declare(root, {task.tokenizer: VOCABULARY})
    weights = {path: 2.0 * value for path, value in initial_values(root, 4).items()}
    for path in weights:
        if path.endswith("front_end/layers/1/mean"):
            weights[path] = weights[path] - 6.0  # as of a corpus, which the values of log-mel are far from
    bias = next(path for path in weights if path.endswith("model/output/bias"))
    weights[bias] += 1.5 * tf.one_hot(PAD, VOCABULARY)
    return task, root, weights


@pytest.mark.parametrize("recipe", [CTC, pytest.param(TRANSDUCER, marks=pytest.mark.slow)])
def test_a_stream_in_chunks_writes_what_the_whole_utterance_gives(recipe):
    task, root, weights = parts_of(recipe, RECIPES[recipe])
    codecs = {task.tokenizer: Letters()}
    for search in SEARCHES[task.model.type]:
        settings = Decoding(search=search, xla="never", max_length=300)
        (whole,) = Decoder(task, root, weights, codecs, settings).decode([CLIP])
        assert 5 < len(whole.ids[0]) < 100 and len(set(whole.ids[0])) > 2
        listening = listening_of(task, root, weights, settings, chunk_ms=100.0)
        assert listening.chunk == 4 * 4 * 160  # whole chunks of attention, behind two strides of 2, of 10 ms
        for size in (999, len(CLIP)):
            told = [one for start in range(0, len(CLIP), size) for one in listening.hear(CLIP[start : start + size])]
            assert told + listening.finish() == whole.ids[0]


def test_the_shipped_chunk_is_that_of_its_attention():
    task, root, weights = parts_of(CTC, ())
    for milliseconds, expected in ((320.0, 640), (100.0, 640), (1500.0, 1280)):
        assert listening_of(task, root, weights, Decoding(search=CTCBeam()), milliseconds).chunk == expected * 16
