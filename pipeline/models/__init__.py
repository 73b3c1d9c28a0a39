"""MODELS: the kind in a config -> the builder, one file each."""

from pipeline.models import (
    autoencoder,
    cnn,
    cnn1d,
    ds_cnn,
    graph,
    mlp,
    mobilenet,
    perceptron,
    resnet8,
    rnn,
    transformer,
)

MODELS = {
    "perceptron": perceptron.build,
    "mlp": mlp.build,
    "cnn": cnn.build,
    "ds_cnn": ds_cnn.build,
    "resnet8": resnet8.build,
    "mobilenet": mobilenet.build,
    "cnn1d": cnn1d.build,
    "rnn": rnn.build,
    "transformer": transformer.build,
    "autoencoder": autoencoder.build,
    "file": graph.build,
    "application": graph.build,
}
