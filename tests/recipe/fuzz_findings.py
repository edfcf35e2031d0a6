"""Inputs that `bin/fuzz` found, kept so that what was mended stays so: (target, bytes) by what was wrong."""

FINDINGS = {
    "an empty key could be read as YAML and not as protobuf text": ("read", b'training: {? "" : 1}\n'),
    "JSON that is indented by tabs was read and could not be migrated": ("migrate", b'\t{"recipe_version": 1,\n\t"name": "x"}\n'),
    "an empty list of values to vary was taken": ("validate", b"base: bases/tiny.yaml\nsweep: {over: {training.schedule.peak: []}}\n"),
}
