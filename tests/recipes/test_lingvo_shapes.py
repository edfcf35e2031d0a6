"""The recipes of Lingvo's experiments have its weights: as many numbers, and the same shapes as often."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
import tensorflow as tf

from seqcfg.layers.create import initial_values, view
from seqcfg.plan import table
from seqcfg.recipe import shipped
from seqcfg.recipe.experiment import load

DUMPS = Path(__file__).parents[1] / "goldens" / "lingvo"
SOFTMAX, EMBEDDINGS, NO_WEIGHTS = "dec.softmax.", ("token_emb.wm", ".emb.wm"), "grad_norm_tracker"


def planned(name):
    return load(str(shipped.find(f"mt/{name}"))).declaration


def lingvo_weights(file):
    """[(name, shape)] of a dump of Lingvo's variables; pieces of the softmax and of embeddings are joined along the vocabulary."""
    whole, pieces = [], defaultdict(list)
    for line in (DUMPS / file).read_text().splitlines():
        if not line.startswith("_task.") or NO_WEIGHTS in line:
            continue
        name, _, rest = line.partition(" ")
        shape = tuple(int(size) for size in rest[rest.index("(") + 1 : rest.index(")")].split(",") if size.strip())
        if SOFTMAX in name:
            pieces[name.rpartition("_")[0]].append(shape)  # weight_0, bias_0 ...
        elif any(part in name for part in EMBEDDINGS):
            pieces[name.partition("[")[0]].append(shape)  # wm[0] ...
        else:
            whole.append((name, shape))
    for name, shapes in pieces.items():
        axis = 1 if name.endswith("softmax.weight") else 0
        joined = list(shapes[0])
        joined[axis] = sum(shape[axis] for shape in shapes)
        whole.append((name, tuple(joined)))
    return whole


@pytest.mark.parametrize(
    ("name", "total"),
    [
        ("wmt14_ende_lingvo_base", 93_323_648),
        ("wmt14_ende_lingvo_small", 6_343_616),
        ("wmtm16_ende_caption", 4_174_544),
        ("wmt14_ende_rnmtplus", 378_866_180 - 4),  # Lingvo counts the 4 numbers of its tracker of gradients
        ("brown_punctuator_rnmtplus", 313_314_180 - 4),
    ],
)
def test_the_number_of_weights_is_lingvo_s(name, total):
    assert table.total(planned(name)) == table.total(planned(name), only_trainable=True) == total


@pytest.mark.parametrize(
    ("name", "dump"),
    [
        ("wmt14_ende_lingvo_base", "mt.wmt14_en_de.WmtEnDeTransformerBase.weights.txt"),
        ("wmtm16_ende_caption", "mt.wmtm16_en_de.WmtCaptionEnDeTransformer.weights.txt"),
        ("wmt14_ende_rnmtplus", "mt.wmt14_en_de.WmtEnDeRNMT.weights.txt"),
    ],
)
def test_every_shape_occurs_as_often_as_in_lingvo(name, dump):
    ours = Counter(tuple(weight.shape) for weight in planned(name).all_weights())
    assert ours == Counter(shape for _, shape in lingvo_weights(dump))


def test_weights_of_a_kind_are_as_many_in_each_half_as_in_lingvo():
    kinds = {"per_dim_scale": "query_scale", "layer_norm.scale": "norm/gain", "query_proj_b": "query/bias", "fc[0].w": "expand/kernel"}
    theirs = lingvo_weights("mt.wmtm16_en_de.WmtCaptionEnDeTransformer.weights.txt")
    ours = [weight.path for weight in planned("wmtm16_ende_caption").all_weights()]
    for their_kind, our_kind in kinds.items():
        for their_half, our_half in (("_task.enc.", "model/encoder/"), ("_task.dec.", "model/decoder/")):
            expected = sum(name.startswith(their_half) and name.endswith(their_kind) for name, _ in theirs)
            assert expected > 0
            assert sum(path.startswith(our_half) and path.endswith(our_kind) for path in ours) == expected, (their_kind, their_half)


def test_the_loss_of_the_caption_model_uses_every_weight():
    experiment = load(str(shipped.find("mt/wmtm16_ende_caption")))
    values = initial_values(experiment.declaration, 1)
    lengths = tf.constant([3, 5])
    ids = tf.random.stateless_uniform([2, 5], [1, 2], 4, 2000, tf.int32) * tf.cast(tf.sequence_mask(lengths, 5), tf.int32)
    batch = {"source": ids, "source_length": lengths, "target": ids[:, ::-1] + 4, "target_length": tf.constant([5, 5])}
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = experiment.recipe.task.losses(view(experiment.declaration, values), batch)["loss"].total
    gradients = tape.gradient(loss, values)
    unused = [path for path, gradient in gradients.items() if gradient is None]
    still = [path for path, g in gradients.items() if g is not None and not float(tf.reduce_max(tf.abs(tf.convert_to_tensor(g)))) > 0]
    assert not unused
    assert all(path.endswith("key/bias") for path in still)  # a vector common to all keys cancels in the softmax


def test_search_and_schedule_are_lingvo_s():
    recipe = load(str(shipped.find("mt/wmt14_ende_lingvo_base"))).recipe
    search = recipe.decoding.search
    assert (search.width, search.prune_margin, search.eos_margin) == (8, 3.0, 5.0)
    assert (search.formula, search.length_penalty, search.end_among) == ("lingvo", 0.5, "hypothesis")
    assert recipe.decoding.length_limit.longest(1, recipe.decoding.max_length) == 300
    peak = float(recipe.training.schedule(tf.constant(39_999)))  # 3 / sqrt(512 * 40000)
    assert peak == pytest.approx(6.6291e-4, rel=1e-4)
    assert recipe.training.clip.norm is None
