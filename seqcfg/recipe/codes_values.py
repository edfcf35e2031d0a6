"""Error codes E03 to E06: keys and values, rules across fields, widths, plugins."""

from __future__ import annotations

from seqcfg.recipe.codes import Code

CODES = (
    Code(
        "E0301",
        "an unknown key",
        "The component or section has no field of this name. Nothing is passed over in silence.",
        "training: {step: 800}",
        "correct the name as the hint says; `seqcfg components KIND TYPE` lists the fields.",
    ),
    Code(
        "E0302",
        "a key is missing",
        "The component needs this field and it has no default.",
        "layer: {type: dense}",
        "add the key; the hint says what it means.",
    ),
    Code(
        "E0303",
        "a type is missing",
        "Several components may stand here, and `type:` says which.",
        "layer: {units: 8}",
        "add `type:`; the hint lists the types.",
    ),
    Code(
        "E0304",
        "an unknown type",
        "No component of this kind has this type. Types with a dot come from plugins.",
        "layer: {type: lstmm, units: 8}",
        "correct the type; `seqcfg components KIND` lists them. Install the plugin of a type with a dot.",
    ),
    Code(
        "E0305",
        "a value of the wrong kind",
        "The field holds another kind of value: a number, a text, a list.",
        'steps: "800"',
        "write what the message asks for.",
    ),
    Code(
        "E0306",
        "not one of the choices",
        "The field takes one of a few words.",
        "activation: reluu",
        "write one of the words in the message.",
    ),
    Code(
        "E0307",
        "out of range",
        "The number is outside the range in which it means something.",
        "rate: 1.5",
        "write a number in the range that the message names.",
    ),
    Code(
        "E0308", "a text in the wrong form", "The text does not have the form that the field asks for.", "name: my run", "follow the hint."
    ),
    Code(
        "E0309",
        "a text too short or too long",
        "The text has fewer or more characters than the field takes.",
        'source: ""',
        "follow the message.",
    ),
    Code(
        "E0310",
        "too few or too many items",
        "The list or mapping has fewer or more items than the field takes.",
        "streams: [one]",
        "follow the message.",
    ),
    Code(
        "E0311",
        "something else where a component belongs",
        "A component is a mapping; a word alone does not say its fields.",
        "layer: layer_norm",
        "write `{type: layer_norm}`.",
    ),
    Code(
        "E0312", "an incomplete installation", "A part of seqcfg that the recipe's section needs is not installed.", "", "reinstall seqcfg."
    ),
    Code(
        "E0401",
        "fields that do not go together",
        "Each value is fine by itself, and together they break a rule of the component.",
        "claims: [{metric: bleu, split: tset, value: 30}]",
        "change one of them as the hint says.",
    ),
    Code(
        "E0402",
        "no such tokenizer",
        "The task names a tokenizer that `tokenizers:` does not define.",
        "source_tokenizer: sharde",
        "correct the name, or define the tokenizer.",
    ),
    Code(
        "E0403",
        "a recipe without data",
        "The recipe is a base for others: it can be validated and planned, but not run.",
        "seqcfg train recipes/bases/transformer.yaml",
        "name it in `base:` of a recipe that has `data:`.",
    ),
    Code(
        "E0404",
        "a path that leads elsewhere",
        "A recipe names runs and files below the working directory, or below the folder that $SEQCFG_RUNS names, links followed and none "
        "hidden. It names no model that runs code when it is opened. What --set says is the user's word, and is free.",
        "warm_start: {run: ../../elsewhere/runs/a}",
        "move or copy what is meant, set $SEQCFG_RUNS, or give the path by --set.",
    ),
    Code(
        "E0501",
        "a width that does not fit",
        "The layer cannot take the width that the one before it passes on.",
        "layer: {type: multi_head_attention, num_heads: 7}    # is given the width 512",
        "change the field at the line named, or the width it is given; `seqcfg plan --widths` prints all widths.",
    ),
    Code(
        "E0502",
        "a layer that a target has not",
        "An engine named by `seqcfg validate --target` lacks this layer, or this setting of it; the recipe itself is in order.",
        "layer: {type: multi_head_attention, num_heads: 8, logit_cap: 50.0}    # with --target ctranslate2",
        "change the layer as the hint says, or export to another format.",
    ),
    Code(
        "E0503",
        "a pattern that names no layer",
        "The section `quantisation` names layers by patterns of their paths, and none with a kernel or table is there.",
        "layers: [model/encodr/*]",
        "correct the pattern; the hint names paths that are near.",
    ),
    Code(
        "E0601",
        "a plugin that fails",
        "An installed plugin raises an error when it is imported.",
        "",
        "update or uninstall the package that the message names, or tell its author.",
    ),
    Code(
        "E0602",
        "a plugin type without prefix",
        "Types of plugins are named vendor.name, so that they never clash with types that seqcfg gains later.",
        'class Scale(Layer, type="scale")',
        'the author of the plugin names it "vendor.scale".',
    ),
    Code(
        "E0603",
        "two plugins with one type",
        "Two installed packages define the same kind and type.",
        "",
        "uninstall one of the two packages that the message names.",
    ),
)
