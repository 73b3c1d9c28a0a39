"""A config for a model that was trained elsewhere."""

from pathlib import Path

import pytest

from pipeline.config.given import as_given
from pipeline.config.load import load
from pipeline.errors import ConfigError

TEXT = """
name: mine
task: classification
data: {source: {kind: bundled, name: digits}}
model: MODEL
tune: {max_trials: 3, space: {train.optimizer.learning_rate: {float: [1e-4, 1e-2], log: true}}}
train: {epochs: 9, freeze: {epochs: 2}, schedule: {kind: cosine, warmup_epochs: 3}}
harden: {}
gate: {agreement: 0.5}
"""


@pytest.mark.parametrize("model", ["{kind: cnn}", "{kind: file, path: other.keras, scale: 255}"])
def test_nothing_is_trained_and_all_else_is_kept(tmp_path: Path, model: str) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    config, net = folder / "c.yaml", tmp_path / "My Net.keras"
    config.write_text(TEXT.replace("MODEL", model))
    (folder / "other.keras").touch()
    net.touch()
    plain = load(config, ["train.freeze=null"] if "cnn" in model else ())
    asked = ["train.freeze=null"] if "cnn" in model else []
    found = load(config, as_given(config, net, asked))
    assert (found.name, found.train.epochs, found.tune, found.harden) == (
        "mine_my_net",
        0,
        None,
        None,
    )
    assert (folder / found.model.path).resolve() == net.resolve()  # type: ignore[union-attr]
    assert found.model.scale == (255 if "255" in model else 1)  # type: ignore[union-attr]
    assert (found.gate, found.data) == (plain.gate, plain.data)


def test_labels_beside_the_model_are_its_order_of_classes(tmp_path: Path) -> None:
    config, net = tmp_path / "c.yaml", tmp_path / "net.keras"
    config.write_text(TEXT.replace("MODEL", "{kind: cnn}").replace("freeze: {epochs: 2}, ", ""))
    net.touch()
    (tmp_path / "labels.txt").write_text("0 two\n1 one\n")
    found = load(config, as_given(config, net, []))
    assert found.data.source.class_names == ("two", "one")
    asked = ["data.source.class_names=[a, b]"]
    chosen = load(config, [*asked, *as_given(config, net, asked)])
    assert chosen.data.source.class_names == ("a", "b")


@pytest.mark.parametrize(
    ("name", "said"),
    [("no.keras", "no such file"), ("no.tflite", "no such file"), ("a.pkl", "wanted a .keras")],
)
def test_what_is_no_model_gets_one_message(tmp_path: Path, name: str, said: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(TEXT.replace("MODEL", "{kind: cnn}").replace("freeze: {epochs: 2}, ", ""))
    if not name.startswith("no"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=said):
        as_given(config, tmp_path / name, [])


def test_a_config_for_a_given_model_needs_no_model_of_its_own(tmp_path: Path) -> None:
    config, net = tmp_path / "c.yaml", tmp_path / "net.keras"
    config.write_text(
        "name: mine\ntask: classification\ndata: {source: {kind: bundled, name: digits}}\n"
    )
    net.touch()
    found = load(config, [*as_given(config, net, ["model.scale=255"]), "model.scale=255"])
    assert (found.model.kind, found.model.scale) == ("file", 255)  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="gaet"):
        as_given(config, net, ["gaet.bytes=3"])
