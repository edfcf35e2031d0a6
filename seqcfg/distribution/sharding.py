"""Which axis of each weight a mesh divides: attention by heads, feed-forward layers by hidden features, tables by rows."""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterator, Mapping

from seqcfg.plan.declaration import Declaration, Weight

# Type of a component -> weight below it -> the logical axis that is divided (Megatron: arXiv:1909.08053, section 3). What follows
# the divided axis of one product is divided in the next one, so that a layer needs one sum over devices in each direction.
DIVIDED = {
    "multi_head_attention": {
        **{f"{name}/{part}": "output" for name in ("query", "key", "value") for part in ("kernel", "bias")},
        "output/kernel": "input",
    },
    "feed_forward": {
        **{f"{name}/{part}": "output" for name in ("expand", "gate") for part in ("kernel", "bias")},
        "contract/kernel": "input",
    },
    "embedding": {"table": "vocabulary"},
    "language_model": {"output/kernel": "output", "output/bias": "output"},
    "encoder_decoder": {"output/kernel": "output", "output/bias": "output"},
}
WHOLE = (  # of their weights every device has a copy
    "activation", "dense", "dropout", "layer_norm", "learned_position", "repeat", "residual", "rms_norm", "sequential",
    "sinusoidal_position", "language_modeling", "translation",
)  # fmt: skip
MANY = "train it on several devices with {type: mirrored} or {type: multi_worker}"


@dataclasses.dataclass(frozen=True)
class Division:
    """A weight, the number of the axis that is divided, or None for copies, and the shape of what one device holds."""

    weight: Weight
    axis: int | None
    shape: tuple[int, ...]


def divisions(declaration: Declaration, parts: int, rules: Mapping[str, str | None]) -> dict[str, Division]:
    """{path: how a weight is divided into `parts`}; raises Misfit at the first layer that cannot be, with a remedy.

    rules {pattern of weight paths: logical axis, or None for copies} come before what layers of a type usually do; of several
    that match the last one counts.
    """
    found: dict[str, Division] = {}
    owners = {id(node): named for named in declaration.nodes() for _, node in _below(named)}
    for node in declaration.nodes():
        _refuse_unknown(node)
        if parts > 1:
            _refuse_heads(node, parts, rules)
        for name, weight in node.weights.items():
            if weight.path not in found:
                axis = _axis(weight, name, node, owners.get(id(node)), rules)
                found[weight.path] = _divided(weight, axis, parts, node)
    return found


def broken_rules(declaration: Declaration, rules: Mapping[str, str | None]) -> Iterator[tuple[str, str, str]]:
    """(pattern, what is wrong, how to mend it) of rules that speak of no weight, or of an axis that a weight has not."""
    weights = list(declaration.all_weights())
    for pattern, axis in rules.items():
        matched = [weight for weight in weights if fnmatch.fnmatchcase(weight.path, pattern)]
        if not matched:
            yield pattern, f"no weight matches {pattern!r}", "seqcfg plan lists the weights"
        for weight in [one for one in matched if axis is not None and axis not in one.axes][:1]:
            yield pattern, f"{weight.path} has no axis {axis!r}", f"it has {', '.join(weight.axes) or 'none'}; null keeps copies"


def _below(node: Declaration) -> Iterator[tuple[str, Declaration]]:
    for name, child in node.children.items():
        for one in child if isinstance(child, list) else [child]:
            yield name, one


def _refuse_unknown(node: Declaration) -> None:
    kind = node.component.type
    if kind and kind not in DIVIDED and kind not in WHOLE:
        raise node.misfit(f"a mesh cannot divide what {kind} computes", MANY)


def _refuse_heads(node: Declaration, parts: int, rules: Mapping[str, str | None]) -> None:
    """Heads stay whole: their number is divided, not their features."""
    if node.component.type != "multi_head_attention":
        return
    if all(_ruled(f"{node.path}/{name}/kernel", rules) is None for name in ("query", "key", "value")):
        return
    for field in ("num_heads", "num_kv_heads"):
        heads = getattr(node.component, field)
        if heads and heads % parts:
            hint = f'take a multiple of {parts}; or keep copies with rules: {{"{node.path}/*": null}}'
            raise node.misfit(f"{heads} heads cannot be divided among {parts} devices of the mesh's axis model", hint, field)


def _axis(weight: Weight, name: str, node: Declaration, owner: Declaration | None, rules: Mapping[str, str | None]) -> str | None:
    ruled = _ruled(weight.path, rules)
    if ruled != "usual":
        return ruled
    own = DIVIDED.get(node.component.type, {}).get(name)
    if own is not None or owner is None:
        return own
    return DIVIDED.get(owner.component.type, {}).get(f"{node.path.rpartition('/')[2]}/{name}")


def _ruled(path: str, rules: Mapping[str, str | None]) -> str | None:
    """The axis by rule, None for copies, "usual" where no rule speaks of the weight."""
    found: str | None = "usual"
    for pattern, axis in rules.items():
        if fnmatch.fnmatchcase(path, pattern):
            found = axis
    return found


def _divided(weight: Weight, axis: str | None, parts: int, node: Declaration) -> Division:
    if axis is None or parts == 1 or axis not in weight.axes:
        return Division(weight, None, weight.shape)
    index = weight.axes.index(axis)
    if weight.shape[index] % parts:
        is_table = axis == "vocabulary"
        what = f"{weight.shape[index]} {'rows' if is_table else 'features'} of {weight.path} cannot be divided among {parts} devices"
        hint = f"set row_multiple: {parts}, which adds rows that nobody looks up" if is_table else f"take a multiple of {parts}"
        raise node.misfit(f"{what} of the mesh's axis model", f'{hint}; or keep copies with rules: {{"{weight.path}": null}}')
    shape = tuple(size // parts if place == index else size for place, size in enumerate(weight.shape))
    return Division(weight, index, shape)
