"""Lists in the folders of parts: every file, its class and the part of its folder."""

from collections import Counter
from pathlib import Path

import pytest

from pipeline.config.folder_schema import Listing
from pipeline.data.listing import list_parts
from pipeline.errors import ConfigError
from tests.new.layouts import listed_in_parts

SUFFIXES = (".png",)


def test_all_parts_are_listed_with_the_part_of_their_folder(tmp_path: Path) -> None:
    found = list_parts(listed_in_parts(tmp_path), Listing(file="_classes.csv"), SUFFIXES)
    parts = Counter(file.part for file in found.listed)
    assert parts == {"train": 12, "validation": 12, "test": 12}
    assert found.names == ["cat", "dog", "owl"]
    first = next(file for file in found.listed if file.path.endswith("train_1.png"))
    assert first.label == "dog"


def test_a_list_that_no_part_has_is_one_message(tmp_path: Path) -> None:
    listed_in_parts(tmp_path)
    with pytest.raises(ConfigError, match=r"no train, valid or test folder of .* has labels\.csv"):
        list_parts(tmp_path, Listing(file="labels.csv"), SUFFIXES)
