"""Write small generated sets, one in each form in which people have data: `make generated`.

They are for trying things out and for tests, where no set lies at hand; the same seed gives the
same bytes. What a model reaches on them says nothing about real data.
"""

import csv
import json
import sys
import wave
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import write_arrays

Generator = np.random.Generator

RATES = (8000, 16_000)  # of the recordings, in samples a second
START = datetime(2026, 1, 1)
WORDS = {
    "spam": "win free prize now claim cash offer call txt urgent bonus",
    "ham": "see you tonight lunch home meeting thanks tomorrow ok train late",
}
COMMON = ["the", "a", "to", "is", "it", "we", "for", "and", "on", "are"]


def generate(folder: Path, *, seed: int = 0) -> None:
    """Write every set below `folder`."""
    for name, write in SETS.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place, np.random.Generator(np.random.Philox(seed)))


def tones(folder: Path, generator: Generator) -> None:
    """Write recordings of low, high and rising tones, of other sounds, and of background noise."""
    for label in ("low", "high", "rising", "click", "hiss"):
        for number in range(60):
            rate = RATES[number % 2]
            time = np.arange(int(rate * generator.uniform(0.4, 1.1))) / rate
            sound = _tone(label, time, generator) * generator.uniform(2000, 20_000)
            sound += generator.normal(0, 200, len(time))
            speaker = ["anna", "bert", "cleo", "dave"][number % 4]
            _write_wav(folder / label / f"{label}_{speaker}_{number}.wav", sound, rate)
    noise = generator.normal(0, 400, 5 * RATES[0]).cumsum() % 4000 - 2000
    _write_wav(folder / "_background_noise_" / "hum.wav", noise, RATES[0])


def _tone(label: str, time: Array, generator: Generator) -> Array:
    pitch = {"low": 300.0, "high": 1500.0}.get(label, 500.0) * generator.uniform(0.85, 1.15)
    if label == "rising":
        return np.asarray(np.sin(2 * np.pi * pitch * (time + 1.5 * time**2)))
    if label == "hiss":
        return generator.normal(0, 0.3, len(time))
    if label == "click":
        return np.where((time * 12) % 1 < 0.02, 1.0, 0.0)
    return np.asarray(np.sin(2 * np.pi * pitch * time))


