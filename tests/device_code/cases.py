"""Models of every kind for the C library; raw samples to try it with: good, odd and hostile."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.arrays import Array
from pipeline.documents.manifest import ModelFile
from pipeline.documents.preprocess import Preprocess
from tests.documents.manifests import make_manifest
from tests.documents.preprocess import preprocess_of

Draw = Callable[[np.random.Generator], Array]
LABELS = ["low", "middle", 'high "?" \\ */']
ODD = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38, -3e38, 1e-40, -1.0, 0.5, 7.0], np.float32)


@dataclass(frozen=True)
class Case:
    """One model: its documents, and how a raw sample of each input is drawn."""

    preprocess: Preprocess
    file: ModelFile
    draw: Mapping[str, Draw]

    def sample(self, count: int, seed: int) -> dict[str, list[Array]]:
        """Return name -> raw samples (...), whose sizes may differ."""
        rng = np.random.default_rng(seed)
        return {name: [draw(rng) for _ in range(count)] for name, draw in self.draw.items()}


def tensor(
    name: str, shape: list[int], dtype: str = "int8", scale: float | None = 0.03, zero: int = -5
) -> dict[str, Any]:
    """Return a tensor of a .tflite file; float32 and int32 ones are not quantized."""
    is_plain = dtype in ("float32", "int32")
    steps = {"scale": None if is_plain else scale, "zero_point": None if is_plain else zero}
    return {"name": name, "shape": [1, *shape], "dtype": dtype} | steps


OUTPUT = tensor("y", [3], "int8", 1 / 256, -128)


def case(
    entries: list[dict[str, Any]],
    tensors: list[dict[str, Any]],
    draw: Mapping[str, Draw],
    *,
    output: dict[str, Any] = OUTPUT,
    form: str = "int8",
    **others: Any,
) -> Case:
    """Return a case with three classes, unless `others` say otherwise of preprocess.json."""
    preprocess = preprocess_of(entries, **({"labels": LABELS} | others))
    model = {"format": form, "inputs": tensors, "output": output, "ops": {}}
    told = {"name": "m", "ships": form, "models": [model], "preprocess": preprocess.dump()}
    return Case(preprocess, make_manifest(told).models[0], draw)


def rows(*shape: int, scale: float = 3.0, odd: float = 0.02) -> Draw:
    """Draw numbers, a few of them odd."""

    def draw(rng: np.random.Generator) -> Array:
        values = rng.normal(0, scale, shape).astype(np.float32)
        if rng.random() < 0.5:
            return values
        return np.where(rng.random(shape) < odd, rng.choice(ODD, shape), values)

    return draw


def table_rows(rng: np.random.Generator) -> Array:
    """Draw a row with categories in columns 1 and 4, right ones mostly."""
    row = rows(6, odd=0.1)(rng)
    for column, last in ((1, 3), (4, 1)):
        row[column] = rng.integers(-1, last + 1) if rng.random() < 0.9 else rng.choice(ODD)
    return row


def codes(rng: np.random.Generator) -> Array:
    row = rng.integers(-1, 2, 2).astype(np.float32)
    return row if rng.random() < 0.8 else np.where(rng.random(2) < 0.5, rng.choice(ODD, 2), row)


def pixels(*most: int, channels: int, dtype: str = "uint8", any_size: bool = True) -> Draw:
    """Draw an image of any size up to a height and width."""

    def draw(rng: np.random.Generator) -> Array:
        size = most if rng.random() < 0.3 or not any_size else rng.integers(0, np.array(most) * 5)
        top = np.iinfo(dtype).max
        if rng.random() < 0.2:
            return np.full((*size, channels), rng.choice([0, top]), dtype)
        return rng.integers(0, top + 1, (*size, channels)).astype(dtype)

    return draw


def sound(rng: np.random.Generator) -> Array:
    """Draw noise, a loud or faint tone, silence or nothing, of some length."""
    length = int(rng.choice([0, 1, 17, 399, 400, 401, 900]))
    time, loud = np.arange(length), 10 ** rng.uniform(0, 4.5)
    tone = loud * np.sin(rng.uniform(0, 3) * time)
    noise = rng.normal(0, 10 ** rng.uniform(-1, 4.5), length)
    wave = tone if rng.random() < 0.5 else noise if rng.random() < 0.8 else 0 * tone
    return np.clip(np.round(wave), -32768, 32767).astype(np.int16)


SNIPPETS = [
    b"hello", b"HELLO", b"!", b" ", "ünd".encode(), "ÜND".encode(), b"\0", b"\xff", b"\xe2\x82",
    "€".encode(), "😀".encode(), b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf", b"a", b"zz",
    b"-", b"~", b"\x7f", b"9", b"\t",
]  # fmt: skip


def text(rng: np.random.Generator) -> Array:
    parts = [SNIPPETS[i] for i in rng.integers(0, len(SNIPPETS), rng.integers(0, 9))]
    return np.frombuffer(b"".join(parts) + b"\0" * int(rng.integers(0, 3)), np.uint8)


COLUMNS = [
    {"low": -1.0, "high": 5.0, "offset": 0.3, "scale": 1.7, "impute_value": 0.25},
    {"kind": "category", "values": ["a", "b b", 'c"?\\', "ü"], "category_index": [0, 2, 1, 2]},
    {"encoding": "quantile", "knots": [-2.0, -1.0, 1.0, 2.5], "width": 1, "impute_value": 0.7}
    | {"quantile_values": [-1.7, -1.0, 0.1, 1.3]},
    {"encoding": "piecewise", "edges": [-1.0, 0.1, 2.5], "width": 2, "impute_value": 0.7},
    {"kind": "category", "values": ["x", "*/ y"], "width": 3},
    {"encoding": "standard", "low": -9.0, "high": 9.0, "offset": -0.1, "scale": 0.31}
    | {"impute_value": -0.5},
]
WIDTH = 1 + 5 + 1 + 2 + 3 + 1
CHANNELS = [
    {"low": -3.0, "high": 4.0, "offset": 0.2, "scale": 0.7},
    {"encoding": "quantile", "knots": [-2.0, 0.0, 3.0], "quantile_values": [-1.0, 0.2, 1.1]}
    | {"width": 1, "impute_value": 0.0},
]
LIMITS = {"median": None, "bit_depth": None, "levels": None, "range": "clip"}


def squeeze(**rule: Any) -> dict[str, Any]:
    """Return `sanitize` of an input."""
    return {"sanitize": LIMITS | {"limits": None} | rule}


SPAN = [[-6.0, 6.0], [-7.0, 7.0]]
LEVELS = [[-1.0, 0.0, 1.5], None]
ABSTAIN = {"abstain": {"int8": {"temperature": 1.3, "threshold": 0.34}}}
SERIES = {"name": "s", "kind": "series", "shape": [12, 2], "columns": CHANNELS}
IMAGE = {"name": "image", "kind": "image", "shape": [8, 9, 3]}
AUDIO = {"name": "sound", "kind": "audio"}
SPEECH = {
    "sample_rate": 16000, "samples": 16000, "window": 480, "stride": 320, "fft": 512,
    "low_hz": 20.0, "high_hz": 8000.0, "bins": 40, "shape": [49, 40, 1],
    "offset": [0.0] * 40, "scale": [1.0] * 40,
}  # fmt: skip
TEXT = {"name": "text", "kind": "tokens"}
VALUE = {"labels": None, "target": {"offset": 12.5, "scale": 3.25}}
FORECAST = VALUE | {"target": {"offset": 0.5, "scale": 3.25, "channel": 1, "horizon": 2}}
ONE = tensor("y", [1], "int8", 0.02, 7)
NORMAL = ["normal", "anomalous"]


def anomaly(score: str) -> dict[str, Any]:
    found = {"score": score, "threshold": 0.25, "input_range": [-1.5, 2.0]}
    return {"labels": NORMAL, "anomaly": found}


def plain(columns: int, **others: Any) -> dict[str, Any]:
    offset = [0.1 * i for i in range(columns)]
    scale = [1.5 + i for i in range(columns)]
    return {
        "name": "x",
        "kind": "table",
        "shape": [columns],
        "offset": offset,
        "scale": scale,
    } | others


CASES = {
    "table": case([plain(4)], [tensor("x", [4])], {"x": rows(4)}),
    "table_float32": case(
        [plain(4)], [tensor("x", [4], "float32")], {"x": rows(4)}, form="float32"
    ),
    "table_abstains": case(
        [plain(2, **squeeze(limits=SPAN, range="abstain", levels=LEVELS))],
        [tensor("x", [2], "int16", 0.001, 0)], {"x": rows(2)}, **ABSTAIN,
    ),
    "table_refuses": case(
        [plain(2, **squeeze(limits=SPAN, range="refuse"))], [tensor("x", [2])], {"x": rows(2)}
    ),
    "columns": case(
        [{"name": "class", "kind": "columns", "shape": [WIDTH], "columns": COLUMNS}],
        [tensor("class", [WIDTH])], {"class": table_rows},
    ),
    "numbers": case(
        [{"name": "x", "kind": "columns", "shape": [3], "columns": [COLUMNS[0]] * 3}
         | squeeze(limits=[[-9.0, 9.0], None, [-1.0, 1.0]], range="abstain")],
        [tensor("x", [3])], {"x": rows(3)},
    ),
    "quantiles": case(
        [{"name": "x", "kind": "columns", "shape": [2], "columns": [COLUMNS[2]] * 2}
         | squeeze(levels=LEVELS)],
        [tensor("x", [2])], {"x": rows(2)},
    ),
    "intervals": case(
        [{"name": "x", "kind": "columns", "shape": [4], "columns": [COLUMNS[3]] * 2}],
        [tensor("x", [4])], {"x": rows(2)},
    ),
    "categories": case(
        [{"name": "x", "kind": "columns", "shape": [6], "missing": []}
         | {"columns": [COLUMNS[4], {"kind": "category", "values": [], "width": 3}]}],
        [tensor("x", [6])], {"x": codes},
    ),
    "codes": case(
        [
            {"name": "x", "kind": "codes", "shape": [2], "columns": [
                {"kind": "category", "values": ["a", "b"], "offset": 0},
                {"kind": "category", "values": ["a", "b"], "offset": 3},
            ]}
        ],
        [tensor("x", [2], "int32")], {"x": codes},
    ),
    "series": case([SERIES], [tensor("s", [12, 2])], {"s": rows(12, 2)}),
    "series_of_one": case(
        [{"name": "s", "kind": "series", "shape": [9, 1], "columns": CHANNELS[1:]}
         | squeeze(limits=[[-4.0, 4.0]], levels=[[-1.0, 0.0, 1.0]], range="refuse")],
        [tensor("s", [9, 1])], {"s": rows(9, 1, scale=1.5)},
    ),
    "series_own_scale": case(
        [SERIES | {"per_window_standardize": True}], [tensor("s", [12, 2], "uint8", 0.02, 120)],
        {"s": rows(12, 2)},
    ),
    "series_squeezed": case(
        [SERIES | squeeze(median=3, levels=LEVELS, limits=SPAN, range="abstain")],
        [tensor("s", [12, 2])], {"s": rows(12, 2, odd=0.1)},
    ),
    "forecast": case([SERIES], [tensor("s", [12, 2])], {"s": rows(12, 2)}, output=ONE, **FORECAST),
    "anomaly": case(
        [SERIES], [tensor("s", [12, 2])], {"s": rows(12, 2)},
        output=tensor("y", [12, 2]), **anomaly("reconstruction"),
    ),
    "anomaly_forecast": case(
        [SERIES], [tensor("s", [11, 2])], {"s": rows(12, 2)},
        output=tensor("y", [2], "int8", 0.04, 2), **anomaly("forecast"),
    ),
    "image": case(
        [IMAGE], [tensor("image", [8, 9, 3], "int8", 1 / 255, -128)],
        {"image": pixels(8, 9, channels=3)},
    ),
    "image_float32": case(
        [IMAGE | {"shape": [8, 9, 1], "offset": 3.5}], [tensor("image", [8, 9, 1], "float32")],
        {"image": pixels(8, 9, channels=1)}, form="float32",
    ),
    "image_squeezed": case(
        [IMAGE | squeeze(median=3, bit_depth=3)], [tensor("image", [8, 9, 3], "uint8", 1 / 255, 0)],
        {"image": pixels(8, 9, channels=3)},
    ),
    "image_16": case(
        [IMAGE | {"raw_dtype": "uint16", "scale": 1 / 65535} | squeeze(bit_depth=4)],
        [tensor("image", [8, 9, 3])],
        {"image": pixels(8, 9, channels=3, dtype="uint16", any_size=False)},
    ),
    "image_detector": case(
        [IMAGE | squeeze(median=3, bit_depth=3)], [tensor("image", [8, 9, 3])],
        {"image": pixels(8, 9, channels=3)}, detector={"int8": 0.4},
    ),
    "words": case(
        [TEXT | {"shape": [6], "vocabulary": ["hello", "!", "ünd", "a", "-"]}],
        [tensor("text", [6], "int32")], {"text": text},
    ),
    "characters": case(
        [
            TEXT | {"shape": [6], "unit": "characters", "lower": False}
            | {"vocabulary": ["h", "!", "ü", "\ufffd", "😀"]} | squeeze(range="abstain")
        ],
        [tensor("text", [6], "int32")], {"text": text},
    ),
    "no_vocabulary": case(
        [TEXT | {"shape": [3]}], [tensor("text", [3], "int32")], {"text": text}
    ),
    "sound": case(
        [AUDIO], [tensor("sound", [4, 2, 1], "float32")], {"sound": sound}, form="float32"
    ),
    "mfcc": case(
        [
            AUDIO | {"features": "mfcc", "bins": 9, "coefficients": 5, "shape": [5, 5, 1]}
            | {"window": 120, "stride": 70, "offset": [0.5] * 5, "scale": [0.3] * 5}
        ],
        [tensor("sound", [5, 5, 1], "float32")], {"sound": sound}, form="float32",
    ),
    "speech": case(
        [AUDIO | SPEECH], [tensor("sound", [49, 40, 1], "float32")],
        {"sound": lambda rng: rng.integers(-9000, 9000, 16000).astype(np.int16)}, form="float32",
    ),
    "sound_squeezed": case(
        [AUDIO | squeeze(median=5, bit_depth=6)], [tensor("sound", [4, 2, 1], "float32")],
        {"sound": sound}, form="float32",
    ),
    "value": case(
        [plain(3, raw_dtype="int16", offset=0.5, scale=0.1)],
        [tensor("x", [3])], {"x": lambda rng: rng.integers(-300, 300, 3).astype(np.int16)},
        output=ONE, **VALUE,
    ),
    "two_inputs": case(
        [
            plain(2, **squeeze(limits=SPAN, range="abstain")),
            TEXT | {"name": "x y", "shape": [4], "vocabulary": ["hello", "a"]},
        ],
        [tensor("x y", [4], "int32"), tensor("x", [2])], {"x": rows(2), "x y": text},
    ),
}  # fmt: skip
