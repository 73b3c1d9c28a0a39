"""Texts: read a file, split into words or characters, number them by the vocabulary."""

import re

import numpy as np

from pipeline.ondevice.document import refuse_input

UNKNOWN_TOKEN = 1  # id of what the vocabulary lacks; 0 pads
FIRST_TOKEN = 2  # id of the first word of the vocabulary


def check_text_shape(raw, entry):
    """Refuse what is no (N, bytes)."""
    if raw.ndim != 2 or not raw.shape[1]:
        wanted = "texts (N, bytes)"
        refuse_input(entry, wanted, "shape %s" % (raw.shape,), "give one row a sample")


def encode_text(text, max_bytes):
    """Return a text as UTF-8 (n,) uint8, cut before the letter that would not fit whole."""
    cut = text.replace("\0", " ").encode("utf-8")[:max_bytes]
    return np.frombuffer(cut.decode("utf-8", "ignore").encode("utf-8"), np.uint8)


def split_tokens(raw, entry):
    """Return the words or characters of one text (n,) uint8, as bytes each.

    A word is a run of letters, digits and whatever is not ASCII; each punctuation mark is one too.
    """
    text = bytes(bytearray(raw)).rstrip(b"\0")
    if entry.lower:
        text = text.lower()
    if entry.unit == "words":
        return re.findall(rb"[0-9A-Za-z\x80-\xff]+|[!-/:-@\[-`{-~]", text)
    return [letter.encode("utf-8") for letter in text.decode("utf-8", "replace")]


def encode_tokens(raw, entry):
    """Return texts (N, bytes) as ids (N, length) int32: 0 after the end, 1 for unknown words."""
    id_of = {word.encode("utf-8"): i + FIRST_TOKEN for i, word in enumerate(entry.vocabulary)}
    ids = np.zeros((len(raw), entry.shape[0]), np.int32)
    for row, text in zip(ids, raw):
        tokens = split_tokens(text, entry)[: len(row)]
        row[: len(tokens)] = [id_of.get(token, UNKNOWN_TOKEN) for token in tokens]
    return ids


def find_unknown_texts(raw, entry):
    """Return index of each text without any known word -> what is wrong with it."""
    if entry.sanitize is None:
        return {}
    ids = encode_tokens(raw, entry)
    return {int(i): "no known word" for i in np.flatnonzero((ids < FIRST_TOKEN).all(axis=1))}


def read_texts(path, entry):
    """Return each line of a text file as one text: (N, bytes) uint8, padded with zeros."""
    with open(path, encoding="utf-8-sig") as file:
        texts = [encode_text(line.rstrip("\r\n"), entry.max_bytes) for line in file]
    texts = [text for text in texts if len(text)]
    if not texts:
        raise ValueError("%s: holds no text" % path)
    padded = np.zeros((len(texts), max(len(text) for text in texts)), np.uint8)
    for row, text in zip(padded, texts):
        row[: len(text)] = text
    return padded
