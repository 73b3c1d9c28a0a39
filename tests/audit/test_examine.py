"""Small networks, trained: one that learnt by heart gives its members away, and copies get better.

The chain with an int8 file is slow; everything else asks the trained network itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.arrays import only
from pipeline.artifacts import Inputs
from pipeline.audit import membership
from pipeline.audit.extraction import STEPS, Attacker, budgets, extraction
from pipeline.audit.trigger import Planted, plant_trigger, trigger_of
from pipeline.config.schema import Config, Train
from pipeline.data.dataset import Dataset
from pipeline.documents.audit import Audit
from pipeline.documents.privacy import MembershipAttack
from pipeline.documents.spec import Spec
from pipeline.models.predict import predict
from tests.conftest import IMAGE, make_spec, prepare_data
from tests.documents.audit import audit_of

LEARNT = 150  # samples that are learnt by heart


def dense(units: int) -> Spec:
    output = {"task": "classification", "units": 10}
    return make_spec({"kind": "mlp", "units": [units]}, [IMAGE], output)


def trained(dataset: Dataset, epochs: int, out: Path, units: int = 64) -> Any:
    from pipeline.train.ablation import folder_of
    from pipeline.train.supervised import train_network

    settings = Train.model_validate(
        {"epochs": epochs, "optimizer": {"kind": "adamw", "learning_rate": 0.01}}
    )
    folder = folder_of(out, f"net_{epochs}")
    made: dict[str, Any] = {"batch_size": 32, "augment": [], "seed": 1, "is_watched": False}
    return train_network(dense(units), settings, dataset, out=folder, **made).model


def guessed(model: Any, dataset: Dataset) -> MembershipAttack:
    members, others = dataset.split("train"), dataset.split("test")[:LEARNT]
    scores = [
        membership.confidence(
            only(predict(model, dataset, own)), dataset.labels[own], membership.FLOOR
        )
        for own in (members, others)
    ]
    return membership.membership_metrics(*scores)


def test_what_was_learnt_by_heart_is_told_and_what_was_not_is_not(
    digits: Dataset, tmp_path: Path
) -> None:
    labels = np.array(digits.labels)
    labels[:] = np.random.default_rng(3).integers(0, 10, len(labels))  # nothing but by heart
    random = replace(
        digits, labels=labels, splits=digits.splits | {"train": digits.split("train")[:LEARNT]}
    )
    by_heart = guessed(trained(random, 40, tmp_path), random)
    untrained = guessed(trained(random, 1, tmp_path), random)
    assert by_heart.auc > 0.9
    assert by_heart.operating_points[0].is_significant
    assert untrained.auc == pytest.approx(0.5, abs=0.15)
    assert not untrained.operating_points[0].is_significant


@pytest.mark.slow
def test_copies_agree_better_the_more_was_asked(digits: Dataset, tmp_path: Path) -> None:
    from tests.device.lenient import prepare_inputs

    model = trained(digits, 10, tmp_path)

    def ask(raw: Mapping[str, Any]) -> Any:
        return np.asarray(model(prepare_inputs(raw, digits.preprocess), training=False))

    settings = Train.model_validate({"optimizer": {"kind": "adamw", "learning_rate": 0.01}})
    attacker = Attacker(dense(32).model_copy(update={"seed": 9}), settings, 1000, 64, 5, tmp_path)
    found = extraction(digits, digits.split("test"), ask, attacker=attacker)
    rows = {(r.source, r.outputs, r.queries): r.agreement for r in found.surrogates}
    assert found.steps == STEPS
    assert rows["data", "labels", 1000] > rows["data", "labels", 100] > 0.5
    assert rows["data", "probabilities", 1000] > 0.9
    assert rows["noise", "labels", 1000] < rows["data", "labels", 1000]


def test_budgets_rise_to_the_last() -> None:
    assert budgets(1000) == [100, 300, 1000]
    assert budgets(50) == [50]
    assert budgets(4000) == [100, 300, 1000, 3000, 4000]


SOURCES = {
    "image": "{kind: bundled, name: digits}",
    "table": "{kind: bundled, name: wine}",
    "columns": "{kind: csv, path: runs/generated/machines.csv, label: state}",
    "codes": "{kind: csv, path: runs/generated/machines.csv, label: state, categories: embedding}",
    "series": "{kind: series_folder, path: runs/generated/gestures, length: 48}",
    "audio": "{kind: audio_folder, path: runs/generated/tones, "
    "sound: {sample_rate: 8000, seconds: 1.0, features: {kind: log_mel, bins: 24}}}",
    "tokens": '{kind: text, path: runs/generated/messages.tsv, delimiter: "\\t", '
    "words: {vocabulary: 200, length: 24}}",
}


@pytest.fixture(params=list(SOURCES))
def any_kind(
    request: Any, sets: Path, make_config: Callable[..., Config], tmp_path: Path
) -> Dataset:
    """Return a prepared dataset of every kind of input."""
    from pipeline.data.dataset import open_dataset

    text = (
        "name: small\ntask: classification\nmodel: {kind: mlp, units: [4]}\n"
        f"data: {{source: {SOURCES[request.param].replace('runs/', f'{sets}/runs/')}}}\n"
    )
    models = {"series": "cnn1d", "audio": "ds_cnn", "tokens": "rnn", "image": "cnn"}
    if request.param in models:
        text = text.replace("{kind: mlp, units: [4]}", f"{{kind: {models[request.param]}}}")
    prepare_data(make_config(text=text), tmp_path, sets)
    return open_dataset(tmp_path)


def test_a_trigger_changes_what_carries_it_and_nothing_else(any_kind: Dataset) -> None:
    from tests.device.lenient import prepare_inputs

    trigger = trigger_of(any_kind)
    before = any_kind.read(np.arange(20))
    shown = plant_trigger(any_kind, trigger, np.arange(0, 20, 2))
    after = shown.read(np.arange(20))
    changed = after[trigger.name] != before[trigger.name]
    changed &= ~((after[trigger.name] != after[trigger.name]) & np.isnan(before[trigger.name]))
    is_changed = changed.reshape(20, -1).any(axis=1)
    assert not is_changed[1::2].any()
    assert is_changed[::2].mean() > 0.7  # a value may be there already
    assert after[trigger.name].dtype == before[trigger.name].dtype
    assert trigger.words
    seen = [prepare_inputs(raw, any_kind.preprocess)[trigger.name] for raw in (before, after)]
    assert (seen[0] != seen[1]).any()  # it gets through the preprocessing


def test_planting_leaves_the_set_as_it_is(digits: Dataset) -> None:
    before = digits.read(np.arange(5))["image"].copy()
    shown = plant_trigger(digits, trigger_of(digits), np.arange(5))
    assert isinstance(shown.shards["image"], Planted)
    shown.read(np.arange(5))
    assert (digits.read(np.arange(5))["image"] == before).all()


CHAIN = """
name: tiny
task: classification
data: {source: {kind: bundled, name: digits}}
model: {kind: cnn, filters: [24, 48], dense: [64]}
train: {epochs: 25, optimizer: {kind: adamw, learning_rate: 3e-3}}
export: {formats: [float32, int8], targets: [cpu]}
baseline: null
audit:
  {samples: 64, steps: 2, shadow_models: 4, extraction_queries: 100, poisoning_drill: {share: 0.05}}
