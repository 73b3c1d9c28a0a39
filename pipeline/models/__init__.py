"""MODELS: the kind in a config -> the builder, one file each."""

from pipeline.models import cnn, mlp

MODELS = {"cnn": cnn.build, "mlp": mlp.build}
