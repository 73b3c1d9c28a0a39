"""Threat model of texts: words are replaced by those of their neighbors that raise the loss most.

HotFlip (Ebrahimi et al. 2018, arXiv:1712.06751, sections 2.2 and 3): the gradient with regard to
the vector of a word estimates to first order how every replacement changes the loss. We differ in
two places: neighbors alone are candidates, which often keeps the meaning of a text, and the most
promising few are evaluated, because the first order is far off where a word matters.

Legend: B batch, T words of a text, V vocabulary, E values of a word's vector, N neighbors,
J texts that are evaluated.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.arrays import Array, Model, Tensor
from pipeline.data.dataset import Dataset
from pipeline.documents.preprocess import Preprocess, TokensEntry
from pipeline.errors import ConfigError
from pipeline.harden.threat_model import PerturbationSet, of_classes
from pipeline.ondevice.prepare import prepare_input
from pipeline.samples import KINDS

FIRST_WORD = 2  # id 0 is padding, 1 the out-of-vocabulary bucket
RARE = 5  # times in train, below which a word is no candidate: its vector is hardly trained
COUNTED = 20_000  # training texts in which words are counted, at most
BLOCK = 256  # texts, or words, that are looked at at once
TRIED = 4  # replacements that are tried out for each word replaced
NO_GAIN = -1e30


@dataclass(frozen=True)
class WordSubstitution:
    """What an attacker may change of a text: `most` of its words, each to a neighbor."""

    preprocess: Preprocess
    entry: TokensEntry
    near_VN: Array
    """Ids of the neighbors of each word, int32; 0 where there are fewer."""
    most: int
    classes: tuple[int, ...] | None = None
    is_masked: bool = True
    """No few words change the class of every text."""

    def ready(self, raw: Mapping[str, Any], seed: Tensor = None) -> dict[str, Any]:
        """Return name -> model input of raw samples (B, ...)."""
        return {
            entry.name: KINDS[entry.kind].encode(tf, tf.convert_to_tensor(raw[entry.name]), entry)
            for entry in self.preprocess.inputs
        }

    def point(self, given: Mapping[str, Any]) -> Any:
        """Return the ids of the words (B, T) int32."""
        return given[self.entry.name]

    def inputs(self, x: Tensor, given: Mapping[str, Any], seed: Tensor = None) -> dict[str, Any]:
        """Return name -> model input, with the words x (B, T) in their place."""
        return dict(given) | {self.entry.name: x}

    def in_parts(self, x: Tensor, given: Mapping[str, Any]) -> dict[str, Array]:
        """Return name -> ids of the words (B, T): what an attacker holds."""
        return {self.entry.name: np.asarray(x)}

    def through(self, head: Any) -> Callable[..., "Bound"]:
        """Return (given, seed=None) -> (x, training) -> logits, for a Keras model.

        Raises:
            ConfigError: the model embeds no words.
        """
        layer = vectors_of(head, self.entry)
        probe = keras.Model(head.inputs, [layer.output, head.output])

        def bind(given: Mapping[str, Any], seed: Tensor = None) -> Bound:
            return Bound(probe, layer, lambda x: self.inputs(x, given))

        return bind

    def possible(self, moved: Tensor, x: Tensor) -> Any:
        """Return `moved` (B, T): every row of words of the vocabulary is a text."""
        return moved

    def attack(self) -> Callable[..., Any]:
        """Return (model, x, labels, seed, share=1.0) -> texts with a greater loss.

        The seed is unused, as nothing is drawn, and so is `share`: no word changes by a fraction.
        """

        def found(model: Bound, x: Tensor, labels: Tensor, seed: Tensor, share: Any = 1.0) -> Any:
            near = tf.constant(self.near_VN)
            moved = substitute_words(model, x, labels, near=near, most=self.most)
            return tf.stop_gradient(of_classes(moved, x, labels, classes=self.classes))

        return found


ThreatModel = PerturbationSet | WordSubstitution


@dataclass(frozen=True)
class Bound:
    """A model as a function of one text input; it exposes the vectors of the words."""

    probe: Any
    layer: Any
    inputs: Callable[[Any], dict[str, Any]]

    def __call__(self, x: Tensor, training: bool) -> Any:
        """Return the logits (B, K) of words (B, T)."""
        return self.probe(self.inputs(x), training=training)[1]

    def vectors(self, x: Tensor) -> tuple[Any, Any]:
        """Return the vectors (B, T, E) and the logits (B, K)."""
        vectors, logits = self.probe(self.inputs(x), training=False)
        return vectors, logits

    @property
    def table(self) -> Any:
        """The vector of every word (V, E)."""
        return tf.convert_to_tensor(self.layer.embeddings)


def fit_word_substitution(
    dataset: Dataset,
    entry: TokensEntry,
    settings: Mapping[str, Any],
    *,
    model: Model,
    classes: tuple[int, ...] | None,
) -> WordSubstitution:
    """Return the threat model of a text input.

    Args:
        dataset: in whose train part words are counted.
        entry: of preprocess.json.
        settings: `tokens` and `candidates`.
        model: its vectors, as they are now, decide which words are near.
        classes: that are attacked; None: all.

    Raises:
        ConfigError: the model has no vectors of words, or no word is frequent enough.
    """
    table = np.asarray(vectors_of(model, entry).embeddings)
    counts, train = np.zeros(len(table), np.int64), dataset.split("train")[:COUNTED]
    for start in range(0, len(train), BLOCK):
        raw = dataset.shards[entry.name].take(train[start : start + BLOCK])
        counts += np.bincount(prepare_input(raw, entry).ravel(), minlength=len(table))[: len(table)]
    near = neighbors(table, counts, settings["candidates"])
    return WordSubstitution(dataset.preprocess, entry, near, settings["tokens"], classes)


def vectors_of(model: Model, entry: TokensEntry) -> Any:
    """Return the layer that gives the words of an input their vectors.

    Raises:
        ConfigError: there is none.
    """
    name, size = f"embedding_{entry.name}", entry.vocabulary_size
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    fitting = [layer for layer in layers if layer.trainable and layer.input_dim >= size]
    named = [layer for layer in layers if layer.name == name]
    if not [*named, *fitting]:
        raise ConfigError(
            f"harden.attack.kind: the network has no embedding of {entry.name}, and words are "
            "replaced by their vectors; wanted null, or a model that embeds them"
        )
    return [*named, *fitting][0]


def neighbors(table_VE: Array, counts_V: Array, most: int) -> Array:
    """Return the nearest words of each word by the angle between vectors, (V, N) int32.

    Words that are rare in train, unknown words and the end of a text are nobody's neighbor and
    have none; 0 stands where there are fewer than N.

    Raises:
        ConfigError: fewer than two words are frequent enough.
    """
    is_known = (counts_V >= RARE) & (np.arange(len(counts_V)) >= FIRST_WORD)
    words = np.flatnonzero(is_known)
    if len(words) < 2:
        raise ConfigError(f"harden.attack: fewer than 2 words stand {RARE} times in train")
    near = np.zeros((len(table_VE), min(most, len(words) - 1)), np.int32)
    length = np.linalg.norm(table_VE, axis=1, keepdims=True)
    unit = (table_VE / np.maximum(length, np.finfo(np.float32).tiny))[words]
    for start in range(0, len(words), BLOCK):
        own = np.arange(start, min(start + BLOCK, len(words)))
        cosine = unit[own] @ unit.T
        cosine[np.arange(len(own)), own] = -np.inf
        order = np.argsort(-cosine, axis=1, kind="stable")[:, : near.shape[1]]
        near[words[own]] = words[order]
    return near


def substitute_words(model: Bound, x_BT: Tensor, labels: Tensor, *, near: Any, most: int) -> Any:
    """Return texts with at most `most` words replaced, each where it raises the loss.

    Args:
        model: (x, training) -> logits, with the vectors of its words.
        x_BT: ids of words, int32; not modified.
        labels: class ids (B,).
        near: neighbors of each word (V, N).
        most: words that are replaced at most; a word is replaced once.
    """
    moved, is_free = x_BT, x_BT >= FIRST_WORD
    for _ in range(most):
        moved, is_free = _one_more(model, moved, is_free, labels, near)
    return moved


def _one_more(
    model: Bound, x_BT: Tensor, is_free: Any, labels: Tensor, near: Any
) -> tuple[Any, Any]:
    """Return texts with one more word replaced, where that raises the loss, and what is free."""
    with tf.GradientTape() as tape:  # the vectors come of variables: those are watched
        vectors_BTE, logits = model.vectors(x_BT)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))
        total = tf.reduce_sum(loss)
    gradient_BTE = tf.convert_to_tensor(tape.gradient(total, vectors_BTE))
    near_BTN = tf.gather(near, x_BT)
    others = tf.gather(model.table, near_BTN)
    gain = tf.einsum("bte,btne->btn", gradient_BTE, others - vectors_BTE[:, :, None])
    can = is_free[:, :, None] & (near_BTN >= FIRST_WORD)
    flat = tf.reshape(tf.where(can, gain, NO_GAIN), (tf.shape(x_BT)[0], -1))
    gains_BJ, indices_BJ = tf.math.top_k(flat, min(TRIED, near.shape[1]))
    word_BJ = tf.gather(tf.reshape(near_BTN, tf.shape(flat)), indices_BJ, batch_dims=1)
    step_BJ = indices_BJ // near.shape[1]
    is_there = tf.one_hot(step_BJ, x_BT.shape[1], on_value=True, off_value=False, dtype=tf.bool)
    is_there &= (gains_BJ > NO_GAIN)[:, :, None]
    tried = tf.where(is_there, word_BJ[:, :, None], x_BT[:, None])  # (B, J, T)
    return _worst(model, x_BT, is_free, tried, labels, loss)


def _worst(
    model: Bound, x_BT: Tensor, is_free: Any, tried_BJT: Any, labels: Tensor, loss_B: Any
) -> tuple[Any, Any]:
    """Return the text with the greatest loss of those tried and x itself, and what is free."""
    best, worst = x_BT, loss_B
    for tried in tf.unstack(tried_BJT, axis=1):
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels, tf.cast(model(tried, training=False), tf.float32)
        )
        best = tf.where((loss > worst)[:, None], tried, best)
        worst = tf.maximum(loss, worst)
    return best, is_free & (best == x_BT)
