"""What the chief tells the others of a training can be sent, and is small."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.config.schema import Train
from pipeline.data.dataset import with_decision
from pipeline.documents.decision import Decision
from pipeline.errors import ConfigError
from pipeline.train import strategy
from pipeline.train.losses import loss_of
from pipeline.train.schedule import rate_factor
from pipeline.train.serialization import decode_value, encode_value
from pipeline.train.strategy import alone, choose, reach_tpu
from pipeline.train.workers import together
from tests.tasks.named import one


def test_a_dataset_is_told_by_its_folder_and_what_was_replaced(digits: Any) -> None:
    sent = encode_value(digits)
    assert len(sent) < 10_000
    fewer = {**digits.splits, "train": digits.split("train")[:100]}
    changed = replace(
        with_decision(digits, Decision(score="reconstruction")),
        splits=fewer,
        labels=digits.labels * 0,
    )
    found = decode_value(encode_value(changed))
    assert found.preprocess == changed.preprocess
    np.testing.assert_array_equal(found.labels, 0)
    for name, positions in fewer.items():
        np.testing.assert_array_equal(found.split(name), positions)
    some = digits.split("test")[:3]
    np.testing.assert_array_equal(found.read(some)["image"], digits.read(some)["image"])
    assert found.inputs == digits.inputs


@pytest.mark.parametrize("name", ["auto", "focal"])
def test_a_loss_is_told_by_its_settings(name: str, rng: np.random.Generator) -> None:
    loss = loss_of(Train(loss=name, label_smoothing=0.1), "classification")
    labels, logits = one(np.arange(3)), one(rng.normal(size=(3, 4)).astype(np.float32))
    plain = np.asarray(loss(labels, logits))
    np.testing.assert_array_equal(decode_value(encode_value(loss))(labels, logits), plain)


def test_alone_a_call_is_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert together("auto", dict, [("a", 1)], own={"b": 2}, c=3) == {"a": 1, "b": 2, "c": 3}
    settings = Train(strategy="multi_worker")
    assert alone(settings) is settings
    place = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
    monkeypatch.setenv("TF_CONFIG", place)
    assert alone(settings).strategy == "one_device"
    assert together("one_device", dict, [("a", 1)]) == {"a": 1}


def test_auto_decides_in_milliseconds_and_says_why(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TF_CONFIG", "TPU_NAME"):
        monkeypatch.delenv(name, raising=False)
    caplog.set_level("INFO")
    choose("auto")
    started = time.perf_counter()
    found = strategy._fitting()
    assert time.perf_counter() - started < 0.02
    assert found[0] in caplog.text
    assert found[1] in caplog.text
    monkeypatch.setenv("TPU_NAME", "mine")
    assert strategy._fitting() == ("tpu", "there is a TPU")
    place = '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}'
    monkeypatch.setenv("TF_CONFIG", place)
    assert strategy._fitting() == ("multi_worker", "TF_CONFIG names 2 workers")


def test_a_tpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TPU_NAME", raising=False)
    with pytest.raises(ConfigError, match=r"use train\.strategy: auto"):
        choose("tpu")
    with pytest.raises(ConfigError, match=r"grpc://127\.0\.0\.1:9.*no reply in 0 s"):
        reach_tpu("grpc://127.0.0.1:9", seconds=0.1)


@pytest.mark.parametrize(("rule", "factor"), [("linear", 8.0), ("sqrt", 8.0**0.5)])
def test_rates_grow_with_the_batch_where_that_is_asked_for(rule: str, factor: float) -> None:
    section = Train.model_validate({"rate_scaling": {"rule": rule, "batch": 64}})
    assert rate_factor(section.rate_scaling, 512) == pytest.approx(factor)
    assert rate_factor(section.rate_scaling, 64) == 1.0
    assert rate_factor(None, 512) == 1.0
    with pytest.raises(ValidationError):
        Train.model_validate({"rate_scaling": {"rule": "linear"}})


def test_values_are_told_whole(tmp_path: Path) -> None:
    values = [None, True, 3, 0.1, float("inf"), "é", (1, (2,)), {"a": [1], 4: None}, tmp_path]
    assert decode_value(encode_value(values)) == values
    for array in (np.zeros((0, 3), np.int8), np.array("text"), np.arange(6.0).reshape(2, 3).T):
        found = decode_value(encode_value(array))
        np.testing.assert_array_equal(found, array)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert decode_value(encode_value(np.float32(0.1))) == np.float32(0.1)
    settings = Train(epochs=3, loss="focal")
    assert decode_value(encode_value((rate_factor, settings))) == (rate_factor, settings)


def test_a_network_is_told_with_its_weights() -> None:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    for ours, theirs in zip(
        model.get_weights(), decode_value(encode_value(model)).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_names_from_elsewhere_are_refused() -> None:
    for name in ("os:system", "pipeline.errors:os.system", "subprocess:run"):
        with pytest.raises(ValueError, match="wanted a name of pipeline"):
            decode_value(json.dumps({"kind": "function", "value": name}).encode())
    with pytest.raises(TypeError, match="cannot be sent a set"):
        encode_value({1})
