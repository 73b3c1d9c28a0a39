"""Labels that are spelt in several ways, and numbers among which one is none."""

from pathlib import Path

import pytest

from pipeline.data.label_encoder import Labels
from pipeline.data.label_spelling import merged_labels
from pipeline.errors import ConfigError


def seen(*labels: str) -> Labels:
    found = Labels()
    for line, label in enumerate(labels, 2):
        found.see(Path("t.csv"), line, label)
    return found


def test_case_spaces_and_forms_of_numbers_are_one_class_where_asked() -> None:
    encoding = seen("ok", "OK", "OK", "Ok ", "bad").encoding("k", "merge")
    assert encoding.names == ("OK", "bad")
    assert encoding.of(["ok", "Ok ", "bad"]).tolist() == [0, 0, 1]
    assert seen("1", "1.0", "True", "0", "False").encoding("k", "merge").names == ("0", "1")


def test_it_is_asked_and_may_be_kept() -> None:
    with pytest.raises(ConfigError, match="'OK' = 'ok'; say merge for 2 classes, or keep for 3"):
        seen("ok", "OK", "bad").encoding("k")
    assert seen("ok", "OK", "bad").encoding("k", "keep").names == ("OK", "bad", "ok")


def test_labels_that_differ_are_left_alone() -> None:
    counts = {"True": 3, "False": 2, "yes": 1}
    assert merged_labels(counts, None) == ({name: name for name in counts}, [])


def test_a_word_among_numbers_is_named_and_makes_no_classes() -> None:
    labels = [f"{i}.5" for i in range(100)] + ["inf"]
    with pytest.raises(ConfigError, match=r"all numbers but 1: 'inf' at t.csv:102"):
        seen(*labels).encoding("k")
