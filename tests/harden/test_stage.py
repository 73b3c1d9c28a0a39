"""`harden` on every form of sample that shipped configs have: what it writes, twice the same."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.artifacts import WORK, Inputs
from pipeline.config.load import load
from pipeline.data.dataset import open_dataset
from pipeline.documents.robustness import Robustness
from pipeline.errors import ConfigError
from pipeline.harden.stage import run
from pipeline.models.save import save_keras
from tests.conftest import prepare_data
from tests.harden import fakes

ATTACKS = {
    "machines_csv": "{kind: pgd, steps: 2, epsilon: 0.2, columns: {hours: {}, mode: {}}}",
    "gestures_series": "{kind: pgd, steps: 2, epsilon: 0.2, channels: [x]}",
    "sensors_series": "{kind: pgd, steps: 2, epsilon: 0.2}",
    "tones_audio": "{kind: pgd, steps: 2, epsilon: 0.005, on: waveform}",
    "messages_text": "{kind: substitute, tokens: 1, candidates: 4}",
    "shapes_npz": "{kind: pgd, steps: 2}",
}


def hardened(sets: Path, folder: Path, name: str, attack: str) -> Robustness:
    """Return robustness.json of a small untrained network after one epoch."""
    more = [f"harden={{epochs: 1, attack: {attack}}}", "data.batch_size=64"]
    base = sets / "configs"
    config = load(base / f"{name}.yaml", more)
    places = {kind: folder / kind for kind in ("dataset", "reference", "out")}
    for place in places.values():
        (place / WORK).mkdir(parents=True)
    prepare_data(config, places["dataset"], base)
    dataset = open_dataset(places["dataset"])
    keras.utils.clear_session()
    save_keras(fakes.network(dataset), places["reference"] / "model.keras")
    run(config, Inputs(places, base, base), places["out"])
    return Robustness.read(places["out"] / "robustness.json")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ATTACKS))
def test_every_form_is_hardened(sets: Path, tmp_path: Path, name: str) -> None:
    found = hardened(sets, tmp_path / "one", name, ATTACKS[name])
    assert found.perturbation
    assert found.threat_model.inputs
    for side in (found.before, found.after):
        assert 0 <= side.robust_accuracy <= side.clean_accuracy <= 1
        assert sum(row.samples for row in side.classes.values()) == found.samples
    assert (tmp_path / "one/out/model.keras").is_file()


@pytest.mark.slow
def test_the_same_bytes_twice(sets: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        hardened(sets, tmp_path / folder, "machines_csv", ATTACKS["machines_csv"])
    for name in ("model.keras", "robustness.json", "history.csv"):
        one, two = ((tmp_path / folder / "out" / name).read_bytes() for folder in ("one", "two"))
        assert one == two, name


def test_a_column_that_was_left_out_is_named_before_anything_is_trained(
    sets: Path, tmp_path: Path
) -> None:
    attack = "{kind: pgd, steps: 2, columns: {serial: {}}}"  # an id, which `data` leaves out
    with pytest.raises(ConfigError, match=r"columns: no such name: serial; there are .*hours"):
        hardened(sets, tmp_path, "machines_csv", attack)
    assert not np.any([p.suffix == ".keras" for p in tmp_path.rglob("*")])
