"""Rules across sections: one wrong combination, one message, at the right key."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.config.load import load
from pipeline.config.rules import RULES
from pipeline.config.schema import BundledSource, Config
from pipeline.config.shape import choices_of
from pipeline.config.source_rules import BUNDLED
from pipeline.errors import ConfigError

RIGHT = ["name=x", "task=classification", "data.source={kind: bundled, name: digits}"]
CNN = [*RIGHT, "model={kind: cnn}"]
MICRO = [*CNN, "gate.arena_bytes=9000", "verify.runtimes=[tflite-micro]"]
TABLE = [*RIGHT, "data.source.name=wine", "model={kind: mlp}"]
REGRESSION = [
    *TABLE, "task=regression", "data.source.name=diabetes", "data.split={by: random}",
]  # fmt: skip
TEXT = [*TABLE, "data.source={kind: text, path: config.yaml}"]
SERIES = [
    *TABLE, "data.split.by=time",
    "data.source={kind: series_csv, path: '*.csv', label: state, window: 8}",
]  # fmt: skip
DETECTOR = [*CNN, "task=anomaly", "model={kind: autoencoder, form: conv}"]
FORECASTER = [*SERIES, "task=anomaly", "model={kind: rnn}"]
L2 = [*CNN, "audit={norm: l2, epsilon: 1.5}"]
TFDS = [*CNN, "data.source={kind: tfds, name: mnist}"]


def messages(folder: Path, *overrides: str) -> list[str]:
    """Return what is wrong with a config that is written by `--set` alone, without the prefix."""
    path = folder / "config.yaml"
    path.write_text("{}")
    try:
        load(path, overrides)
    except ConfigError as error:
        return [problem.split(": ", 1)[1] for problem in error.problems]
    return []


@pytest.mark.parametrize(
    "right",
    [
        CNN, MICRO, TABLE, REGRESSION, TFDS, TEXT, SERIES, DETECTOR, FORECASTER, L2,
        [*TABLE, "harden.attack={kind: pgd, columns: {alcohol: {change: 1}}}"],
        [*TEXT, "harden.attack={kind: substitute}", "audit.tokens=3"],
        [*SERIES, "harden.attack={kind: pgd, channels: [value]}"],
        [*SERIES, "audit.epsilon=0.2"],
    ],
)  # fmt: skip
def test_right_combinations_pass(tmp_path: Path, right: list[str]) -> None:
    assert messages(tmp_path, *right) == []


CSV = [*TABLE, "data.source={kind: csv, path: rows.csv, label: class, drop: [id]}"]


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        (CSV, "harden.attack={kind: pgd, columns: {amuont: {}}}", "did you mean 'amount'?"),
        (CSV, "harden.attack={kind: pgd, columns: {id: {}}}", "id is data.source.drop, which the"),
        (CSV, "audit.columns={class: {}}", "class is data.source.label, which the model does not"),
        (
            CSV,
            "harden.attack={kind: pgd, columns: {amount: {low: 3, high: 1}}}",
            "columns.amount.low: wanted at most high (1); came 3",
        ),
        (
            CSV,
            "harden.attack={kind: pgd, columns: {shop: {to: [a], change: 1}}}",
            "is for categories; change, low, high and whole are for numbers",
        ),
        (
            CSV,
            "harden.attack={kind: pgd, columns: {amount: {hihg: 3}}}",
            "unknown key; did you mean 'high'?",
        ),
        (CSV, "harden.attack={kind: substitute}", "replaces words, and this set is a table"),
        (TEXT, "audit.columns={a: {}}", "is for a table, and this set is text; wanted null"),
        (CNN, "harden.attack={kind: pgd, on: waveform}", "is for sound, and this set is a image"),
        (CNN, "audit.tokens=2", "replaces words, and this set is a image; wanted null"),
        (SERIES, "harden.attack={kind: pgd, channels: [valeu]}", "did you mean 'value'?"),
        (REGRESSION, "audit.columns={bmi: {}}", "attacks are for classification and the task is"),
        (CNN, "task=anomaly", "cnn finds anomalies by a forecast, in series; wanted autoenc"),
        (CNN, "model={kind: autoencoder}", "an autoencoder is for anomaly, or learns class"),
        (TEXT, "model={kind: resnet8}", "resnet8 needs images or sound and text is text"),
        (TABLE, "model={kind: rnn}", "rnn needs series, text, images or sound and wine is a"),
        (CNN, "model={kind: transformer, width: 30}", "wanted a multiple of model.heads (4)"),
        (CNN, "model={kind: transformer, patch: 9}", "no patch fits into a 8x8 picture"),
        (CNN, "model={kind: cnn, padding: [same]}", "wanted one word, or one for each of the 2"),
        (CNN, "data.split.by=given", "a bundled set has no parts of its own"),
        (CNN, "compress.prune={begin: 0.5, end: 0.5}", "wanted more than compress.prune.begin (0"),
        (
            CNN,
            "compress={prune: {}, cluster: {clusters: 2}}",
            "with compress.prune one of them is zero: wanted at least 3; came 2",
        ),
        (CNN, "data.split.test=0", "verify.split is test, which would be empty"),
        (CNN, "model={kind: cnn, filters: [8, 8, 8, 8]}", "nothing is left of a 8x8 picture in"),
        (CNN, "model={kind: cnn, padding: valid, pool: none, kernel_size: 9}", "nothing is left"),
        (CNN, "train.loss=mse", "mse is no loss for classification"),
        (CNN, "train.schedule={kind: cosine, warmup_epochs: 21}", "the rate would not reach its"),
        (CNN, "export={formats: [float32], targets: [cpu]}", "auto ships int8, which"),
        (CNN, "export={formats: [int8], ships: dynamic}", "dynamic is not in export.formats"),
        (CNN, "export={formats: [float32], ships: float32, targets: [mcu]}", "mcu is made from"),
        (CNN, "export.formats=[int8, int8]", "int8 is listed twice"),
        (CNN, "data.source={kind: image_folder, path: no, height: 9, width: 9}", "wanted a folder"),
        (TFDS, "data.source.inputs=[image, depth]", "cnn takes one input"),
        ([*TFDS, "data.split.by=given"], "data.source.splits={test: test}", "wanted a train part"),
        (TFDS, "data.source.manual_dir=nowhere", "wanted a folder; there is none at"),
        (DETECTOR, "gate.min_recording_auc=0.8", "that are windows of recordings; wanted null"),
        (CNN, "train.freeze={epochs: 20}", "wanted fewer than train.epochs (20)"),
        (CNN, "train.pretrain={}", "pre-training is for an autoencoder with a task"),
        (CNN, "export.encoder=true", "cnn has no encoder; wanted false"),
        (CNN, "model={kind: file, path: no.keras}", "model.path: there is none at"),
        (CNN, "model={kind: application, name: MobileNetV2, weights: no.h5}", "or a file; there"),
        (CNN, "model={kind: application, name: EfficientNetB0, width: 0.5}", "has only 1"),
        (REGRESSION, "data.unlabeled=none", "which has no classes; wanted null"),
        ([*SERIES, "task=anomaly"], "data.labeled=9", "learns without; wanted null"),
        (TABLE, "model={kind: cnn}", "cnn needs images or sound and wine is a table"),
        (TABLE, "data.augment=[{kind: flip}]", "flip is for image, and this set is a table"),
        (CNN, "data.augment=[{kind: scale}]", "scale is for series, and this set is a image"),
        (CNN, "train={loss: focal, label_smoothing: 0.1}", "is for cross-entropy; wanted 0"),
        (REGRESSION, "train.oversample=true", "which has no classes"),
        (TABLE, "data.sanitize.median=3", "is for images, sound and series, whose values have ne"),
        (TEXT, "data.sanitize.bit_depth=3", "is for numbers and this set is text; wanted null"),
        (CNN, "data.sanitize.median=4", "wanted 3, 5, 7, … 15, or null; came 4"),
        ([*CNN, "data.sanitize.median=3"], "audit.norm=l2", "bounds every value; wanted linf"),
        (DETECTOR, "data.sanitize.range=refuse", "is what `task: anomaly` flags; wanted clip"),
        (CNN, "verify.detector=0.05", "set data.sanitize.bit_depth or median, or leave it out"),
        (
            [*REGRESSION, "data.sanitize.bit_depth=3"],
            "verify.detector=0.05",
            "is for classification; the task is regression; wanted null",
        ),
        (CNN, "decision={metric: f1}", "on the threshold that decision chooses; wanted auc"),
        (CNN, "gate.decision_drop=0.02", "no threshold to compare at; wanted decision"),
        (REGRESSION, "verify.abstain=0.1", "is for classification; the task is regression"),
        (REGRESSION, "train.distill={teacher: {kind: mlp}}", "is for classification"),
        (CNN, "train.distill={teacher: {kind: autoencoder}}", "cannot teach; wanted another"),
        (
            [*CNN, "train.distill={teacher: {kind: cnn}}", "data.labeled=50"],
            "data.augment=[{kind: mixup}]",
            "mixup mixes labels",
        ),
        (CNN, "train={schedule: {kind: plateau}, freeze: {}}", "plateau does not go with"),
        (CNN, "train.schedule={kind: step, warmup_epochs: 21}", "the rate would not reach its"),
        (TABLE, "harden={}", "missing; wanted the columns that an attacker can change"),
        (CNN, "harden={mode: fast, attack: {kind: n_fgsm, epsilon: 0.6}}", "wanted at most 0.5"),
        ([*CNN, "export.ships=float16"], "compress.quantize.begin=qat", "qat makes an int8 file"),
        (CNN, "harden={mode: trades, warmup_epochs: 5}", "wanted less than harden.epochs (5)"),
        (TABLE, "data.source.name=diabetes", "diabetes is a set for regression"),
        (REGRESSION, "data.split.by=stratified", "stratified needs classes"),
        (REGRESSION, "train.class_weights=balanced", "which has no classes"),
        (REGRESSION, "harden={}", "attacks are for classification"),
        (REGRESSION, "task=forecasting", "forecasting needs a series_csv"),
        (TEXT, "model={kind: cnn}", "cnn needs images or sound and text is text"),
        (TEXT, "harden={}", "pgd moves numbers, and this set is text; wanted substitute"),
        (TEXT, "data.split.by=given", "one file has no parts of its own"),
        (TEXT, "data.split.by=group", "group needs to know what belongs together"),
        (TEXT, "data.split.by=time", "time needs a moment for each sample"),
        (TEXT, "data.source.path=nowhere.tsv", "wanted a file; there is none at"),
        (SERIES, "data.split.by=stratified", "windows of one series overlap"),
        (SERIES, "data.split.by=given", "one file has no parts of its own; wanted time or group"),
        (SERIES, "task=forecasting", "for forecasting, one with either is not"),
        (SERIES, "data.report_groups=machine", "series_csv has no columns; wanted group"),
        (SERIES, "data.source.windows_path=no.json", "wanted a file; there is none at"),
        (CNN, "data.report_groups=group", "nothing says what belongs together"),
        (CNN, "data.split.pattern='([a-z'", "wanted a regular expression"),
        (CNN, "gate.arena_bytes=9000", "add tflite-micro to verify.runtimes"),
        (MICRO, "export.ships=float32", "float32 ships; wanted export.ships: auto or int8"),
        (CNN, "audit={epsilon: 0.6}", "is 0.6; under linf a value in [0, 1] changes by at"),
        (CNN, "verify.runtimes=[litert, litert]", "litert is listed twice"),
        (CNN, "data.source={kind: audio_folder, path: no}", "wanted a folder or file; there is"),
        (TABLE, "data.source={kind: series_folder, path: no, length: 9}", "wanted a folder or"),
    ],
)  # fmt: skip
def test_a_wrong_combination_gets_one_message(
    tmp_path: Path, right: list[str], wrong: str, message: str, counted: Callable[..., None]
) -> None:
    (tmp_path / "rows.csv").write_text("id,amount,shop,class\n1,2,a,x\n")
    (found,) = messages(tmp_path, *right, wrong)
    assert message in found
    counted("bad inputs")


def test_a_rule_is_silent_where_what_it_reads_is_a_mistake(tmp_path: Path) -> None:
    found = messages(
        tmp_path, *TABLE, "model={kind: cnn}", "data.source.name=wne", "train.loss=mse"
    )
    assert len(found) == 2
    assert "did you mean 'wine'" in found[0]
    assert "mse is no loss" in found[1]


def test_an_image_folder_is_relative_to_the_config(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    folder = "data.source={kind: image_folder, path: images, height: 32, width: 32}"
    assert messages(tmp_path, *CNN, folder) == []


def test_table_and_regression_may_keep_the_audit(tmp_path: Path) -> None:
    assert messages(tmp_path, *TABLE, "audit={}") == []
    assert messages(tmp_path, *REGRESSION, "audit={}") == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("model.dropout: {float: [0.0, 0.9]}", None),
        ("model.filters.1: {int: [8, 64], step: 8}", None),
        ("train.optimizer.learning_rate: {float: [1e-4, 1e-2], log: true}", None),
        ("train.early_stopping.patience: {int: [2, 9]}", None),
        ("model.activation: {choice: [relu, relu6]}", None),
        ("model.dense: {choice: [a, b]}", "wanted a list of"),
        ("model.dropuot: {float: [0.0, 0.9]}", "unknown key; did you mean 'dropout'?"),
        ("model.dropout: {float: [0.0, 1.0]}", "wanted a number of at least 0 and below 1"),
        ("model.filters.2: {int: [8, 64]}", "model.filters has 2 entries"),
        ("model.filters.1: {float: [8, 64]}", "wanted a whole number"),
        ("model.kind: {choice: [cnn, mlp]}", None),
        ("model.kind: {choice: [cnn, file]}", "made before the search; take it out"),
        ("model: {choice: [1, 2]}", "wanted a setting of model, train"),
        ("modle.dropout: {int: [1, 2]}", "did you mean 'model'?"),
        ("model.kernel_size: {int: [9, 2]}", "the lowest value, then a higher one; came [9, 2]"),
        ("model.kernel_size: {int: [2, 9], step: 8}", "the step 8 is wider"),
        ("model.kernel_size: {choice: [2, 2]}", "listed twice"),
        ("model.dropout: {float: [0, 0.5], log: true}", "log: true needs values above 0"),
        ("model.dropout: {flot: [0, 0.5]}", "wanted a mapping with one of float, int, choice"),
        (f"model.filters.{'9' * 5000}: {{int: [8, 64]}}", "unknown"),
    ],
)  # fmt: skip
def test_the_search_space_is_checked_against_the_schema(
    tmp_path: Path, entry: str, message: str | None
) -> None:
    found = messages(tmp_path, *CNN, f"tune={{space: {{{entry}}}}}")
    if message is None:
        assert found == []
    elif message != "unknown":
        assert len(found) == 1
        assert message in found[0]
    else:
        assert found


def test_every_rule_reads_paths_of_the_schema() -> None:
    dumped = Config.model_validate_json(
        '{"name": "x", "task": "classification", "model": {"kind": "cnn"},'
        ' "data": {"source": {"kind": "bundled", "name": "digits"}}}'
    ).model_dump()
    for rule in RULES:
        for path in rule.reads:
            holder = dumped
            for part in path.split("."):
                assert part in holder, path
                holder = holder[part]


def test_every_bundled_set_has_its_rule() -> None:
    assert set(BUNDLED) == set(choices_of(BundledSource.model_fields["name"].annotation))


def test_a_network_from_outside_is_not_searched(tmp_path: Path) -> None:
    outside = "model={kind: application, name: MobileNetV2}"
    search = "tune={space: {model.dropout: {float: [0, 0.5]}, train.ema: {choice: [null, 0.9]}}}"
    (found,) = messages(tmp_path, *CNN, outside, search)
    assert "application is made before the search; wanted a setting of train" in found
