"""Texts in UTF-8, as ids of words or characters, by TensorFlow's own string operations.

ondevice/tokens.py does the same with Python's.
"""

from collections import Counter
from functools import lru_cache
from typing import Any

from pipeline.arrays import Array, Namespace, Tensor
from pipeline.documents.preprocess import TokensEntry
from pipeline.ondevice.tokens import split_tokens
from pipeline.samples.kind import (
    Fitted,
    Input,
    Kind,
    RawSamples,
    describe_input,
    read_parts,
)

COUNTED = 100_000  # different words whose frequency is held in memory
PUNCTUATION = r"([!-/:-@\[-`{-~])"
BLANK = r"[\x00-\x20\x7f]+"


def fit_tokens(spec: Input, samples: RawSamples, train: Array) -> Fitted:
    """Fit the vocabulary: the most frequent words or characters of train, the most frequent first.

    Args:
        spec: the input; its template says the unit, its `vocabulary` the size.
        samples: raw texts, UTF-8 bytes (N, length), padded with zeros.
        train: (n,), indices of the training samples.

    Returns:
        The encoding, and no constant columns.
    """
    entry, most = spec.template, spec.vocabulary
    assert isinstance(entry, TokensEntry)  # sources of texts state it
    counts: Counter[bytes] = Counter()
    for texts in read_parts(samples, train):
        for text in texts:
            counts.update(split_tokens(text, entry))
        if len(counts) > COUNTED + 10 * most:  # the rarest so far go: they are typing errors
            counts = Counter(dict(counts.most_common(len(counts) // 2)))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:most]
    vocabulary = [word.decode() for word in ranked]
    size = len(vocabulary) + 2  # nothing, and unknown
    shared = describe_input(spec, entry.shape, samples)
    update = shared | {"vocabulary": vocabulary, "vocabulary_size": size}
    return entry.model_copy(update=update), []


def encode_tokens(tf: Namespace, raw: Tensor, entry: TokensEntry) -> Tensor:
    """Return texts (B, bytes) uint8 as numbers (B, length) int32.

    0 is padding, 1 stands for unknown words.
    """
    letters = tf.gather(_letters(), tf.cast(raw, tf.int32))
    texts = tf.strings.regex_replace(tf.strings.reduce_join(letters, axis=1), r"\x00+$", "")
    if entry.lower:
        texts = tf.strings.lower(texts)
    if entry.unit == "words":
        spaced = tf.strings.regex_replace(texts, PUNCTUATION, r" \1 ")
        words = tf.strings.split(tf.strings.regex_replace(spaced, BLANK, " "))
    else:
        words = tf.strings.unicode_split(texts, "UTF-8")
    length = entry.shape[0]
    is_there = tf.sequence_mask(tf.minimum(words.row_lengths(), length), length)
    numbers = _lookup_table(tuple(entry.vocabulary)).lookup(
        words.to_tensor("", shape=(None, length))
    )
    return tf.where(is_there, tf.cast(numbers, tf.int32), 0)


@lru_cache(maxsize=1)
def _letters() -> Any:
    """Return each byte as a string of one (256,)."""
    import tensorflow as tf

    with tf.init_scope():
        return tf.constant([bytes([code]) for code in range(256)])


@lru_cache(maxsize=4)
def _lookup_table(vocabulary: tuple[str, ...]) -> Any:
    """Return word -> number; kept, because graphs hold it by reference."""
    import tensorflow as tf

    with tf.init_scope():
        numbers = tf.range(2, len(vocabulary) + 2, dtype=tf.int64)
        rows = tf.lookup.KeyValueTensorInitializer(list(vocabulary), numbers, key_dtype=tf.string)
        return tf.lookup.StaticHashTable(rows, default_value=1)


TOKENS = Kind(
    fit=fit_tokens,
    encode=encode_tokens,
    form="text",
    is_augmentable=False,
    levels_from=None,
    embedding_pool="mean",
    padding_id=0,
    attacked_by="tokens",
    near_duplicate_distance=0.25,
    file_suffix="txt",
    raw_axes=lambda entry: ["bytes"],
)