def _write_wav(path: Path, sound: Array, rate: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        file.writeframes(np.clip(np.round(sound), -32768, 32767).astype("<i2").tobytes())


def gestures(folder: Path, generator: Generator) -> None:
    """Write recordings of x and y of different lengths: circles, lines, zigzags."""
    for label in ("circle", "line", "zigzag"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(80):
            t = np.linspace(0, 1, int(generator.integers(40, 120)))
            path = {
                "circle": (np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)),
                "line": (2 * t - 1, 0.3 * t),
                "zigzag": (2 * t - 1, np.abs((4 * t) % 2 - 1) - 0.5),
            }[label]
            xy = np.stack(path, axis=1) * generator.uniform(0.6, 1.4)
            xy += generator.normal(0, 0.15, xy.shape)
            rows = [[f"{x:.4f}", f"{y:.4f}"] for x, y in xy]
            _write_csv(folder / label / f"{number:03d}.csv", ["x", "y"], rows)


def machines(path: Path, generator: Generator) -> None:
    """Write a table of machines: numbers with heavy tails and gaps, categories, an id column."""
    rows = []
    for number in range(2000):
        mode = str(generator.choice(["eco", "normal", "boost"], p=[0.3, 0.6, 0.1]))
        vibration = float(generator.lognormal(0, 1.2))
        hours = float(generator.uniform(0, 9000))
        wear = 0.9 * np.log(vibration) + hours / 3000 + (mode == "boost") + generator.normal(0, 0.6)
        known = "" if generator.random() < 0.03 else f"{hours:.0f}"
        temperature = 40 + 8 * wear + generator.normal(0, 6)
        state = "worn" if wear > 2.2 else "ok"
        plant = f"plant{number % 12}"
        rows.append(
            [f"M{number:05d}", plant, mode, f"{temperature:.1f}", f"{vibration:.3f}", known, state]
        )
    header = ["serial", "plant", "mode", "temperature", "vibration", "hours", "state"]
    _write_csv(path, header, rows)


def transactions(path: Path, generator: Generator) -> None:
    """Write a table of card payments, 2 in 100 of them fraud, with what a bank knows of each.

    A fraud is dearer, farther away, later at night, on younger accounts and in bursts, on average;
    honest payments do all of that, too. The distributions are made up.
    """
    count = 20_000
    is_fraud = generator.random(count) < 0.02
    amount = generator.lognormal(np.where(is_fraud, 4.3, 3.4), np.where(is_fraud, 0.9, 0.9))
    distance = generator.gamma(np.where(is_fraud, 0.9, 0.7), np.where(is_fraud, 40.0, 14.0))
    hour = np.round(generator.normal(np.where(is_fraud, 21.0, 15.0), 6.0)).astype(int) % 24
    days = generator.gamma(np.where(is_fraud, 1.2, 2.2), np.where(is_fraud, 420.0, 620.0))
    today = generator.poisson(np.where(is_fraud, 2.8, 1.2))
    pins = generator.poisson(np.where(is_fraud, 0.4, 0.05))
    shops = np.array(["grocery", "fuel", "restaurant", "online", "electronics", "travel"])
    usual = np.cumsum([0.30, 0.15, 0.20, 0.20, 0.05, 0.10])
    odd = np.cumsum([0.15, 0.10, 0.10, 0.35, 0.20, 0.10])
    drawn = generator.random(count)
    place = np.where(is_fraud, np.searchsorted(odd, drawn), np.searchsorted(usual, drawn))
    columns = [
        [f"{x:.2f}" for x in amount],
        [f"{x:.1f}" for x in distance],
        *([str(x) for x in whole] for whole in (hour, days.astype(int), today, pins)),
        shops[np.minimum(place, len(shops) - 1)].tolist(),
        np.where(is_fraud, "fraud", "honest").tolist(),
    ]
    header = ["amount", "distance_km", "hour", "account_days", "payments_today", "wrong_pins"]
    _write_csv(path, [*header, "merchant", "class"], zip(*columns, strict=True))


def sensors(folder: Path, generator: Generator) -> None:
    """Write timestamped series in a file each, and the windows of their anomalies."""
    folder.mkdir(parents=True, exist_ok=True)
    windows = {}
    for number in range(6):
        count = 1500
        values = 10 * number + np.sin(np.arange(count) * 2 * np.pi / 48)
        values += generator.normal(0, 0.2, count)
        spans = []
        for start in range(100, count - 40, 120):
            at = start + int(generator.integers(0, 60))
            values[at : at + 12] += generator.choice([-3.0, 3.0])
            spans.append([_moment(at), _moment(at + 11)])
        windows[f"sensor{number}.csv"] = spans
        rows = [[_moment(i), f"{value:.3f}"] for i, value in enumerate(values)]
        _write_csv(folder / f"sensor{number}.csv", ["timestamp", "value"], rows)
    (folder / "anomalies.json").write_text(json.dumps(windows, indent=1))


def load(path: Path, generator: Generator) -> None:
    """Write one series with a daily and a weekly rhythm, to be forecast."""
    hours = np.arange(24 * 7 * 12)
    values = 100 + 20 * np.sin(2 * np.pi * hours / 24) + 8 * np.sin(2 * np.pi * hours / 168)
    values += generator.normal(0, 1.5, len(hours))
    rows = [[_moment(12 * int(h)), f"{value:.2f}"] for h, value in zip(hours, values, strict=True)]
    _write_csv(path, ["timestamp", "load"], rows)


def _moment(step: int) -> str:
    return (START + timedelta(minutes=5 * step)).isoformat(sep=" ")


def messages(path: Path, generator: Generator) -> None:
    """Write short texts, tab-separated with their label first."""
    rows = []
    for number in range(1500):
        label = "spam" if number % 4 == 0 else "ham"
        count = int(generator.integers(4, 14))
        words = [
            str(generator.choice(WORDS[label].split() if generator.random() < 0.4 else COMMON))
            for _ in range(count)
        ]
        rows.append([label, " ".join(words) + ("!" if generator.random() < 0.3 else "")])
    _write_csv(path, ["label", "text"], rows, delimiter="\t")


def shapes(path: Path, generator: Generator) -> None:
    """Write pictures of squares, crosses and rings as arrays, with a train and a test part."""
    for_part: dict[str, Array] = {}
    for part, count in (("train", 900), ("test", 300)):
        labels = np.arange(count) % 3
        images = np.stack([_shape(int(label), generator) for label in labels])
        for_part |= {f"x_{part}": images, f"y_{part}": labels}
    write_arrays(path, for_part)


def pictures(folder: Path, generator: Generator) -> None:
    """Write the same kinds of pictures as .png files in class folders."""
    from PIL import Image

    for label, name in enumerate(("square", "cross", "ring")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(80):
            image = Image.fromarray(_shape(label, generator))
            side = int(generator.integers(16, 40))
            image.resize((side, side)).save(folder / name / f"{number:03d}.png")


def _shape(label: int, generator: Generator) -> Array:
    """Return a 16x16 picture of a shape at a random place, with noise."""
    down, right = generator.integers(-3, 4, 2)
    y, x = np.mgrid[-8:8, -8:8]
    y, x = np.abs(y - down), np.abs(x - right)
    masks = (
        np.maximum(x, y) <= 4,
        ((x <= 1) | (y <= 1)) & (np.maximum(x, y) <= 5),
        (x**2 + y**2 <= 25) & (x**2 + y**2 >= 9),
    )
    image = 200.0 * masks[label] + generator.normal(30, 25, (16, 16))
    return np.clip(image, 0, 255).astype(np.uint8)


def net(path: Path, generator: Generator) -> None:
    """Write a small network as somebody else might have trained it: for `model.kind: file`."""
    import keras

    from pipeline.models.save import save_keras

    layers = keras.layers
    x = first = layers.Input((16, 16, 1), name="picture")
    for number, width in enumerate((8, 16), 1):
        glorot = [keras.initializers.GlorotUniform(seed=2 * number + i) for i in range(2)]
        x = layers.SeparableConv2D(
            width,
            3,
            padding="same",
            depthwise_initializer=glorot[0],
            pointwise_initializer=glorot[1],
            name=f"separable_{number}",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"norm_{number}")(x)
        x = layers.Activation("silu", name=f"silu_{number}")(x)
        x = layers.MaxPooling2D(name=f"pool_{number}")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    last = layers.Dense(
        3,
        activation="softmax",
        kernel_initializer=keras.initializers.GlorotUniform(seed=0),
        name="classes",
    )
    model = keras.Model(first, last(x), name="net")
    shapes = [weight.shape for weight in model.get_weights()]
    model.set_weights([0.1 * generator.random(shape, np.float32) for shape in shapes])
    save_keras(model, path)


def _write_csv(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[str]], *, delimiter: str = ","
) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


SETS: dict[str, Callable[[Path, Generator], None]] = {
    "tones": tones,
    "gestures": gestures,
    "machines.csv": machines,
    "transactions.csv": transactions,
    "sensors": sensors,
    "load.csv": load,
    "messages.tsv": messages,
    "shapes.npz": shapes,
    "pictures": pictures,
    "net.keras": net,
}


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
