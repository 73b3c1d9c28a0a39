"""Whether `edgeline quantize` keeps the accuracy of networks from outside: a table of layer kinds.

    .venv/bin/python -m tests.bench.adopted [--work FOLDER] [--only NAME ...]

Each network is trained shortly by Keras 3 or tf_keras, saved, and given to `edgeline quantize` with
all gates off. A line has the test accuracy of the file as given, of the reference and of the int8
file, or the message that refuses the network. It exits with 1 where the file as given and the
reference differ, or where a command ends in anything but a model or a message.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tf_keras

from pipeline.arrays import Array

ROOT = Path(__file__).resolve().parents[2]
SIZES = {"train": 560, "validation": 120, "test": 120}
ALONE = """\
audit: null
baseline: null
report: {samples: 0}
export: {formats: [float32, int8]}
compress: {quantize: {remedies: []}}
"""
METRICS = re.compile(r"reference (\S+)\s+float32 (\S+)\s+int8 (\S+)")
LIMIT_S = 500
EPOCHS = 6


class Case(NamedTuple):
    """A network, and what its samples are."""

    namespace: Any
    """keras or tf_keras."""
    build: Callable[[Any], Any]
    """layers -> model."""
    data: str = "unit"
    """Key of `DATA`."""
    suffix: str = ".keras"
    is_refused: bool = False
    """Whether a message is what is wanted."""


def pictures() -> tuple[Array, Array]:
    """Return bars, crosses, blobs and rings (N, 16, 16, 3) uint8, and their classes."""
    generator, count = np.random.default_rng(0), sum(SIZES.values())
    labels = generator.integers(0, 4, count)
    x = generator.integers(0, 60, (count, 16, 16, 3))
    rows, columns = np.mgrid[:16, :16]
    for i, label in enumerate(labels):
        cy, cx, radius = *generator.integers(6, 10, 2), generator.integers(3, 6)
        far, bar = np.hypot(rows - cy, columns - cx), (abs(rows - cy) < 2) & (abs(columns - cx) < 5)
        cross = bar | ((abs(columns - cx) < 2) & (abs(rows - cy) < 5))
        x[i][[bar, cross, far < radius * 0.7, abs(far - radius) < 1][label]] += 120
    return np.clip(x, 0, 255).astype(np.uint8), labels


def series() -> tuple[Array, Array]:
    """Return waves of four frequencies (N, 24, 3) float32, and their classes."""
    generator, count = np.random.default_rng(1), sum(SIZES.values())
    labels = generator.integers(0, 4, count)
    phase = generator.uniform(0, 6.28, (count, 1, 1)) + np.arange(3)
    speed = np.array([1, 2, 4, 7])[labels][:, None, None] * 2 * np.pi / 24
    waves = np.sin(speed * np.arange(24)[None, :, None] + phase)
    noise = 0.2 * generator.standard_normal(waves.shape)
    return (3 * (waves + noise) + 2).astype(np.float32), labels


def table() -> tuple[Array, Array]:
    """Return four columns of very different units (N, 4) float32, and classes."""
    generator, count = np.random.default_rng(2), sum(SIZES.values())
    z = generator.standard_normal((count, 4))
    score = 1.5 * z[:, 0] - 2 * z[:, 1] + z[:, 2]
    labels = np.digitize(score, np.quantile(score, [0.25, 0.5, 0.75]))
    units = np.array([20000, 0.001, 1, 5]), np.array([50000, 0.002, 0, -300])
    return (z * units[0] + units[1]).astype(np.float32), labels


DATA: dict[str, tuple[Callable[[], tuple[Array, Array]], float, str]] = {
    # name -> samples; what the network sees of them; model.input_range
    "unit": (pictures, 1 / 255, "as_is"),
    "raw": (pictures, 1.0, "auto"),
    "series": (series, 1.0, "raw"),
    "table": (table, 1.0, "auto"),
}


def _picture(body: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def build(k: Any) -> Any:
        first = k.Input((16, 16, 3))
        x = body(k.layers, first)
        x = k.layers.GlobalAveragePooling2D()(x) if len(x.shape) == 4 else x
        x = k.layers.Dense(16, activation="relu")(x)
        return k.Model(first, k.layers.Dense(4, activation="softmax")(x))

    return build


def _series(body: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    def build(k: Any) -> Any:
        first = k.Input((24, 3))
        x = body(k.layers, first)
        x = k.layers.GlobalAveragePooling1D()(x) if len(x.shape) == 3 else x
        return k.Model(first, k.layers.Dense(4, activation="softmax")(x))

    return build


def _adapted(k: Any, shape: tuple[int, ...], make: Callable[[], tuple[Array, Array]]) -> Any:
    layer = k.layers.Normalization(axis=-1)
    layer.adapt(make()[0][: SIZES["train"]].astype(np.float32))
    return layer


def _normalized_table(k: Any) -> Any:
    first = k.Input((4,))
    x = k.layers.Dense(24, activation="relu")(_adapted(k, (4,), table)(first))
    x = k.layers.ReLU()(k.layers.BatchNormalization()(k.layers.Dense(12)(x)))
    return k.Model(first, k.layers.Dense(4, activation="softmax")(x))


def _normalized_pictures(k: Any) -> Any:
    layer = _adapted(k, (16, 16, 3), pictures)
    return _picture(lambda L, x: L.Conv2D(16, 3, strides=2, activation="relu")(layer(x)))(k)


def _nested(k: Any) -> Any:
    base = _picture(lambda L, x: L.DepthwiseConv2D(3, activation="relu")(_conv(L, x)))(k)
    features = k.Sequential([k.Model(base.inputs, base.layers[-2].output)])
    return k.Sequential([features, k.Sequential([k.layers.Dense(4, activation="softmax")])])


def _reshaped(k: Any) -> Any:
    base = _picture(_conv)(k)
    x = k.layers.Flatten()(k.layers.Reshape((1, 1, 4))(base.outputs[0]))
    return k.Model(base.inputs, x)


def _two_outputs(k: Any) -> Any:
    base = _picture(_conv)(k)
    return k.Model(base.inputs, [base.outputs[0], k.layers.Dense(1)(base.layers[-2].output)])


def _attention(L: Any, x: Any) -> Any:
    x = L.Dense(12)(x)
    return L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 6)(x, x)]))


def _squeeze(L: Any, x: Any) -> Any:
    x = _conv(L, x)
    weight = L.Dense(16, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(x))
    return L.Multiply()([x, weight])


def _conv(L: Any, x: Any, **settings: Any) -> Any:
    return L.Conv2D(16, 3, **({"activation": "relu", "strides": 2} | settings))(x)


PICTURES: dict[str, Callable[[Any, Any], Any]] = {
    "conv": _conv,
    "transposed": lambda L, x: L.Conv2DTranspose(8, 3, strides=2, activation="relu")(_conv(L, x)),
    "grouped": lambda L, x: L.Conv2D(16, 3, groups=4, activation="relu")(_conv(L, x)),
    "dilated": lambda L, x: L.Conv2D(16, 3, dilation_rate=2, activation="relu")(_conv(L, x)),
    "separable": lambda L, x: L.SeparableConv2D(16, 3, activation="relu")(_conv(L, x)),
    "depthwise": lambda L, x: L.DepthwiseConv2D(3, activation="relu")(_conv(L, x)),
    "prelu": lambda L, x: L.PReLU(shared_axes=[1, 2])(_conv(L, x, activation=None)),
    "leaky_relu": lambda L, x: L.LeakyReLU()(_conv(L, x, activation=None)),
    "elu": lambda L, x: L.ELU()(_conv(L, x, activation=None)),
    "silu": lambda L, x: _conv(L, x, activation="silu"),
    "batch_norm": lambda L, x: L.ReLU()(L.BatchNormalization()(_conv(L, x, activation=None))),
    "group_norm": lambda L, x: L.GroupNormalization(4)(_conv(L, x)),
    "squeeze_excite": _squeeze,
    "upsampled": lambda L, x: _conv(L, L.UpSampling2D(2)(_conv(L, x))),
    "flattened": lambda L, x: L.Flatten()(L.MaxPooling2D(2)(_conv(L, x))),
    "padded": lambda L, x: _conv(L, L.ZeroPadding2D(1)(L.Cropping2D(1)(x))),
    "dropped": lambda L, x: L.Dropout(0.2)(_conv(L, L.GaussianNoise(0.05)(x))),
    "concatenated": lambda L, x: L.Concatenate()([_conv(L, x), _conv(L, x)]),
}
SERIES: dict[str, Callable[[Any, Any], Any]] = {
    "conv1d": lambda L, x: L.Conv1D(16, 3, activation="relu")(x),
    "causal": lambda L, x: L.Conv1D(16, 3, padding="causal", dilation_rate=2)(x),
    "lstm": lambda L, x: L.LSTM(12)(x),
    "gru": lambda L, x: L.GRU(12)(x),
    "gru_reset_before": lambda L, x: L.GRU(12, reset_after=False)(x),
    "simple_rnn": lambda L, x: L.SimpleRNN(12)(x),
    "backward": lambda L, x: L.LSTM(12, go_backwards=True)(x),
    "bidirectional": lambda L, x: L.Bidirectional(L.LSTM(8))(x),
    "bidirectional_sum": lambda L, x: L.Bidirectional(
        L.GRU(8, return_sequences=True), merge_mode="sum"
    )(x),
    "masked": lambda L, x: L.LSTM(12)(L.Masking(0.0)(x)),
    "time_distributed": lambda L, x: L.TimeDistributed(L.Dense(12, activation="relu"))(x),
    "attention": _attention,
}


def _raw(L: Any, x: Any) -> Any:
    return _conv(L, L.Rescaling(1 / 127.5, -1.0)(x))


def _resized(L: Any, x: Any) -> Any:
    return _conv(L, L.Resizing(24, 24)(L.Rescaling(1 / 255)(x)))


CASES: dict[str, Case] = {
    **{name: Case(keras, _picture(body)) for name, body in PICTURES.items()},
    **{name: Case(keras, _series(body), "series") for name, body in SERIES.items()},
    "rescaling": Case(keras, _picture(_raw), "raw"),
    "resizing": Case(keras, _picture(_resized), "raw"),
    "normalization": Case(keras, _normalized_pictures, "raw"),
    "normalized_table": Case(keras, _normalized_table, "table"),
    "nested": Case(keras, _nested),
    "reshaped_softmax": Case(keras, _reshaped),
    "two_outputs": Case(keras, _two_outputs, is_refused=True),
    "k2_depthwise_h5": Case(tf_keras, _picture(PICTURES["depthwise"]), suffix=".h5"),
    "k2_saved_model": Case(tf_keras, _picture(PICTURES["separable"]), suffix=""),
    "k2_keras": Case(tf_keras, _picture(PICTURES["batch_norm"])),
    "k2_nested": Case(tf_keras, _nested, suffix=".h5"),
    "k2_arithmetic": Case(
        tf_keras, _picture(lambda L, x: _conv(L, x / 127.5 - 1.0)), "raw", suffix=".h5"
    ),
    "k2_normalized_table": Case(tf_keras, _normalized_table, "table", suffix=".h5"),
    "k2_gru": Case(tf_keras, _series(SERIES["gru"]), "series", suffix=".h5"),
}


def split(values: Array) -> Iterator[tuple[str, Array]]:
    """Yield the name of each part and its values."""
    start = 0
    for part, count in SIZES.items():
        yield part, values[start : start + count]
        start += count


def prepare(name: str, case: Case, work: Path) -> tuple[Path, Path, float]:
    """Train a network; return its file, a config for it, and its test accuracy."""
    case.namespace.utils.set_random_seed(0)
    make, factor, asked = DATA[case.data]
    x, y = make()
    model = case.build(case.namespace)
    path = work / f"{name}{case.suffix}"
    xs = dict(split(x.astype(np.float32) * np.float32(factor)))
    ys = dict(split(y))
    accuracy = float("nan")
    if not case.is_refused:
        model.compile(case.namespace.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
        model.fit(xs["train"], ys["train"], epochs=EPOCHS, verbose=0)
        outputs = np.asarray(model(xs["test"], training=False))
        accuracy = float((outputs.argmax(axis=1) == ys["test"]).mean())
    model.save(path, **({} if case.suffix else {"save_format": "tf"}))
    arrays = {f"x_{part}": v for part, v in split(x)} | {f"y_{part}": v for part, v in split(y)}
    np.savez(work / f"{case.data}.npz", **arrays)
    source = {"kind": "npz", "path": f"{case.data}.npz", "inputs": ["x"], "label": "y"}
    source["class_names"] = ["c0", "c1", "c2", "c3"]
    data = json.dumps({"source": source, "split": {"by": "given"}})
    network = json.dumps({"kind": "file", "path": path.name, "input_range": asked})
    config = work / f"{name}.yaml"
    head = f"name: {case.data}\nseed: 0\ntask: classification\n"
    config.write_text(f"{head}data: {data}\nmodel: {network}\n{ALONE}")
    return path, config, accuracy


def quantize(path: Path, config: Path, work: Path) -> tuple[int, str]:
    """Return exit code and text of `edgeline quantize`."""
    command = [sys.executable, "-m", "pipeline", "quantize", path, "--data", config]
    folders = ["--runs", work / "runs", "--exported", work / "exported"]
    done = subprocess.run(
        [*map(str, [*command, *folders])],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        cwd=ROOT,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def line(name: str, work: Path) -> bool:
    """Print one network's line; return whether it is as wanted."""
    case = CASES[name]
    path, config, given = prepare(name, case, work)
    code, text = quantize(path, config, work)
    (work / f"{name}.log").write_text(text)
    found = METRICS.search(text)
    said = next((row for row in reversed(text.splitlines()) if row.strip()), "")
    if found is None:
        is_right = case.is_refused and code == 2
        print(f"| {name} | {given:.4f} | refused ({code}) | | {said[:160]} |", flush=True)
        return is_right
    reference, _, int8 = map(float, found.groups())
    is_right = abs(reference - given) < 1e-3 and code in (0, 3) and not case.is_refused
    mark = "same" if is_right else "DIFFERS"
    print(f"| {name} | {given:.4f} | {reference:.4f} | {int8:.4f} | {mark} |", flush=True)
    return is_right


def main() -> None:
    """Print the table; exit 1 where a line is not as wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path(tempfile.mkdtemp(prefix="adopted-")))
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    print("| network | as given | reference | int8 | |\n|---|---|---|---|---|", flush=True)
    wrong = [name for name in asked.only if not line(name, asked.work)]
    sys.exit(f"not as wanted: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
