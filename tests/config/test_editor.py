"""The committed JSON schema is current, and a shown config is the config."""

import json
from pathlib import Path

import pytest

from pipeline.config.editor import resolved_text, schema_text
from pipeline.config.load import load
from pipeline.config.model_schema import Model
from pipeline.config.shape import kinds_of
from pipeline.models import MODELS
from tests.conftest import CONFIGS, SHIPPED


def test_the_committed_schema_is_current() -> None:
    assert (CONFIGS / "schema.json").read_text() == schema_text(), "run: make schema"


def test_the_schema_is_json_with_a_text_for_every_section() -> None:
    sections = json.loads(schema_text())["$defs"]
    assert all("description" in section for section in sections.values())


@pytest.mark.parametrize("name", [path.name for path in SHIPPED])
def test_a_shown_config_loads_to_the_same_config(shipped: Path, name: str) -> None:
    config = load(shipped / name)
    shown = shipped / f"shown_{name}"
    shown.write_text(resolved_text(config))
    assert load(shown) == config


def test_words_that_look_like_numbers_are_shown_as_words(tmp_path: Path) -> None:
    overrides = [
        "data.source={kind: tfds, name: mnist, data_dir: 'no', splits: {train: '1e3', test: '~'}}",
        "train.optimizer.learning_rate=1e-9",
        "tune.space={model.dropout: {float: [0, 0.5]}, train.ema: {choice: [null, 0.9]}}",
    ]
    config = load(CONFIGS / "digits_cnn.yaml", overrides)
    shown = tmp_path / "shown.yaml"
    shown.write_text(resolved_text(config))
    assert load(shown) == config


def test_every_model_kind_has_a_builder() -> None:
    assert set(kinds_of(Model)) == set(MODELS)
