"""The ids that every tokenizer keeps free; searches know the same ones."""

PAD, UNKNOWN, START, END = 0, 1, 2, 3
NUM_RESERVED = 4
