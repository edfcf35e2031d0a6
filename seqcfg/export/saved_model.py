"""SavedModel: TensorFlow's own format, with tokenizer and search inside."""

from __future__ import annotations

from seqcfg.component.component import param
from seqcfg.component.kinds import Exporter
from seqcfg.component.types import PositiveInt


class SavedModel(Exporter, type="saved_model"):
    """A directory that TensorFlow, TensorFlow Serving and tensorflow-text users load without seqcfg."""

    version: PositiveInt = param(default=1, doc="Number of the version folder that model servers look for.")
    include_tokenizer: bool = param(
        default=True, doc="Whether text signatures are included; they need tensorflow-text where the model runs."
    )
