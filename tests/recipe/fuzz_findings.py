"""Inputs that `bin/fuzz` found, kept so that what was mended stays so: (target, bytes) by what was wrong."""

FINDINGS = {
    "an empty key could be read as YAML and not as protobuf text": ("read", b'training: {? "" : 1}\n'),
}
