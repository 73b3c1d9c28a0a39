"""The page's preprocessing and decisions in JavaScript are the runner's, sample by sample."""

import base64
import json
import re
import shutil
import subprocess
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.artifacts import write_arrays
from pipeline.bundle.web import PAGE
from pipeline.ondevice.audio import fit_sound_length, resample_sound
from pipeline.ondevice.decide import OUTSIDE, SUSPECT, UNSURE
from pipeline.ondevice.files import prefix_errors
from pipeline.ondevice.image import decode_image
from pipeline.ondevice.quantize import quantize
from pipeline.samples.columns import fit_category
from pipeline.samples.numbers import fit_number, fit_piecewise
from tests.device.lenient import (
    decide_outputs,
    decide_samples,
    decode_outputs,
    mask_detector_inputs,
    prepare_input,
    read_samples,
)
from tests.device.test_sanitize import AUDIO, IMAGE, ROWS, SERIES, TABLE, WORDS
from tests.device.test_sound import audio_entry

PROGRAM = Path(__file__).with_name("web.mjs")
NODE = shutil.which("node")
pytestmark = pytest.mark.skipif(NODE is None, reason="no node on the PATH (Debian: nodejs)")
BANDS = 2e-6  # a logarithm and a sine differ in the last bit of float64 between two libraries
NONE = {"median": None, "bit_depth": None, "limits": None, "levels": None, "range": "clip"}
Array = np.ndarray[Any, np.dtype[Any]]


