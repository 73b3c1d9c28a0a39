"""Texts as numbers of words or characters, by TensorFlow's own string operations.

The runner does the same with Python's; see `tokens_of` and `_tokens` there.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pipeline.arrays import Namespace, Tensor

PUNCTUATION = r"([!-/:-@\[-`{-~])"
BLANK = r"[\x00-\x20\x7f]+"


def tokens(tf: Namespace, raw: Tensor, entry: Mapping[str, Any]) -> Any:
    """Return texts (B, bytes) uint8 as numbers (B, length) int32.

    0 stands after the end of a text, 1 for what is not in the vocabulary.
    """
    letters = tf.gather(_letters(), tf.cast(raw, tf.int32))
    texts = tf.strings.regex_replace(tf.strings.reduce_join(letters, axis=1), r"\x00+$", "")
    if entry["lower"]:
        texts = tf.strings.lower(texts)
    if entry["unit"] == "words":
        spaced = tf.strings.regex_replace(texts, PUNCTUATION, r" \1 ")
        words = tf.strings.split(tf.strings.regex_replace(spaced, BLANK, " "))
    else:
        words = tf.strings.unicode_split(texts, "UTF-8")
    length = entry["shape"][0]
    is_there = tf.sequence_mask(tf.minimum(words.row_lengths(), length), length)
    numbers = _table(tuple(entry["vocabulary"])).lookup(words.to_tensor("", shape=(None, length)))
    return tf.where(is_there, tf.cast(numbers, tf.int32), 0)


@lru_cache(maxsize=1)
def _letters() -> Any:
    """Return each byte as a string of one (256,)."""
    import tensorflow as tf

    with tf.init_scope():
        return tf.constant([bytes([code]) for code in range(256)])


@lru_cache(maxsize=4)
def _table(vocabulary: tuple[str, ...]) -> Any:
    """Return word -> number; kept, because graphs hold it by reference."""
    import tensorflow as tf

    with tf.init_scope():
        numbers = tf.range(2, len(vocabulary) + 2, dtype=tf.int64)
        rows = tf.lookup.KeyValueTensorInitializer(list(vocabulary), numbers, key_dtype=tf.string)
        return tf.lookup.StaticHashTable(rows, default_value=1)
