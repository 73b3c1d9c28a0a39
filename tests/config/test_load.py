"""A config is read whole or every mistake in it is named, with its line."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.config.load import SIZE_LIMIT, load
from pipeline.config.messages import RENAMED
from pipeline.config.schema import Config
from pipeline.errors import ConfigError
from tests.conftest import SHIPPED

SMALL = """\
name: small
task: classification
data:
  source: {kind: bundled, name: digits}
model:
  kind: cnn
  filters: [8, 16]
"""
TEN_MISTAKES = """\
name: Ten Mistakes
task: clasification
data:
  source: {kind: bundled, name: digit}
  split:
    test: 1.5
  batchsize: 64
model:
  kind: cnn
  filters: [16, many]
train:
  epochs: 2.5
  optimizer:
    learning_rte: 1e-3
  schedule: {kind: cosin}
export:
  ships: float16
  formats:
    - float32
    - int8
"""
TEN_MESSAGES = [
    (1, "name: wanted a name of a-z"),
    (2, "task: wanted one of classification, .*; came 'clasification'; did you mean 'classi"),
    (4, "data.source.name: wanted one of digits, .*; came 'digit'; did you mean 'digits'?"),
    (6, "data.split.test: wanted a number of at least 0 and below 1; came 1.5"),
    (7, "data.batchsize: unknown key; did you mean 'batch_size'?"),
    (10, "model.filters.1: wanted a whole number of at least 1; came 'many'"),
    (12, "train.epochs: wanted a whole number of at least 0; came 2.5"),
    (14, "train.optimizer.learning_rte: unknown key; did you mean 'learning_rate'?"),
    (
        15,
        "train.schedule.kind: wanted one of cosine, constant, step, exponential, one_cycle, "
        "plateau; came 'cosin'; did you mean 'cosine",
    ),
    (17, "export.ships: float16 is not in export.formats"),
]


def write(folder: Path, text: str | bytes) -> Path:
    """Put a config into a folder and return its path."""
    path = folder / "config.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problems(folder: Path, text: str | bytes, *overrides: str) -> tuple[str, ...]:
    """Return the messages about a bad config, without the folder's name."""
    with pytest.raises(ConfigError) as caught:
        load(write(folder, text), overrides)
    return tuple(line.replace(f"{folder}{os.sep}", "") for line in caught.value.problems)


def is_judged(path: Path, *overrides: str) -> bool:
    """Tell whether a file is a config, or is refused in messages of one line each."""
    try:
        return isinstance(load(path, overrides), Config)
    except ConfigError as error:
        return len(error.problems) > 0 and not any("\n" in line for line in error.problems)


@pytest.mark.parametrize("name", [path.name for path in SHIPPED])
def test_every_shipped_config_is_valid_and_named_after_its_file(shipped: Path, name: str) -> None:
    assert load(shipped / name).name == Path(name).stem


def test_ten_mistakes_give_ten_messages_with_their_lines(
    tmp_path: Path, counted: Callable[..., None]
) -> None:
    found = problems(tmp_path, TEN_MISTAKES)
    assert len(found) == 10
    for line, (number, words) in zip(found, TEN_MESSAGES, strict=True):
        assert re.match(rf"config\.yaml:{number}: {words}", line), line
        counted("bad inputs")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "config.yaml:1: wanted a mapping (key: value lines); came nothing"),
        ("# nothing\n", "config.yaml:1: wanted a mapping (key: value lines); came nothing"),
        ("[1, 2]", "config.yaml:1: wanted a mapping (key: value lines); came [1, 2]"),
        ("name: x\ntask: 'open\n", "config.yaml:3: not YAML: while scanning a quoted scalar"),
        (b"name: x\ntask: \xff\n", "config.yaml:2: wanted UTF-8 text"),
        (b"a" * (SIZE_LIMIT + 1), "config.yaml: wanted a config of 1 MiB at most"),
        ("a: " + "[" * 10_000, "config.yaml:1: a.0.0.0: nested over 32 levels deep"),
        ("a: 1\n---\nb: 2\n", "config.yaml:2: wanted one document"),
    ],
)
def test_what_is_no_config_gets_one_clear_message(
    tmp_path: Path, text: str | bytes, message: str, counted: Callable[..., None]
) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(message)
    counted("bad inputs")


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path, SMALL)
    with pytest.raises(ConfigError, match=r"no such file; did you mean 'config\.yaml'"):
        load(tmp_path / "confg.yaml")
    with pytest.raises(ConfigError, match="this is a folder"):
        load(tmp_path)


