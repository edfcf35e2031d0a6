"""A stream gives the text of the whole utterance, whatever pieces it comes in."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from seqcfg.component.reserved_ids import NUM_RESERVED, PAD
from seqcfg.decoding.ctc_beam import CTCBeam
from seqcfg.decoding.ctc_greedy import CTCGreedy
from seqcfg.decoding.decoder import Decoder
from seqcfg.decoding.member import Member
from seqcfg.decoding.settings import Decoding, Fusion
from seqcfg.decoding.transducer_beam import TransducerBeam
from seqcfg.decoding.transducer_greedy import TransducerGreedy
from seqcfg.errors import UserError
from seqcfg.layers.audio.log_mel import LogMel
from seqcfg.layers.audio.spec_augment import SpecAugment
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.convolution.conv1d import Conv1D
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.embedding import Embedding
from seqcfg.layers.recurrent.bidirectional import Bidirectional
from seqcfg.layers.recurrent.lstm import LSTM
from seqcfg.models.ctc import CTC
from seqcfg.models.language_model import LanguageModel
from seqcfg.models.transducer import Transducer
from seqcfg.plan.declaration import Declaration
from seqcfg.tasks.frame_listening import listening_of
from seqcfg.tasks.language_modeling import LanguageModeling
from seqcfg.tasks.listening import Listening, span
from seqcfg.tasks.recognition import Recognition
from tests.decoding.tabular import outputs_of

RATE, VOCABULARY = 1000, NUM_RESERVED + 5
FRONT_END = Sequential(layers=[LogMel(sample_rate_hz=RATE, frame_ms=25, step_ms=10, num_bins=5, floor=1e-3), SpecAugment()])
CAUSAL = Sequential(layers=[Conv1D(units=8, kernel_size=3, stride=2, causal=True, activation="relu"), LSTM(units=8)])
SEARCHES = {"greedy": TransducerGreedy(), "beam": TransducerBeam(width=4)}
CLIP = np.random.default_rng(3).normal(0, 0.5, 1234).astype(np.float32) * np.repeat(np.arange(20) % 3, 62)[:1234]


def task_of(tokens_per_frame="any", encoder=CAUSAL):
    model = Transducer(
        encoder=encoder, embedding=Embedding(dim=4), prediction=LSTM(units=6), joint_width=8, tokens_per_frame=tokens_per_frame
    )
    return Recognition(tokenizer="all", sample_rate_hz=RATE, front_end=FRONT_END, model=model)


def declared(task):
    root = Declaration(task)
    task.declare(root, {"all": VOCABULARY})
    weights = {path: 4.0 * value for path, value in initial_values(root, 10).items()}
    weights["model/output/bias"] += 3.0 * tf.one_hot(PAD, VOCABULARY)  # most arcs go on to the next frame
    return root, weights


def text_of_whole(task, search, clip):
    root, weights = declared(task)
    inputs = {name: tf.constant(value) for name, value in task.encode_texts({}, [clip]).items()}
    ((found,),) = outputs_of(search(task.offered(view(root, weights), "lattice"), inputs, 200))
    return list(found[1])


def pieces(clip, size):
    return [clip[start : start + size] for start in range(0, len(clip), size)]


@pytest.mark.parametrize(("name", "tokens_per_frame"), [("greedy", "one"), ("beam", "any")])
def test_a_stream_gives_the_text_of_the_whole_utterance(name, tokens_per_frame):
    task, search = task_of(tokens_per_frame), SEARCHES[name]
    expected = text_of_whole(task, search, CLIP)
    assert 1 < len(set(expected)) <= len(expected) < 200
    listening = Listening(task, *declared(task), Decoding(search=search, max_length=200), chunk_ms=80)
    for size in (30, 5000):
        told = [listening.hear(piece) for piece in pieces(CLIP, size)]
        rest = listening.finish()
        assert sum(told, []) + rest == expected
        assert size > len(CLIP) or sum(map(len, told)) > 0  # something is certain before the end


class Letters:
    vocabulary = VOCABULARY

    def encode(self, texts):
        return [[ord(letter) - 97 + NUM_RESERVED for letter in text] for text in texts]

    def decode(self, ids):
        return ["".join(chr(97 + one) for one in row) for row in ids]


def prior():
    """A language model that is far from even."""
    task = LanguageModeling(tokenizer="all", model=LanguageModel(embedding=Embedding(dim=5), decoder=LSTM(units=5)))
    root = Declaration(task)
    task.declare(root, {"all": VOCABULARY})
    return Member(task, root, {path: 6.0 * value for path, value in initial_values(root, 5).items()}, CODECS, "float32", "prior", 0.6)


CODECS = {"all": Letters()}


BEAMS = [
    pytest.param(TransducerBeam(width=4), marks=pytest.mark.slow, id="transducer"),
    pytest.param(CTCBeam(width=4, token_bonus=0.5), id="ctc"),
]


@pytest.mark.parametrize("search", BEAMS)
def test_a_language_model_joins_in_a_stream_as_in_the_whole(search):
    task = task_of("one")  # a token per frame, so that no length limit is reached
    if search.needs == "frames":
        task = dataclasses.replace(task, model=CTC(encoder=CAUSAL))
    settings = Decoding(search=search, max_length=200, xla="never", fusion=Fusion(run="prior"))
    parts = (task, *declared(task))
    (whole,) = Decoder(*parts, CODECS, settings, partners=[prior()]).decode([CLIP])
    (alone,) = Decoder(*parts, CODECS, dataclasses.replace(settings, fusion=None)).decode([CLIP])
    assert whole.ids[0] != alone.ids[0] and 3 < len(whole.ids[0]) < 100
    listening = listening_of(*parts, settings, chunk_ms=80, partners=[prior()])
    told = [one for piece in pieces(CLIP, 300) for one in listening.hear(piece)]
    assert told + listening.finish() == whole.ids[0]
    with pytest.raises(UserError, match="the other runs that decoding names"):
        listening_of(*parts, settings)


def test_an_utterance_shorter_than_a_frame_has_no_text():
    listening = Listening(task_of(), *declared(task_of()), Decoding(search=TransducerGreedy(), max_length=200))
    assert listening.hear(CLIP[:10]) == []
    assert listening.finish() == []


def test_a_chunk_holds_whole_strides_near_the_milliseconds_asked_for():
    assert span(FRONT_END.num_positions) == (10, 15)
    listening = Listening(task_of(), *declared(task_of()), Decoding(search=TransducerGreedy()), chunk_ms=70)
    assert listening.chunk == 80  # 4 strides of 2 frames of 10 samples


def test_what_needs_the_whole_utterance_is_refused():
    with pytest.raises(UserError, match="a ctc_greedy search over a transducer model needs the whole utterance"):
        Listening(task_of(), *declared(task_of()), Decoding(search=CTCGreedy()))
    backwards = task_of(encoder=Bidirectional(layer=LSTM(units=4)))
    listening = Listening(backwards, *declared(backwards), Decoding(search=TransducerGreedy()))
    with pytest.raises(UserError, match="reads the future"):
        listening.hear(CLIP)
