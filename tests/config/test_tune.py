"""A search space: every mistake in it at once, in words that say what to do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.errors import ConfigError

CONFIG = """
name: searched
task: classification
data: {source: {kind: bundled, name: digits}}
model: {kind: cnn, filters: [8, 16]}
export: {targets: [cpu]}
tune:
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(tune: str) -> Path:
        path = tmp_path / "searched.yaml"
        path.write_text(CONFIG + "".join(f"  {line}\n" for line in tune.strip().splitlines()))
        return path

    return write


def problems(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [line.split(": ", 1)[1] for line in caught.value.problems]


def test_every_mistake_is_told_at_once(write: Write, counted: Callable[..., None]) -> None:
    found = problems(
        write("""
objective: r2
limits: {latency_ms: 1, arena_bytes: 4096}
pick: {smallest_within: 0.005, by: latency_ms}
space:
  model.fitlers.0: {int: [8, 64]}
  model.filters.2: {int: [8, 64]}
  model.filters.1: {int: [64, 8]}
  model.dropout: {float: [0, 2]}
  train.optimizer.learning_rate: {float: [0, 1e-2], log: true}
  trian.loss: {choice: [mse, mae]}
  train.epochs: {int: [1, 3]}
  train.schedule.kind: {choice: [cosine, cosin]}
  data.source.name: {choice: [digits, wine]}
  model.kernel_size: {choice: [3]}
""")
    )
    told = "\n".join(found)
    for words in (
        "tune.objective: r2 is not measured for classification; wanted one of accuracy",
        "tune.limits.latency_ms: Vela says how much it is; add an Ethos-U",
        "tune.limits.arena_bytes: tflite-micro says how much it is; add tflite-micro to verify",
        "tune.pick.by: Vela says",
        "model.fitlers.0: unknown key; did you mean 'filters'?",
        "model.filters.2: model.filters has 2 entries; wanted a position from 0",
        "model.filters.1: wanted the lowest value, then a higher one; came [64, 8]",
        "model.dropout: wanted a number of at least 0 and below 1; came 2",
        "learning_rate: log: true needs values above 0; came [0, 0.01]",
        "trian.loss: wanted a setting of model, train, data.batch_size, data.augment",
        "did you mean 'train'?",
        "train.epochs: a trial has tune.epochs; leave it out",
        "did you mean 'cosine'?",
        "data.source.name: wanted a setting of",
        "model.kernel_size: one choice leaves nothing to search",
    ):
        assert words in told
    assert len(found) == 14
    counted("bad inputs", len(found))


def test_a_space_over_families_holds_where_its_conditions_say(write: Write) -> None:
    config = load(
        write("""
tuner: grid
space:
  model.kind: {choice: [cnn, ds_cnn]}
  model.filters.0: {int: [8, 64], step: 8, when: {model.kind: cnn}}
  model.blocks: {int: [1, 4], when: {model.kind: [ds_cnn]}}
  train.optimizer: {choice: [{kind: sgd, learning_rate: 0.1}, {kind: adamw}]}
  data.batch_size: {choice: [32, 64]}
""")
    )
    assert config.tune is not None


def test_wrong_conditions_are_told_with_the_nearest_word(write: Write) -> None:
    found = problems(
        write("""
space:
  model.kind: {choice: [cnn, ds_cnn, perceptron]}
  model.blocks: {int: [1, 4], when: {model.kind: ds_cn}}
  model.dropout: {float: [0, 0.5], when: {model.knid: cnn}}
  model.filters.0: {int: [8, 64], step: 8}
  model.activation: {choice: [relu, tanh], when: {train.loss: auto}}
  train.loss: {choice: [auto, focal], when: {model.activation: relu}}
  train.ema: {choice: [null, 0.99], when: {train.label_smoothing: 0.1}}
  train.label_smoothing: {float: [0, 0.1]}
""")
    )
    told = "\n".join(found)
    for words in (
        "model.kind is never 'ds_cn'; wanted one of 'cnn', 'ds_cnn', 'perceptron'; did you mean",
        "model.knid is not searched; wanted a path of tune.space; did you mean 'model.kind'?",
        "where model.kind 'ds_cnn': model.filters is not in the file",
        "model.activation: its condition goes round in a circle",
        "train.loss: its condition goes round in a circle",
        "train.label_smoothing is a range; wanted a path with a choice",
    ):
        assert words in told
    assert len(found) == 6


def test_a_grid_needs_points_and_an_end(write: Write) -> None:
    found = problems(
        write("""
tuner: grid
space: {model.dropout: {float: [0, 0.5]}}
""")
    )
    assert "a grid needs the number of values between the ends; add points: 3" in found[0]
    endless = "\n".join(f"  model.{n}: {{int: [1, 60]}}" for n in ("filters.0", "filters.1"))
    found = problems(
        write(f"tuner: grid\nspace:\n{endless}\n  train.ema: {{float: [0.1, 0.9], points: 99}}")
    )
    assert "more than 100,000 trials" in found[0]


def test_what_the_rules_refuse_is_refused_in_the_space_too(write: Write) -> None:
    found = problems(write("space: {train.loss: {choice: [auto, mse]}}"))
    assert "mse is no loss for classification" in found[0]


def test_robust_is_for_classes_and_asked_for(write: Write) -> None:
    found = problems(write("objective: robust\nspace: {model.dropout: {float: [0, 0.5]}}"))
    assert "robust is measured where tune.robust is true" in found[0]


def test_robust_needs_to_know_what_an_attacker_can_move(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("age,rate,label\n1,2,a\n3,4,b\n")
    path = tmp_path / "rows.yaml"
    path.write_text(
        "name: rows\ntask: classification\ndata: {source: {kind: csv, path: rows.csv, "
        "label: label}}\nmodel: {kind: mlp, units: [8]}\ntrain: {epochs: 2}\n"
        "tune: {robust: true, space: {model.dropout: {float: [0, 0.5]}}}\n"
    )
    (found,) = problems(path)
    assert "nothing says how far an attacker can move a table" in found
    assert load(path, ["audit={columns: {rate: {change: 5}}}"]).tune is not None