def test_repeated_keys_tags_and_aliases_are_reported_beside_other_mistakes(tmp_path: Path) -> None:
    text = SMALL + "seed: &s 1\nseed: 2\ntrain:\n  epochs: *s\n  loss: !!str mse\n  los: 1\n"
    found = problems(tmp_path, text)
    assert [line.split(":")[1] for line in found] == ["8", "9", "11", "12", "12", "13"]
    assert found[1] == "config.yaml:9: seed: repeated key; config.yaml:8 has it already"
    assert "train.epochs: alias *s" in found[2]
    assert "train.loss: mse is no loss for classification" in found[4]


def test_a_missing_key_is_reported_where_its_section_begins(tmp_path: Path) -> None:
    found = problems(tmp_path, "name: x\ndata:\n  batch_size: 3\nharden:\n  attack: {steps: 3}\n")
    assert found == (
        "config.yaml:1: task: missing; wanted one of classification, regression, "
        "forecasting, anomaly",
        "config.yaml:1: model: missing; wanted a mapping with kind: "
        "one of perceptron, mlp, cnn, ds_cnn, "
        "resnet8, mobilenet, cnn1d, rnn, transformer, autoencoder, file, application",
        "config.yaml:2: data.source: missing; wanted a mapping with kind: "
        "one of bundled, tfds, image_folder, audio_folder, "
        "series_folder, csv, series_csv, text, npz",
        "config.yaml:5: harden.attack.kind: missing; wanted one of pgd, apgd_ce, substitute",
    )


def test_a_key_in_the_wrong_section_is_told_where_it_belongs(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SMALL + "train:\n  learning_rate: 0.1\n")
    assert found.endswith("unknown key here; did you mean 'train.optimizer.learning_rate'?")


def test_numbers_and_words_follow_yaml_1_2(tmp_path: Path) -> None:
    text = SMALL + "train:\n  optimizer: {kind: adamw, learning_rate: 1e-3}\n"
    assert load(write(tmp_path, text)).train.optimizer.learning_rate == 1e-3
    (found,) = problems(tmp_path, SMALL + "  batch_norm: no\n")
    assert found == "config.yaml:8: model.batch_norm: wanted true or false; came 'no'"


def test_set_changes_lists_sections_and_null(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    config = load(
        path, ["model.filters.1=32", "harden.epochs=2", "audit=null", "data.split={test: 0.3}"]
    )
    assert config.model.filters == (8, 32)
    assert config.harden is not None
    assert config.harden.epochs == 2
    assert config.audit is None
    assert config.data.split.test == 0.3


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("train.epochs", "--set train.epochs: wanted key=value"),
        ("train..epochs=1", "--set train..epochs=1: wanted key=value"),
        ("train.epoch=3", "--set train.epoch=3: train.epoch: unknown key; did you mean 'epochs'?"),
        ("train.epochs=x", "--set train.epochs=x: train.epochs: wanted a whole number"),
        ("train.epochs=[1", "--set train.epochs=[1: train.epochs: not YAML"),
        ("model.filters.2=8", "--set model.filters.2=8: model.filters.2: model.filters has 2"),
        ("model.dense.0=8", "--set model.dense.0=8: model.dense.0: model.dense is not in the"),
        ("name.x=1", "--set name.x=1: name.x: name holds one value"),
    ],
)
def test_a_bad_set_is_reported_as_it_was_typed(
    tmp_path: Path, argument: str, message: str, counted: Callable[..., None]
) -> None:
    (found,) = problems(tmp_path, SMALL, argument)
    assert found.startswith(message)
    counted("bad inputs")


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_key_of_an_earlier_version_is_told_its_new_name(
    tmp_path: Path, old: str, new: str
) -> None:
    (found,) = problems(tmp_path, SMALL, f"gate.{old}=0.9")
    assert found.endswith(f"gate.{old}: unknown key; did you mean '{new}'?")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("report.licence", "license"),
        ("report.data_licence", "data_license"),
        ("data.labelled", "labeled"),
        ("data.unlabelled", "unlabeled"),
    ],
)
def test_a_british_spelling_is_told_the_american_one(tmp_path: Path, old: str, new: str) -> None:
    (message,) = problems(tmp_path, SMALL, f"{old}=5")
    assert message.endswith(f"{old}: unknown key; did you mean '{new}'?")


def test_a_set_does_not_hide_what_cannot_be_read_in_the_file(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SMALL + "seed: .inf\n", "seed=3")
    assert found == "config.yaml:8: seed: wanted a finite number, came .inf"