def node(folder: Path, cases: list[dict[str, Any]], arrays: Mapping[str, Any]) -> Any:
    """Return what the page's modules make of each case."""
    (folder / "cases.json").write_text(json.dumps(cases))
    write_arrays(folder / "in.npz", arrays)
    paths = [PAGE, *(folder / name for name in ("cases.json", "in.npz", "out.json"))]
    done = subprocess.run(
        [str(NODE), str(PROGRAM), *map(str, paths)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out.json").read_text())


def values(told: Mapping[str, Any]) -> Array:
    return np.frombuffer(base64.b64decode(told["data"]), told["dtype"])


def table(*columns: dict[str, Any]) -> dict[str, Any]:
    width = sum(column["width"] for column in columns)
    named = [{"name": f"c{i}", **column} for i, column in enumerate(columns)]
    return {**ROWS, "shape": [width], "columns": named}


def cases_of_kinds(rng: np.random.Generator) -> dict[str, tuple[dict[str, Any], Array]]:
    """Return name -> entry and raw samples, of every kind of input."""
    found: dict[str, tuple[dict[str, Any], Array]] = {}
    for i, (height, width, depth) in enumerate([(4, 4, 1), (37, 5, 1), (3, 300, 3), (64, 50, 3)]):
        entry = IMAGE | {"shape": [9, 13, depth]}
        found[f"image{i}"] = entry, rng.integers(0, 256, (4, height, width, depth), np.uint8)
    found["wide"] = (
        IMAGE | {"raw_dtype": "uint16", "scale": 1 / 65535},
        rng.integers(0, 65536, (3, 4, 4, 1), np.uint16),
    )
    cut = NONE | {"limits": [[-1.0, 1.5], [0.1, 0.2]]}
    scaled = TABLE | {"offset": [0.3, 1e3], "scale": [0.123, 7.7e-4]}
    found["table"] = scaled, rng.normal(0, 900, (20, 2)).astype(np.float32)
    found["cut"] = scaled | {"sanitize": cut}, rng.normal(0, 3, (20, 2)).astype(np.float32)
    known = (np.exp(rng.normal(0, 2, 900)) * 10).astype(np.float32)
    seen = np.concatenate([known[:60], [np.nan, 0, 3e38, -3e38], known[:9] * -1]).astype("f4")
    for how in ("standard", "robust", "quantile", "piecewise"):
        column = fit_piecewise(known) if how == "piecewise" else fit_number(known, how)
        found[how] = table({"kind": "number"} | column), seen[:, None]
    category = {"kind": "category"} | fit_category(rng.integers(0, 6, 90).astype("f4"), 6)
    choices = np.array([0, 1, 2, 3, 4, 5, -1, np.nan], np.float32)[:, None]
    found["category"] = table(category), choices
    found["codes"] = table(category | {"offset": 4}) | {"kind": "codes"}, choices
    series = SERIES | {"columns": [fit_number(known, "standard") | {"name": "a"}] * 2}
    recordings = rng.normal(0, 40, (6, 33, 2)).astype(np.float32)
    recordings[0, 3:9, 1] = np.nan
    found["series"] = series | {"shape": [33, 2]}, recordings
    relative = {"shape": [33, 2], "per_window_standardize": True, "floor": 1e-3}
    found["relative"] = series | relative, recordings
    alone = {"shape": [33, 1], "per_window_standardize": True, "floor": 1e-3}
    found["relative1"] = SERIES | alone, recordings[..., :1].copy()
    texts = ["Good, GOOD bad!!  été 12x", "bad", "....", "中文 good\tbad"]
    packed = [np.frombuffer(text.encode(), np.uint8) for text in texts]
    rows = np.stack([np.pad(text, (0, 40 - len(text))) for text in packed])
    found["words"] = WORDS | {"shape": [6], "vocabulary": ["good", "été", "."]}, rows
    letters = {"unit": "characters", "lower": False, "vocabulary": ["o", "é", "中"]}
    found["letters"] = WORDS | {"shape": [20]} | letters, rows
    return found


def test_every_kind_is_prepared_to_the_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    cases = cases_of_kinds(rng)
    todo = [
        {"what": "prepare", "array": name, "entry": entry} for name, (entry, _) in cases.items()
    ]
    found = node(tmp_path, todo, {name: raw for name, (_, raw) in cases.items()})
    for (name, (entry, raw)), told in zip(cases.items(), found, strict=True):
        wanted = prepare_input(raw, entry)
        ours = np.stack([values(one) for one in told]).reshape(wanted.shape)
        assert ours.dtype == wanted.dtype, name
        np.testing.assert_array_equal(ours, wanted, err_msg=name)
        assert [one["shape"] for one in told] == [list(wanted.shape[1:])] * len(raw), name


def test_what_is_squeezed_is_squeezed_to_the_bit(tmp_path: Path, rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (3, 7, 6, 3), np.uint8)
    sounds = rng.integers(-32768, 32768, (2, 900), np.int16)
    rows = rng.normal(0, 5, (3, 12, 2)).astype(np.float32)
    rows[0, :5, 0] = np.nan
    image, entry = IMAGE | {"shape": [7, 6, 3]}, SERIES | {"shape": [12, 2]}
    entry = entry | {"columns": [fit_number(rows[1, :, 1], "standard") | {"name": "a"}] * 2}
    audio = audio_entry(samples=900, window=200, stride=90)
    levels = [[-4.0, -0.5, 0.25, 3.0], None]
    rules = [(image, images, {"median": 3, "bit_depth": bits}) for bits in (1, 3, 8)]
    rules += [(audio, sounds, {"bit_depth": bits, "median": 5}) for bits in (2, 8)]
    rules += [(entry, rows, {"median": 4, "levels": levels}), (entry, rows, {"levels": levels[:1]})]
    rules += [(TABLE, rows[:, 0] * 1.5, {"levels": levels})]
    todo, arrays = [], {}
    for i, (of, raw, rule) in enumerate(rules):
        arrays[f"a{i}"] = np.nan_to_num(raw) if of is TABLE else raw
        made = of | {"sanitize": NONE | rule}
        todo.append({"what": "prepare", "array": f"a{i}", "entry": made})
    for case, told in zip(todo, node(tmp_path, todo, arrays), strict=True):
        wanted = prepare_input(arrays[case["array"]], case["entry"])
        ours = np.stack([values(one) for one in told]).reshape(wanted.shape)
        most = BANDS if case["entry"]["kind"] == "audio" else 0.0
        assert np.abs(ours - wanted).max() <= most, case


def test_sound_becomes_the_same_bands(tmp_path: Path, rng: np.random.Generator) -> None:
    frames = [(256, 128, 256), (200, 80, 256), (400, 400, 512)]
    todo, arrays = [], {"0": np.zeros((1, 4000), np.int16)}
    for level in (1, 100, 32767):
        arrays[str(level)] = rng.integers(-level, level + 1, (2, 4000)).astype(np.int16)
    for features in ("log_mel", "mfcc"):
        for window, stride, fft in frames:
            entry = audio_entry(features=features, window=window, stride=stride, fft=fft)
            todo += [{"what": "prepare", "array": name, "entry": entry} for name in arrays]
    for case, told in zip(todo, node(tmp_path, todo, arrays), strict=True):
        wanted = prepare_input(arrays[case["array"]], case["entry"])
        ours = np.stack([values(one) for one in told]).reshape(wanted.shape)
        assert np.abs(ours - wanted).max() <= BANDS


def test_sound_is_resampled_and_numbers_are_rounded_alike(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    sound = rng.normal(0, 9000, (1, 3000))
    rates = [(44100, 16000), (8000, 16000), (48000, 16000), (22050, 8000), (8000, 8000)]
    real = np.concatenate([rng.normal(0, 3, 500), np.arange(-20, 20) * 0.25]).astype("f4")[None]
    details = [("int8", 0.5, -3), ("uint8", 0.0173, 125), ("int16", 3e-4, 0), ("float32", 0.0, 0)]
    todo: list[dict[str, Any]] = [
        {"what": "resample", "array": "sound", "rate": a, "wanted": b} for a, b in rates
    ]
    todo += [
        {"what": "quantize", "array": "real", "detail": {"dtype": d, "scale": s, "zero_point": z}}
        for d, s, z in details
    ]
    todo += [{"what": "sum", "array": f"sum{n}"} for n in (0, 7, 8, 9, 128, 129, 1000)]
    sums = {f"sum{n}": rng.normal(0, 1, (1, n)) for n in (0, 7, 8, 9, 128, 129, 1000)}
    found = node(tmp_path, todo, {"sound": sound, "real": real, **sums})
    for (rate, wanted), (told,) in zip(rates, found, strict=False):
        np.testing.assert_allclose(
            values(told), resample_sound(sound[0], rate, wanted), rtol=0, atol=1e-8
        )
    for (dtype, scale, zero), (told,) in zip(details, found[len(rates) :], strict=False):
        detail = {"dtype": np.dtype(dtype).type, "quantization": (scale, zero)}
        np.testing.assert_array_equal(values(told), quantize(real[0], detail))
    for x, (told,) in zip(sums.values(), found[len(rates) + len(details) :], strict=True):
        assert values(told)[0] == x[0].sum()


WRONG: list[tuple[dict[str, Any], Any]] = [
    (IMAGE, np.zeros((1, 4, 4, 3), np.uint8)),
    (IMAGE, np.full((1, 4, 4, 1), 0.5)),
    (IMAGE, np.full((1, 4, 4, 1), 99.5)),
    (IMAGE, np.full((1, 4, 4, 1), 256)),
    (IMAGE, np.full((1, 4, 4, 1), -1)),
    (AUDIO, np.full((1, 5), 1.5)),
    (AUDIO, np.full((1, 5), np.nan)),
    (AUDIO, np.full((1, 5), 40000)),
    (TABLE, np.zeros((1, 3), np.float32)),
    (TABLE, np.array([[2, np.nan]])),
    (TABLE, np.array([[np.inf, 2]])),
    (TABLE, np.array([[1e300, 2]])),
    (ROWS, np.array([[-np.inf, 0]])),
    (ROWS, np.array([[0, 3.0]])),
    (ROWS, np.array([[0, 0.5]])),
    (ROWS, np.array([[0, -2.0]])),
    (SERIES, np.zeros((1, 2, 1), np.float32)),
    (SERIES, np.full((1, 3, 1), np.inf)),
    (WORDS, np.full((1, 4), 300)),
    (WORDS, np.zeros((1, 4))),
]


def test_what_is_refused_is_refused_in_the_same_words(tmp_path: Path) -> None:
    todo = [
        {"what": "prepare", "array": str(i), "entry": entry} for i, (entry, _) in enumerate(WRONG)
    ]
    found = node(tmp_path, todo, {str(i): raw for i, (_, raw) in enumerate(WRONG)})
    for (entry, raw), (told,) in zip(WRONG, found, strict=True):
        with pytest.raises(ValueError, match="input x: wanted ") as caught:
            prepare_input(raw, entry)
        assert told["refused"] == str(caught.value).replace("sample 1", "this sample")


def test_numbers_are_written_alike(tmp_path: Path, rng: np.random.Generator) -> None:
    sizes = 10.0 ** rng.integers(-9, 12, 60)
    numbers = np.concatenate([rng.normal(0, 1, 60) * sizes, [0, 1, -1, 1e5, 1e6, 999999.5, 1e-4]])
    ((told,),) = [node(tmp_path, [{"what": "words", "array": "x"}], {"x": numbers[None]})[0]]
    assert told == [f"{number:g}" for number in numbers]


FILES: dict[str, tuple[dict[str, Any], str]] = {
    "rows.csv": (
        {"kind": "columns"},
        'pay,color,id\n 3.5 ,"red",1\n?,blue,2\n\n1e3,"gre""en",3\n',
    ),
    "no_column.csv": ({"kind": "columns"}, "pay,other\n1,2\n"),
    "no_number.csv": ({"kind": "columns"}, "pay,color\n1,red\nmuch,red\n"),
    "short.csv": ({"kind": "columns"}, "pay,color\n1,red\n2\n"),
    "empty.csv": ({"kind": "columns"}, "pay,color\n"),
    "recording.csv": ({"kind": "series", "fit": "pad"}, "t;b;a\n0;1;2\n1;;4.5\n2;5;6\n"),
    "stretched.csv": ({"kind": "series", "fit": "resample"}, "a;b\n1;2\n3;4\n6;8\n"),
    "one.csv": ({"kind": "series", "fit": "resample"}, "a;b\n1;2\n"),
    "windows.csv": ({"kind": "series", "fit": "window"}, "a;b\n" + "1;2\n3;5\n" * 9),
    "few.csv": ({"kind": "series", "fit": "window"}, "a;b\n1;2\n"),
    "infinite.csv": ({"kind": "series", "fit": "pad"}, "a;b\n1;inf\n"),
    "ragged.csv": ({"kind": "series", "fit": "pad"}, "a;b\n1;2;3\n"),
    "comma.csv": (
        {"kind": "series", "fit": "pad", "number_format": "decimal_comma"},
        "a;b\n1,5;-2\n,25;1.234,5\n1 000,5;1.5\n1.234;1e3\n2,5e1;NA\n",
    ),
    "comma_twice.csv": (
        {"kind": "series", "fit": "pad", "number_format": "decimal_comma"},
        "a;b\n1,5,1;2\n",
    ),
    "comma_rows.csv": (
        {"kind": "columns", "delimiter": ";", "number_format": "decimal_comma"},
        "color;pay\nred;1.234,5\n?;-0,25\n",
    ),
    "thousands.csv": (
        {"kind": "columns", "number_format": "thousands"},
        'color,pay\nred,"1,234.5"\n?,"-12,345"\nblue,12\n',
    ),
    "no_thousands.csv": (
        {"kind": "columns", "number_format": "thousands"},
        'color,pay\nred,"1,5"\n',
    ),
    "texts.txt": ({"kind": "tokens"}, "good day\n\nété été été été\r\nbad"),
    "nothing.txt": ({"kind": "tokens"}, "\n"),
}


def entry_of(kind: str, **more: Any) -> dict[str, Any]:
    """Return an entry that files are read by."""
    color = {"name": "color", "kind": "category", "category_index": [0, 1], "width": 3}
    color["values"] = ["red", 'gre"en']
    columns = [{"name": "pay", "kind": "number", "values": None}, color]
    if kind == "columns":
        form = {"delimiter": ",", "strip": " ", "missing": ["", "?"], "columns": columns}
        return {"name": "x", "kind": kind, "number_format": "plain", **form, **more}
    if kind == "series":
        named = [{"name": "a"}, {"name": "b"}]
        form = {
            "number_format": "plain",
            "delimiter": ";",
            "header": True,
            "missing": ["", "NA"],
            "columns": named,
        }
        return {"name": "x", "kind": kind, "length": 5, "stride": 3, **form, **more}
    return {**WORDS, "max_bytes": 9}


@pytest.mark.parametrize("color", ["rgb", "gray"])
def test_transparent_pixels_are_put_before_the_same_color(
    tmp_path: Path, rng: np.random.Generator, color: str
) -> None:
    pixels = rng.integers(0, 256, (32, 32, 4)).astype(np.uint8)
    pixels[:4, :, 3], pixels[4:8, :, 3] = 0, 255
    case = {"what": "pixels", "array": "x", "color": color, "background": [250, 3, 90]}
    ((told,),) = node(tmp_path, [case], {"x": pixels[None]})
    Image.fromarray(pixels).save(tmp_path / "a.png")
    wanted = decode_image(str(tmp_path / "a.png"), color, [250, 3, 90])
    np.testing.assert_array_equal(values(told).reshape(wanted.shape), wanted)


def test_a_png_of_16_bits_is_refused_by_the_page(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 30_000, np.uint16)).save(tmp_path / "a.png")
    entry = {"name": "x", "kind": "image", "shape": [4, 4, 1], "color": "gray"}
    case = {"what": "read", "path": str(tmp_path / "a.png"), "entries": [entry]}
    (told,) = node(tmp_path, [case], {"x": np.zeros(1)})
    assert "a PNG of 16 bits, of which a browser shows 8" in told["refused"]


def test_files_are_read_as_the_runner_reads_them(tmp_path: Path) -> None:
    todo = []
    for name, (more, text) in FILES.items():
        (tmp_path / name).write_bytes(text.encode())
        path = str(tmp_path / name)
        todo.append({"what": "read", "path": path, "entries": [entry_of(**more)]})
    for case, told in zip(todo, node(tmp_path, todo, {"x": np.zeros(1)}), strict=True):
        compare_file(case, told)


def compare_file(case: Mapping[str, Any], told: Any) -> None:
    """Compare what both make of a file; the places in it are worded otherwise."""
    path, entries = case["path"], case["entries"]
    try:
        with prefix_errors(path):
            wanted = read_samples(path, entries)
    except ValueError as error:
        said = re.sub(r":(\d+):", r": line \1:", str(error).rpartition("/")[2])
        assert told["refused"] == said.replace("got None", "got nothing")
        return
    assert "refused" not in told, told
    for name, rows in wanted.items():
        assert len(told) == len(rows)
        for one, row in zip(told, rows, strict=True):
            found = values(one[name]).reshape(one[name]["shape"])
            row = row[: found.shape[0]] if found.dtype == np.uint8 else row  # padded to the longest
            np.testing.assert_array_equal(found, row, err_msg=path)


ROWS_IN_JSON = {
    "rows.json": "[[1, 2.5], [3, null], [6, 8]]",
    "names.json": '[{"b": 2.5, "a": 1}, {"a": 3, "b": null}, {"a": 6, "b": 8, "c": 1}]',
    "columns.json": '{"a": [1, 3, 6], "b": [2.5, null, 8]}',
}
WRONG_JSON = {
    "cut.json": ("[[1, 2", "cut.json: no JSON: "),
    "short.json": ("[[1]]", "short.json: row 1: 1 values; wanted 2"),
    "word.json": ('[[1, "x"]]', 'word.json: row 1: wanted a number, got "x"'),
    "less.json": ('{"a": [1]}', "less.json: wanted a list named b"),
    "hole.json": ('[{"a": 1}]', "hole.json: row 1: wanted a number, got nothing"),
}


def test_series_are_read_from_json_as_from_csv(tmp_path: Path) -> None:
    entry = entry_of("series", fit="pad")
    (tmp_path / "rows.csv").write_text("a;b\n1;2.5\n3;\n6;8\n")
    (wanted,) = read_samples(str(tmp_path / "rows.csv"), [entry])["x"]
    texts = ROWS_IN_JSON | {name: text for name, (text, _) in WRONG_JSON.items()}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    todo = [{"what": "read", "path": str(tmp_path / name), "entries": [entry]} for name in texts]
    found = dict(zip(texts, node(tmp_path, todo, {"x": np.zeros(1)}), strict=True))
    for name in ROWS_IN_JSON:
        (told,) = found[name]
        np.testing.assert_array_equal(values(told["x"]).reshape(told["x"]["shape"]), wanted)
    for name, (_, words) in WRONG_JSON.items():
        assert found[name]["refused"].startswith(words)


@pytest.mark.parametrize("rate", [8000, 22050])
def test_recordings_are_read_as_the_runner_reads_them(
    rate: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    import soundfile

    stereo = rng.uniform(-0.9, 0.9, (rate, 2))
    forms = ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"]
    entry = audio_entry(samples=4000)
    paths = [tmp_path / f"{form}.wav" for form in forms]
    for path, form in zip(paths, forms, strict=True):
        soundfile.write(path, stereo, rate, subtype=form)
    (tmp_path / "cut.wav").write_bytes(paths[1].read_bytes()[:-100])
    with wave.open(str(tmp_path / "empty.wav"), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
    todo = [{"what": "read", "path": str(path), "entries": [entry]} for path in paths]
    wrong = [tmp_path / name for name in ("cut.wav", "empty.wav")]
    todo += [{"what": "read", "path": str(path), "entries": [entry]} for path in wrong]
    found = node(tmp_path, todo, {"x": np.zeros(1)})
    for path, told in zip(paths, found, strict=False):
        wanted = fit_sound_length(read_samples(str(path), [entry])["x"], 4000)[0]
        ours = values(told[0]["x"])
        whole = np.pad(ours, (0, len(wanted) - len(ours)))
        assert np.abs(whole.astype(int) - wanted).max() <= 1, path.name  # a half, rounded
        assert (whole != wanted).mean() < 0.001, path.name
    for path, told in zip(wrong, found[len(paths) :], strict=True):
        with pytest.raises(ValueError, match=r"\.wav: ") as caught, prefix_errors(str(path)):
            read_samples(str(path), [entry])
        assert told["refused"] == str(caught.value).removeprefix(f"{tmp_path}/")


def test_arrays_are_read_in_every_form(tmp_path: Path, rng: np.random.Generator) -> None:
    entry = TABLE | {"shape": [3]}
    arrays = [rng.normal(0, 9, (5, 3)).astype(t) for t in ("f4", "f8", "i1", "i2", "i4", "i8")]
    arrays += [arrays[0][0], arrays[0] > 0, np.zeros((0, 3))]
    todo, files = [], []
    for i, array in enumerate(arrays):
        files.append(tmp_path / f"{i}.npy")
        np.save(files[-1], array)
    np.savez_compressed(tmp_path / "packed.npz", x=arrays[0], other=arrays[1])
    np.savez(tmp_path / "other.npz", y=arrays[0])
    np.save(tmp_path / "fortran.npy", np.asfortranarray(arrays[0]))
    (tmp_path / "no.npz").write_bytes(b"PK no archive")
    (tmp_path / "no.npy").write_bytes(b"no array")
    files += [tmp_path / name for name in ("packed.npz", "other.npz", "fortran.npy")]
    files += [tmp_path / name for name in ("no.npz", "no.npy")]
    todo = [{"what": "read", "path": str(path), "entries": [entry]} for path in files]
    *good, empty, packed, other, fortran, archive, plain = node(tmp_path, todo, {"x": np.zeros(1)})
    for array, told in zip(arrays[:-1], good, strict=True):
        many = array[None] if array.ndim == 1 else array
        ours = np.stack([values(one["x"] | {"dtype": _held(one)}) for one in told])
        np.testing.assert_array_equal(ours, many)
    np.testing.assert_array_equal(np.stack([values(one["x"]) for one in packed]), arrays[0])
    assert "holds no sample" in empty["refused"]
    assert "wanted arrays named x; it holds y" in other["refused"]
    assert "in C order" in fortran["refused"]
    assert "no .npz archive" in archive["refused"]
    assert "no .npy array" in plain["refused"]


def _held(one: Mapping[str, Any]) -> str:
    """Return the type in which the page holds an array: wide whole numbers as float64."""
    dtype = str(one["x"]["dtype"])
    return "float64" if dtype.endswith("int64") else dtype


def test_decisions_are_the_runners(tmp_path: Path, rng: np.random.Generator) -> None:
    outputs = rng.dirichlet(np.ones(4) * 0.5, 60).astype(np.float32)
    plain = np.roll(outputs, 1, axis=0)
    raw = {"x": rng.normal(0, 2, (60, 2)).astype(np.float32)}
    ranges = {"limits": [[-3.0, 3.0], [-2.0, 2.0]], "range": "abstain"}
    entry = TABLE | {"sanitize": NONE | ranges}
    labels = {"labels": ["a", "b", "c", "d"], "target": None, "inputs": [entry]}
    rule = {"temperature": 0.7, "threshold": 0.4}
    document = labels | {"abstain": {"int8": rule}, "detector": {"int8": 0.8}}
    series = SERIES | {"sanitize": NONE, "name": "s", "columns": [{"name": "a"}] * 2}
    target = {"scale": 3.5, "offset": -1.25, "channel": 1}
    forecast = {"labels": None, "target": target, "inputs": [series]}
    history = rng.normal(0, 9, (60, 3, 2)).astype(np.float32)
    history[::3, -1, 1] = np.nan
    case: dict[str, Any] = {"what": "decide", "array": "outputs", "limit": None, "plain": None}
    todo = [
        case | {"preprocess": labels, "abstain": None},
        case | {"preprocess": document, "abstain": rule, "limit": 0.8, "plain": "plain"},
        case | {"preprocess": forecast, "abstain": None},
    ]
    arrays = {"outputs": outputs, "plain": plain, "s": history, **raw}
    found = node(tmp_path, todo, arrays)
    answers = iter([outputs, plain])
    bare = labels | {"abstain": None, "detector": None}
    wanted = [
        decide_samples(lambda *_: {"p": outputs}, raw, bare, "model_int8.tflite"),
        decide_samples(lambda *_: {"p": next(answers)}, raw, document, "model_int8.tflite"),
        decide_outputs(outputs, forecast, {"s": history}),
    ]
    for told, right in zip(found, wanted, strict=True):
        for ours, theirs in zip(told, right, strict=True):
            assert ours["why"] == theirs["why"]
            if theirs["top"]:
                assert ours["decision"] == theirs["decision"]
                assert [label for label, _ in ours["top"]] == [label for label, _ in theirs["top"]]
                shares = [share for _, share in theirs["top"]]
                assert [share for _, share in ours["top"]] == pytest.approx(shares, rel=1e-12)
            else:
                assert ours["decision"] == pytest.approx(theirs["decision"], rel=1e-12)
    reasons = {reason for answer in wanted[1] for reason in answer["why"]}
    assert reasons == {UNSURE, SUSPECT, OUTSIDE}


@pytest.mark.parametrize("score", ["forecast", "reconstruction"])
def test_anomalies_are_scored_as_the_runner_scores_them(
    score: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    anomaly = {"score": score, "threshold": 0.6, "input_range": [-1.5, 1.25]}
    x = rng.normal(0, 1, (12, 6, 2)).astype(np.float32)
    wide = 2 if score == "forecast" else 12
    raw = rng.integers(-128, 128, (12, wide)).astype(np.int8)
    detail = {"dtype": "int8", "scale": 0.0131, "zero_point": 5}
    case = {"what": "anomaly", "array": "raw", "input": "x", "anomaly": anomaly, "detail": detail}
    (told,) = node(tmp_path, [case], {"raw": raw, "x": x})
    own = {"dtype": np.int8, "quantization": (0.0131, 5)}
    (wanted,) = decode_outputs({"y": own}, {"x": x}, {"y": raw}, anomaly).values()
    np.testing.assert_allclose(np.stack([values(one) for one in told]), wanted, rtol=1e-6)
    given = mask_detector_inputs({"x": x}, anomaly)["x"]
    ours = np.stack([values(one["seen"]) for one in told]).reshape(given.shape)
    np.testing.assert_array_equal(ours, given)
