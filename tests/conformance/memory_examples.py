"""Instances of layers that read a memory query by query, for layer_examples.py."""

from seqcfg.layers.attention.additive import AdditiveAttention
from seqcfg.layers.attention.gaussian_mixture import GaussianMixtureAttention
from seqcfg.layers.attention.location_sensitive import LocationSensitiveAttention
from seqcfg.layers.attention.monotonic import MonotonicAttention
from seqcfg.layers.attention.multi_head import MultiHeadAttention
from seqcfg.layers.recurrent.attention_decoder import AttentionDecoder
from seqcfg.layers.recurrent.lstm import LSTM

LAYERS = {
    "additive_attention": AdditiveAttention(hidden=5, dropout=0.1),
    "additive_attention:heads": AdditiveAttention(hidden=3, num_heads=2, projection=6, use_bias=True),
    "attention_decoder": AttentionDecoder(
        cell=LSTM(units=5), attention=AdditiveAttention(hidden=4, dropout=0.1), num_layers=3, residual_from=3, dropout=0.2
    ),
    "attention_decoder:location": AttentionDecoder(
        cell=LSTM(units=4, zoneout=0.1),
        attention=LocationSensitiveAttention(hidden=3, num_filters=2, kernel_size=3),
        num_layers=2,
        layer=LSTM(units=3),
        context_to="output",
        first_context="zeros",
    ),
    "attention_decoder:multi_head": AttentionDecoder(
        cell=LSTM(units=6),
        attention=MultiHeadAttention(num_heads=2, attend_to="memory"),
        num_layers=2,
        context_to="layers",
        context_of="previous",
        residual_from=2,
    ),
    "gaussian_mixture_attention": GaussianMixtureAttention(num_mixtures=2, hidden=6, first_step=0.5, first_width=2.0),
    "gaussian_mixture_attention:v0": GaussianMixtureAttention(num_mixtures=2, hidden=6, version="v0", first_width=3.0),
    "gaussian_mixture_attention:v1": GaussianMixtureAttention(num_mixtures=2, hidden=6, version="v1", activation="sigmoid"),
    "location_sensitive_attention": LocationSensitiveAttention(hidden=5, num_filters=3, kernel_size=5, dropout=0.1),
    "location_sensitive_attention:both": LocationSensitiveAttention(hidden=5, num_filters=3, kernel_size=3, location="both", use_bias=True),
    "monotonic_attention": MonotonicAttention(hidden=6, noise=1.0, first_offset=0.2),
    "monotonic_attention:soft": MonotonicAttention(hidden=6, outside_training="soft"),
    "monotonic_attention:chunks": MonotonicAttention(hidden=6, chunk_size=3, first_offset=0.2),
    "monotonic_attention:soft_chunks": MonotonicAttention(hidden=6, chunk_size=2, outside_training="soft"),
}
