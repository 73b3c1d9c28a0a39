"""Files of class names, in the forms in which training tools write them."""

from pathlib import Path

import pytest

from pipeline.config.label_files import find_labels, read_labels
from pipeline.errors import ConfigError

FORMS = {
    "labels.txt": "ring\nline\nblob\n",
    "numbered.txt": "0 ring\n1 line\n2 blob\n",
    "from_one.txt": "1: ring\n2: line\n3: blob\n",
    "mark.txt": "\ufeffring\r\nline\r\n\r\nblob",
    "list.json": '["ring", "line", "blob"]',
    "class_indices.json": '{"blob": 2, "line": 1, "ring": 0}',
    "by_number.json": '{"2": "blob", "0": "ring", "1": "line"}',
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_order(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FORMS[name].encode())
    assert read_labels(tmp_path / name) == ("ring", "line", "blob")


def test_names_that_are_numbers_stay(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("7\n3\n5\n")
    assert read_labels(tmp_path / "labels.txt") == ("7", "3", "5")
    (tmp_path / "labels.txt").write_text("2 wheels\n4 wheels\n")
    assert read_labels(tmp_path / "labels.txt") == ("2 wheels", "4 wheels")


@pytest.mark.parametrize(
    "text", ["", "one\n", "a\na\n", "{", '{"a": 0, "b": 2}', '{"a": "b"}', "3"], ids=repr
)
def test_what_is_no_list_of_classes_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("labels.json" if text[:1] in ("{", "3") else "labels.txt")
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"{path.name}: "):
        read_labels(path)


def test_labels_are_found_beside_a_model_and_in_its_folder(tmp_path: Path) -> None:
    model = tmp_path / "net.keras"
    assert find_labels(model) is None
    (tmp_path / "labels.txt").touch()
    assert find_labels(model) == tmp_path / "labels.txt"
    (tmp_path / "net_labels.txt").touch()
    assert find_labels(model) == tmp_path / "net_labels.txt"
    (saved := tmp_path / "saved").mkdir()
    (saved / "class_indices.json").touch()
    assert find_labels(saved) == saved / "class_indices.json"
