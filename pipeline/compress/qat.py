"""Quantization-aware training: the network learns to answer as before through int8's rounding.

What it learns is not the labels but the trained model's own answers, for files are judged by
whether they decide as that does: quantized distillation, Polino et al. 2018 (arXiv:1802.05668),
section 3, at temperature 1. So it is the same for every task, and knows nothing of the training's
loss.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.compress.fake_quant import Span, rounded, rounded_value, spans_of_layers
from pipeline.config.schema import Config
from pipeline.data.dataset import Dataset
from pipeline.data.preprocess import target_of
from pipeline.models.blocks import logits_model
from pipeline.models.predict import given
from pipeline.models.save import load_keras
from pipeline.seeds import fold_seed
from pipeline.train import schedule
from pipeline.train.feed import Feed
from pipeline.train.history import ShowProgress
from pipeline.train.loop import Trainer, fit
from pipeline.train.prepare import preparer
from pipeline.train.step import PerSample, Step
from pipeline.train.strategy import choose

CLIP_NORM = 1.0  # of a gradient that goes straight through what has none


def fine_tuned(
    config: Config, reference: Path, dataset: Dataset, ranges: Mapping[str, Any], work: Path
) -> Any:
    """Return the network of a `.keras` file, fine-tuned for its int8 file.

    Args:
        config: `compress.quantize.qat`, strategy, batch size, augmentation and seed.
        reference: the trained model.
        dataset: its train split is answered.
        ranges: what `tensor_ranges` says of the float32 file.
        work: folder of the checkpoint; a killed run goes on from there.

    Raises:
        Diverged: the loss is no longer a number.
    """
    tf.config.experimental.enable_op_determinism()
    keras.utils.clear_session()
    settings = config.compress.quantize.qat
    positions = dataset.split("train")
    labels = target_of(np.asarray(dataset.labels[positions]), dataset.preprocess)
    seed = fold_seed(config.seed, "qat")
    feed = Feed(dataset, positions, labels, batch_size=config.data.batch_size, seed=seed)
    strategy = choose(config.train.strategy)
    with strategy.scope():
        model, teacher = load_keras(reference), load_keras(reference)
        rate = schedule.cosine(
            keras,
            peak=settings.learning_rate,
            warmup_steps=0,
            total_steps=settings.epochs * feed.steps,
        )
        optimizer = keras.optimizers.Adam(rate)
    spans = spans_of_layers(model, [(name, tuple(span)) for name, span in ranges["tensors"]])
    step = imitating_step(model, teacher, spans, ranges["inputs"], dataset.preprocess["anomaly"])
    trainer = Trainer(
        model,
        optimizer,
        step,
        preparer(dataset.preprocess, [change.model_dump() for change in config.data.augment]),
        strategy,
        clip_norm=CLIP_NORM,
    )
    fit(
        trainer,
        feed,
        epochs=settings.epochs,
        evaluate=dict,
        callbacks=[ShowProgress()],
        work=work,
    )
    return model


def imitating_step(
    model: Any,
    teacher: Any,
    spans: Mapping[str, Span],
    inputs_spans: Mapping[str, Span],
    anomaly: Mapping[str, Any] | None,
) -> Step:
    """Return the step whose loss is how far the rounded network's answers are from the teacher's.

    That is KL(teacher || student) for classes and the mean squared difference for values; neither
    drops anything out, and running statistics stay.

    Args:
        model: learns.
        teacher: the same network before.
        spans: layer -> range of its answer.
        inputs_spans: input -> its range.
        anomaly: of preprocess.json.
    """
    student, master = logits_model(keras, model), logits_model(keras, teacher)
    is_of_classes = student is not model

    def step(inputs: Mapping[str, Any], labels: Any, seed: Any) -> tuple[Any, PerSample]:
        shown = given(inputs, anomaly) if anomaly is not None else dict(inputs)
        wanted = tf.stop_gradient(tf.cast(master(shown, training=False), tf.float32))
        near = {
            name: rounded_value(x, inputs_spans[name]) if name in inputs_spans else x
            for name, x in shown.items()
        }
        with rounded(model, spans):
            found = tf.cast(student(near, training=False), tf.float32)
        if is_of_classes:
            apart = tf.nn.log_softmax(wanted) - tf.nn.log_softmax(found)
            return tf.reduce_sum(tf.nn.softmax(wanted) * apart, axis=1), {}
        squared = tf.square(found - wanted)
        return tf.reduce_mean(tf.reshape(squared, (tf.shape(squared)[0], -1)), axis=1), {}

    return step
