"""The ids that every tokenizer keeps free, and that every task and search knows."""

PAD, UNKNOWN, START, END = 0, 1, 2, 3
NUM_RESERVED = 4
