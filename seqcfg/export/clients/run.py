"""The run itself, for comparison: what `seqcfg decode` does, one call at a time. This is the one client that needs seqcfg."""

import sys


class Model:
    """Texts in, (text, score) out; FOLDER is a run."""

    def __init__(self, folder: str, path: str, checkpoint: str, overrides: list[str]):
        sys.path.append(path)
        from seqcfg.decoding.decoder import Decoder
        from seqcfg.decoding.settings import Decoding
        from seqcfg.tasks.trained import open_run

        trained = open_run(folder, checkpoint, overrides, lambda line: None)
        recipe = trained.experiment.recipe
        settings = recipe.decoding or Decoding()
        self._decoder = Decoder(recipe.task, trained.declaration, trained.weights, trained.codecs, settings, trained.precision)

    def __call__(self, texts: list[str]) -> list[tuple[str, float]]:
        return [(one.text, one.scores[0]) for one in self._decoder.decode(texts)]