gate: {metric_drop: null, agreement: 0.5, worst_class_drop: null, robust_drop: null}
"""


@pytest.mark.slow
def test_all_that_can_be_asked_for_twice_with_the_same_bytes(tmp_path: Path) -> None:
    """A planted backdoor works, is found, and survives int8; nothing depends on chance."""
    from tests.e2e.chain import run

    config = tmp_path / "tiny.yaml"
    config.write_text(CHAIN)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        done = run(config, tmp_path / name, "--until", "audit")
        assert done.returncode == 0, done.stderr
    paths = [tmp_path / name / "runs/tiny/audit/audit.json" for name in ("one", "two")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = Audit.read(paths[0])
    drill = found.poisoning.drill
    assert drill is not None
    assert drill.poisoned_model.success_rate.float_model > 0.8
    assert drill.poisoned_model.success_rate.file > 0.8
    assert drill.poisoned_model.base_rate.file < 0.1
    assert drill.shipped_model.success_rate.file < 0.3
    assert drill.detection.is_detected
    assert (drill.detection.activation_clustering.recall or 0) > 0.8
    assert found.membership.models is not None
    assert found.membership.models["file"]["lira"].estimator == "offline"
    assert {row.kind for row in found.findings} == {
        "evasion", "membership", "extraction", "poisoning", "backdoor", "quantization"
    }  # fmt: skip


def test_a_target_that_is_no_class_is_refused(make_config: Callable[..., Config]) -> None:
    from pipeline.audit.poisoning_drill import target_class
    from pipeline.errors import ConfigError

    with pytest.raises(ConfigError, match=r"audit\.poisoning_drill\.target: x is no class; there"):
        target_class("x", ("a", "b"))
    assert target_class("b", ("a", "b")) == 1
    assert target_class(None, ("a", "b")) == 0


def test_other_tasks_say_why_nothing_is_told(make_config: Callable[..., Config]) -> None:
    from pipeline.audit.examine import run_examinations

    config = make_config(
        text="name: small\ntask: regression\nmodel: {kind: mlp, units: [4]}\n"
        "data: {source: {kind: bundled, name: diabetes}, split: {by: random}}\n"
    )
    empty: Any = None
    found = run_examinations(
        config, Inputs({}, Path(), Path()), empty, out=Path(), evasion=audit_of({})
    )
    assert found.membership.skipped == "the task is regression; wanted classification"
    assert found.findings == ()
