"""OpenNMT-tf's Transformers, the settings it fills in by itself, and the settings that have no place in a recipe."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Sizes:
    """A model of OpenNMT-tf's catalog; dropout is 0.1 in all of them, everywhere."""

    width: int = 512
    hidden: int = 2048
    heads: int = 8
    layers: int = 6
    shares_embeddings: bool = False


BIG = Sizes(width=1024, hidden=4096, heads=16)
MODELS = {
    "Transformer": Sizes(),
    "TransformerBase": Sizes(),
    "TransformerBaseSharedEmbeddings": Sizes(shares_embeddings=True),
    "TransformerBig": BIG,
    "TransformerBigSharedEmbeddings": dataclasses.replace(BIG, shares_embeddings=True),
    "TransformerTiny": Sizes(width=64, hidden=64, heads=2, layers=2),
}
DROPOUT = 0.1


def automatic(sizes: Sizes) -> dict[str, Any]:
    """What OpenNMT-tf's automatic configuration sets for a Transformer where the file is silent."""
    return {
        "params.label_smoothing": 0.1,
        "params.optimizer": "LazyAdam",
        "params.optimizer_params.beta_1": 0.9,
        "params.optimizer_params.beta_2": 0.998,
        "params.learning_rate": 2.0,
        "params.decay_type": "NoamDecay",
        "params.decay_params.model_dim": sizes.width,
        "params.decay_params.warmup_steps": 8000,
        "params.beam_width": 4,
        "train.batch_size": 3072,
        "train.batch_type": "tokens",
        "train.effective_batch_size": 25000,
        "train.max_step": 500_000,
        "train.maximum_features_length": 100,
        "train.maximum_labels_length": 100,
        "train.keep_checkpoint_max": 8,
        "train.average_last_checkpoints": 8,
        "infer.batch_size": 32,
    }


# Key -> the values that change nothing, and why another one is left behind. A key also speaks for those below it.
LEFT_BEHIND: dict[str, tuple[tuple[Any, ...], str]] = {
    "model_dir": ((), "a run is put where 'seqcfg train --run DIR' says"),
    "data.train_files_weights": ((None,), "training files are read one after the other, each once an epoch"),
    "data.train_alignments": ((None,), "there is no guided alignment"),
    "data.example_weights": ((None,), "all examples count alike"),
    "data.export_vocabulary_assets": ((True,), "an export always holds its tokenizers"),
    "data.source_tokenization": ((), "SentencePiece units take the place of its tokens"),
    "data.target_tokenization": ((), "SentencePiece units take the place of its tokens"),
    "data.source_embedding": ((None,), "embeddings are not read from files"),
    "data.target_embedding": ((None,), "embeddings are not read from files"),
    "data.source_sequence_controls": ((None,), "a source always ends with the end id, and no start id is put before it"),
    "data.target_sequence_controls": ((None,), "a target always has the start id before it and the end id after it"),
    "params.regularization": ((None,), "there are no penalties on weights; the optimizer adamw lets them decay"),
    "params.average_loss_in_time": ((True,), "losses are always means over target tokens"),
    "params.mask_loss_outliers": ((False,), "no loss is masked"),
    "params.start_decay_steps": ((0, None), "schedules start at the first step"),
    "params.decay_step_duration": ((1, None), "schedules count single steps"),
    "params.minimum_learning_rate": ((0, 0.0, None), "the schedule has no lower bound"),
    "params.scheduled_sampling_type": (("constant", None), "there is no scheduled sampling"),
    "params.scheduled_sampling_read_probability": ((1, 1.0, None), "there is no scheduled sampling"),
    "params.scheduled_sampling_k": ((0, None), "there is no scheduled sampling"),
    "params.coverage_penalty": ((0, 0.0, None), "beam search has no coverage penalty"),
    "params.decoding_noise": ((None,), "outputs are not changed after the search"),
    "params.decoding_subword_token": ((), "it serves noise and contrastive learning alone, which do not exist here"),
    "params.decoding_subword_token_is_spacer": ((), "it serves noise and contrastive learning alone, which do not exist here"),
    "params.replace_unknown_target": ((False, None), "unknown tokens are never produced"),
    "params.guided_alignment_type": ((None, "null"), "there is no guided alignment"),
    "params.guided_alignment_weight": ((), "there is no guided alignment"),
    "params.contrastive_learning": ((False,), "there is no contrastive learning"),
    "params.max_margin_eta": ((), "there is no contrastive learning"),
    "params.freeze_layers": ((None,), "layers have other names: 'seqcfg plan' lists the paths that training.frozen takes"),
    "params.tflite_output_size": ((), "there is no export to TensorFlow Lite"),
    "train.single_pass": ((False,), "training ends by steps, not by epochs"),
    "train.sample_buffer_size": ((-1,), "every epoch is a permutation of the whole corpus"),
    "eval.steps": ((), "there is no held-out data to look at"),
    "eval.early_stopping": ((None,), "training does not stop by itself; the best checkpoint is kept"),
    "eval.batch_size": ((), "evaluation.max_tokens bounds its batches, which changes no score"),
    "eval.batch_type": ((), "evaluation.max_tokens bounds its batches, which changes no score"),
    "eval.length_bucket_width": ((), "it changes no score"),
    "eval.save_eval_predictions": ((), "'seqcfg evaluate' always keeps its outputs"),
    "eval.export_format": (("saved_model",), "'seqcfg export' writes a SavedModel when it is asked"),
    "eval.max_exports_to_keep": ((), "'seqcfg export' writes a SavedModel when it is asked"),
    "infer.with_scores": ((False,), "an option of 'seqcfg decode', not of the recipe"),
    "infer.with_alignments": ((None,), "attention is not given out"),
    "infer.length_bucket_width": ((), "decoding sorts by length by itself"),
    "score": ((), "there is no separate scoring of given translations"),
}
