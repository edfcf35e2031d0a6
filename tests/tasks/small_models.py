"""Tiny models of both tasks, with random weights."""

from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.composition.residual import Residual
from seqcfg.layers.composition.sequential import Sequential
from seqcfg.layers.create import initial_values, view
from seqcfg.layers.dense import Dense
from seqcfg.layers.embedding import Embedding
from seqcfg.layers.feed_forward import FeedForward
from seqcfg.layers.normalization.layer_norm import LayerNorm
from seqcfg.layers.position.sinusoidal import SinusoidalPosition
from seqcfg.losses.cross_entropy import CrossEntropy
from seqcfg.models.encoder_decoder import EncoderDecoder
from seqcfg.models.language_model import LanguageModel
from seqcfg.plan.declaration import Declaration
from seqcfg.tasks.language_modeling import LanguageModeling
from seqcfg.tasks.translation import Translation

VOCABULARY = 12


def stack(*attentions):
    layers = [Residual(norm=LayerNorm(), layer=attention) for attention in attentions]
    return Sequential(layers=[SinusoidalPosition(), *layers, Residual(norm=LayerNorm(), layer=FeedForward(hidden=16))])


def translation(untied=False):
    model = EncoderDecoder(
        source_embedding=Embedding(dim=8),
        target_embedding=Embedding(dim=8) if untied else None,
        output=Dense(units=VOCABULARY) if untied else None,
        encoder=stack(MultiHeadAttention(num_heads=2)),
        decoder=stack(MultiHeadAttention(num_heads=2, causal=True), MultiHeadAttention(num_heads=2, attend_to="memory")),
    )
    return Translation(source_tokenizer="all", target_tokenizer="all", model=model, loss=CrossEntropy(label_smoothing=0.1))


def language_modeling():
    return LanguageModeling(
        tokenizer="all", model=LanguageModel(embedding=Embedding(dim=8), decoder=stack(MultiHeadAttention(num_heads=2, causal=True)))
    )


def declared(task):
    root = Declaration(task)
    task.declare(root, {"all": VOCABULARY})
    return root


def weights_of(task, seed=3):
    """{path: value}, larger than usual so that models disagree with themselves visibly when something is wrong."""
    return {path: 3.0 * value for path, value in initial_values(declared(task), seed).items()}


def view_of(task):
    return view(declared(task), weights_of(task))
