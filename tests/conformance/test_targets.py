"""What `validate --target` says of a search before training is what an export finds out: it is written and the same, or named."""

import pytest

from seqcfg.component import catalog
from seqcfg.errors import UserError
from seqcfg.export.artefact import Export, exporter_of
from seqcfg.export.sample import Sample
from seqcfg.tasks.trained import open_run
from tests.evaluation import small_run, small_sounds

pytestmark = pytest.mark.slow
CTC = "model: {type: ctc, encoder: {type: conv1d, units: 6, kernel_size: 3, stride: 2, causal: true}}"
LSTM = "encoder: {type: lstm, units: 6}"
MODELS = {
    "ctc": CTC,
    "transducer": f"model: {{type: transducer, joint_width: 6, {LSTM}, embedding: {{type: embedding, dim: 6}}, "
    "prediction: {type: lstm, units: 6}}",
    "ctc_attention": f"model: {{type: ctc_attention, attention: {{type: encoder_decoder, {LSTM}, target_embedding: "
    "{type: embedding, dim: 6}, decoder: {type: attention_decoder, cell: {type: lstm, units: 6}, "
    "attention: {type: location_sensitive_attention, hidden: 4}}, output: {type: dense, units: 20}}}",
}
SEARCHES = {
    "text": [
        "search: {type: greedy}",
        "search: {type: sample}",
        "search: {type: sample, top_k: 5, typical_p: 0.9}",
        "search: {type: contrastive}",
        "search: {type: beam, width: 4, num_groups: 2, coverage_penalty: 0.1, merge: best}, distinct_ngrams: 2",
        "search: {type: lingvo_beam}, length_floor: {ratio: 0.5}",
        "search: {type: greedy, allow_unknown: true}, unknown_words: {}",
        "search: {type: beam}, minimum_risk: {}",
    ],
    "ctc": ["search: {type: ctc_greedy}", "search: {type: ctc_beam, width: 3}", "search: {type: beam, width: 2}"],
    "transducer": ["search: {type: transducer_greedy}", "search: {type: transducer_beam, width: 3}", "search: {type: beam, width: 2}"],
    "ctc_attention": ["search: {type: beam, width: 2}"],
}
LINES, SOUNDS = ["one", "twenty-one"], [small_sounds.noise(0.9), small_sounds.noise(0.4, seed=1)]


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    runs = {}

    def made(model):
        if model not in runs:
            folder, text = tmp_path_factory.mktemp(model), small_sounds.RECIPE.replace(CTC, MODELS.get(model, CTC))
            text = (
                text if model == "ctc" else text.replace("{type: ctc_greedy}", f"{{type: {'beam' if model != 'transducer' else 'greedy'}}}")
            )
            runs[model] = small_run.make_run(folder) if model == "text" else small_sounds.make_run(folder, text)
        return runs[model]

    return made


def test_every_search_has_an_example():
    ours = {name for name, cls in catalog.load()["search"].items() if cls.__module__.startswith("seqcfg.")}
    assert ours == {example.split("type: ")[1].split(",")[0].rstrip("}") for examples in SEARCHES.values() for example in examples}


@pytest.mark.parametrize("target", ["tflite", "onnx"])
@pytest.mark.parametrize(("model", "decoding"), [(model, one) for model, examples in SEARCHES.items() for one in examples])
def test_an_export_is_the_same_or_was_named_before(run_of, model, decoding, target):
    trained = open_run(run_of(model), overrides=[f"decoding={{{decoding}, max_length: 5, max_source_length: 100, xla: never}}"])
    exporter = exporter_of(trained.experiment, target)
    named = list(exporter.obstacles_in(trained.experiment.recipe, trained.declaration))
    export = Export(trained, Sample(LINES if model == "text" else SOUNDS))
    if named:
        with pytest.raises(UserError):
            export(exporter)
    else:
        parity = export(exporter).parity
        assert parity.identical == parity.lines
