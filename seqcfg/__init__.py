"""seqcfg: declarative sequence modelling on TensorFlow."""

__version__ = "0.1.0"