@given(epochs=st.integers(1, 10**6), rate=st.floats(1e-12, 10), log=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_set_and_file_say_the_same(tmp_path: Path, epochs: int, rate: float, log: bool) -> None:
    written = {"epochs": epochs, "optimizer": {"learning_rate": rate}}
    in_file = load(write(tmp_path, f"{SMALL}  batch_norm: {str(log).lower()}\ntrain: {written}\n"))
    path = write(tmp_path, SMALL)
    by_set = load(
        path,
        [
            f"train.epochs={epochs}",
            f"train.optimizer.learning_rate={rate!r}",
            f"model.batch_norm={str(log).lower()}",
        ],
    )
    assert in_file == by_set


@given(blank=st.lists(st.integers(0, 3), min_size=7, max_size=7), bad=st.integers(0, 6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_line_of_a_mistake_is_where_it_stands(
    tmp_path: Path, blank: list[int], bad: int
) -> None:
    lines: list[str] = []
    for number, (line, gap) in enumerate(zip(SMALL.splitlines(), blank, strict=True)):
        lines += ["# a comment"] * gap
        lines.append(line)
        if number == bad:
            indent = re.match(" *", SMALL.splitlines()[min(bad + 1, 6)])
            assert indent is not None
            lines.append(f"{indent[0]}zzz_unknown: 1")
            wanted = len(lines)
    found = problems(tmp_path, "\n".join(lines))
    assert [line for line in found if line.startswith(f"config.yaml:{wanted}: ")]


WORDS = [
    "name",
    "data",
    "model",
    "train",
    "kind",
    "source",
    "tune",
    "space",
    "<<",
    "1e-3",
    ".inf",
    "no",
    "\\ud800",
    "%YAML",
    "1.1",
]
YAML_BITS = st.sampled_from(
    [*"abc:{}[],&*!|>-'\"#%@`?~ \n\t\x85", "\n  ", ": ", "- ", "---\n", *WORDS]
)


@given(text=st.one_of(st.text(), st.lists(YAML_BITS).map("".join)), suffix=st.booleans())
@example(text='"\\uD800":', suffix=False)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_text_is_a_config_or_a_config_error(
    tmp_path: Path, counted: Callable[..., None], text: str, suffix: bool
) -> None:
    counted("fuzzed")
    path = write(tmp_path, (SMALL * suffix + text).encode("utf-8", "surrogatepass"))
    assert is_judged(path)


@given(argument=st.one_of(st.text(), st.lists(YAML_BITS).map("".join)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_set_is_applied_or_a_config_error(
    tmp_path: Path, counted: Callable[..., None], argument: str
) -> None:
    path = write(tmp_path, SMALL)
    for given_argument in (
        argument,
        f"train.{argument}",
        f"tune.space={argument}",
        f"data={argument}",
    ):
        counted("fuzzed")
        assert is_judged(path, given_argument)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(Config.model_fields)), value=JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_in_any_section_is_judged(
    tmp_path: Path, counted: Callable[..., None], key: str, value: object
) -> None:
    counted("fuzzed")
    text = SMALL if key not in SMALL else ""
    assert is_judged(write(tmp_path, f"{text}{key}: {json.dumps(value)}\n"))


def test_a_wrong_entry_of_a_list_is_one_mistake(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, SMALL.replace("[8, 16]", "[a]"))
    assert "model.filters.0" in found


def test_an_optimizer_is_adamw_unless_it_says_otherwise(tmp_path: Path) -> None:
    path = write(tmp_path, SMALL)
    assert load(path, ["train.optimizer.learning_rate=0.5"]).train.optimizer.kind == "adamw"
    assert load(path, ["train.optimizer.kind=sgd"]).train.optimizer.kind == "sgd"
    with pytest.raises(
        ConfigError, match="unknown key of this kind; there are clip_norm, clip_value, kind, learn"
    ):
        load(path, ["train.optimizer.momentum=0.9"])


@pytest.mark.parametrize(
    ("harden", "said"),
    [
        ("{mode: fst}", "harden.mode: wanted one of fgsm_mix, fast, pgd, trades; came 'fst'"),
        ("{mode: fast, attack: {kind: pgd}}", "wanted one of rs_fgsm, n_fgsm; came 'pgd'"),
        ("{mode: trades, clean_share: 0.5}", "harden.clean_share: unknown key of this kind"),
        ("{mode: fgsm_mix, beta: 1}", "harden.beta: unknown key of this kind"),
    ],
)
def test_a_mode_knows_its_own_settings_alone(tmp_path: Path, harden: str, said: str) -> None:
    (found,) = problems(tmp_path, SMALL + f"harden: {harden}\n")
    assert said in found


def test_the_mode_is_pgd_where_none_is_named(tmp_path: Path) -> None:
    attack = "attack: {kind: pgd, epsilon: 0.1, steps: 7}"
    config = load(write(tmp_path, SMALL + f"harden: {{{attack}, epochs: 5}}\n"))
    assert config.harden is not None
    assert config.harden.mode == "pgd"
    assert load(write(tmp_path, SMALL + f"harden: {{mode: pgd, {attack}}}\n")) == config
