"""Snippets of the pages: configs that load, a program that runs, numbers of the network itself."""

import gzip
import json
import math
import re
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline import api
from pipeline.config.load import load
from pipeline.config.schema import Config
from pipeline.device.compiled import FLAGS, find_compiler
from pipeline.device_code.library import make_library
from pipeline.device_code.phone import make_kotlin
from pipeline.errors import ConfigError
from tests.conftest import CONFIGS, MINIMAL
from tests.device_code.cases import CASES
from tests.docs.conftest import PAGES, ROOT, TEXT, World
from tests.docs.markdown import Piece, commands, fenced

LANGUAGES = ("yaml", "python", "kotlin", "c", "cpp", "text")
PLACES = {  # what the sources of the table read; a name that ends in / is a folder
    "../pets/": "", "pets/": "", "words/": "", "cars/": "", "gestures/": "", "data/": "",
    "m.keras": "", "windows.json": "{}",
    "train.csv": "age,income\n1,a\n", "test.csv": "age,income\n2,b\n",
    "val.txt": "a.wav\n", "test.txt": "b.wav\n", "sms.tsv": "ham\thello\n",
    "pets.zip": "", "sales.xlsx": "",
    "list.csv": "file,class,patient\na.png,cat,1\nb.png,dog,2\n",
    "data/one.csv": "timestamp,value\n2020-01-01,1\n",
}  # fmt: skip
KINDS = {"series_csv": "anomaly"}  # source -> task, where it is not classification
PRETRAINED = {"model": {"kind": "autoencoder"}, "train": {"pretrain": {}}}
BASES: tuple[dict[str, Any], ...] = (  # what a setting of the text may be laid over
    {},
    {"task_metric": "auc"},
    PRETRAINED,
    {"model": {"kind": "file", "path": "m.keras"}},
    {"tune": {"space": {"train.optimizer.learning_rate": {"float": [1e-4, 1e-2], "log": True}}}},
    {"verify": {"runtimes": ["litert", "tflite-micro"]}},
)


def pieces(language: str) -> list[Piece]:
    every = (piece for page in PAGES.values() for piece in fenced(page))
    return [piece for piece in every if piece.language == language]


def plain(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder for configs, with whatever their sources name beside it."""
    found = tmp_path_factory.mktemp("snippets") / "configs"
    for name, content in PLACES.items():
        path = found / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text(content)
    np.savez(found / "arrays.npz", x=np.zeros((9, 4, 2), np.float32), y=np.arange(9) % 3)
    return found


def test_every_snippet_is_of_a_language_that_is_tried() -> None:
    assert {piece.language for page in PAGES.values() for piece in fenced(page)} == set(LANGUAGES)
    assert not [piece for piece in commands(TEXT) if piece.language not in ("block", "inline")]


@pytest.mark.parametrize("piece", pieces("yaml"), ids=lambda piece: piece.text.split("\n")[0])
def test_configs_in_the_pages_load(piece: Piece, folder: Path) -> None:
    given = plain(piece.text)
    shipped = CONFIGS / f"{given.get('name')}.yaml"
    if shipped.is_file():  # of a tutorial
        assert {"seed": 0, **given} == plain(shipped.read_text())
        return
    whole = given if "name" in given else _merged(plain(MINIMAL), given)
    assert load(_written(folder, whole)).name


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return a config with the sections of a snippet laid over it."""
    return base | {
        key: _merged(base[key], value) if isinstance(base.get(key), dict) else value
        for key, value in over.items()
    }


def _written(folder: Path, config: dict[str, Any]) -> Path:
    path = folder / "given.yaml"
    path.write_text(json.dumps(config))
    return path


SOURCES = re.findall(r"^\| [^|]+ \| `(\{kind: .*?\})` \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize("source", SOURCES, ids=lambda text: plain(text)["kind"])
def test_every_source_of_the_table_loads(source: str, folder: Path) -> None:
    given = plain(source)
    config = {"name": "given", "task": KINDS.get(given["kind"], "classification")}
    config |= {"data": {"source": given}, "model": {"kind": "mlp"}}
    if given["kind"] == "series_csv":
        config["model"] = {"kind": "autoencoder"}
        config["data"]["split"] = {"by": "time"}
    if given["kind"] == "tfds":
        given["data_dir"] = "."
    assert load(_written(folder, config)).data.source.kind == given["kind"]


def test_the_table_of_sources_has_them_all() -> None:
    schema = json.loads((CONFIGS / "schema.json").read_text())
    known = set(_kinds_of_source(schema)) - {"bundled"}
    assert {plain(source)["kind"] for source in SOURCES} == known


def _kinds_of_source(schema: dict[str, Any]) -> Iterator[str]:
    source = schema["$defs"]["Data"]["properties"]["source"]
    for entry in source.get("oneOf", source.get("anyOf", [])):
        yield schema["$defs"][entry["$ref"].split("/")[-1]]["properties"]["kind"]["const"]


def settings() -> list[str]:
    """Return the settings in the text: `key: value`, or `section.key: value`."""
    found = re.findall(r"`([a-z_][a-z_.]*: [^`|]+)`", TEXT)
    return [code for code in dict.fromkeys(found) if "…" not in code]


@pytest.mark.parametrize("code", settings())
def test_settings_in_the_text_are_settings(code: str, folder: Path) -> None:
    path, _, value = code.partition(": ")
    first, *rest = path.split(".")
    if first in Config.model_fields and (rest or value.startswith("{")):
        given = plain(value)
        for name in reversed(path.split(".")):
            given = {name: given}
        assert any(_loads(folder, _merged(base, given)) for base in BASES), code
        return
    assert f'"{first}"' in (CONFIGS / "schema.json").read_text()


def _loads(folder: Path, over: dict[str, Any]) -> bool:
    """Tell whether some sections make a config, with digits and a small network for the rest."""
    base = plain(MINIMAL)
    kept = {key: value for key, value in base.items() if key != "model" or "model" not in over}
    try:
        load(_written(folder, _merged(kept, over)))
    except ConfigError:
        return False
    return True


def test_the_notebook_runs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load, predict and show on a bundle; the run, of minutes, is told by its signature alone."""
    (piece,) = pieces("python")
    monkeypatch.chdir(world.folder)
    asked: list[Any] = []

    def run(config: str, **options: Any) -> api.Result:
        load(Path(config), [f"{k}={v}" for k, v in options["overrides"].items()])
        asked.append(options)
        metrics = {"verify": {"int8": 0.9}}
        return api.Result(
            "digits_cnn", "classification", True, "int8", metrics, "",
            Path("runs"), Path("exported"), Path("report.html"),
        )  # fmt: skip

    monkeypatch.setattr(api, "run", run)
    monkeypatch.setattr(api.Bundle, "show", lambda self: None)  # wants a whole manifest
    names: dict[str, Any] = {"images": np.zeros((2, 4), np.float32)}
    exec(compile(piece.text, "docs/how-to/notebook.md", "exec"), names)
    assert asked == [{"overrides": {"train.epochs": 3}}]
    assert len(names["bundle"].predict(names["images"])) == 2


def test_the_kotlin_numbers_are_those_of_the_digits() -> None:
    """8 by 8 pixels, each an integer of its own (q = pixel - 128), and ten classes."""
    (piece,) = [piece for piece in pieces("kotlin") if "pixel" in piece.text]
    found = find_spec("sklearn")  # importing it takes longer than all the rest
    assert found
    assert found.origin
    with gzip.open(Path(found.origin).parent / "datasets/data/digits.csv.gz", "rt") as file:
        *pixels, classes = np.loadtxt(file, delimiter=",").T
    side = math.isqrt(len(pixels))
    assert side * side == len(pixels)
    assert f"allocateDirect({side} * {side})" in piece.text
    assert f"ByteArray({len(np.unique(classes))})" in piece.text
    assert "(pixel - 128).toByte()" in piece.text
    assert load(CONFIGS / "digits_cnn.yaml").export.io == "int8"
    kept = "com.google.ai.edge.litert:litert:"
    template = (ROOT / "pipeline" / "bundle" / "README.md.j2").read_text()
    versions = (set(re.findall(rf"{kept}[\d.]+", text)) for text in (piece.text, template))
    assert next(versions) == next(versions) != set()


def test_the_kotlin_of_a_row_calls_what_the_generated_file_has() -> None:
    (piece,) = [piece for piece in pieces("kotlin") if "pixel" not in piece.text]
    name = "cancer_perceptron"
    table = CASES["columns"]
    ((file, text),) = make_kotlin(name, table.preprocess, table.file).items()
    assert f"import {name}.{file.removesuffix('.kt')}" in piece.text
    called = set(re.findall(rf"{file.removesuffix('.kt')}\.(\w+)", piece.text)) - {"kt"}
    assert called == {"preprocess", "newOutput", "decode", "ABSTAIN", "LABELS"}
    assert all(re.search(rf"(fun|val) {word}\b", text) for word in called)
    members = set(re.findall(r"\b(?:input|result)\.(\w+)", piece.text))
    assert all(re.search(rf"val {word}\b", text) for word in members)


@pytest.mark.skipif(find_compiler() is None, reason="no C compiler here")
def test_the_c_program_compiles_with_a_generated_library(tmp_path: Path) -> None:
    (piece,) = pieces("c")
    shape = [8, 8, 1]
    image = CASES["image"]
    entry = image.preprocess.inputs[0].model_copy(update={"shape": shape})
    tensor = image.file.inputs[0].model_copy(update={"shape": (1, *shape)})
    preprocess = image.preprocess.model_copy(update={"inputs": [entry]})
    file = image.file.model_copy(update={"inputs": (tensor,)})
    for name, text in make_library("digits_cnn", preprocess, file).items():
        (tmp_path / name).write_text(text)
    given = "static int8_t output[3];\nvoid run_model(const int8_t *input, int8_t *output);\n"
    include, rest = piece.text.split("\n", 1)
    (tmp_path / "main.c").write_text(f"{include}\n{given}{rest}")
    command = [str(find_compiler()), *FLAGS, "-fsyntax-only", "main.c"]
    subprocess.run(command, cwd=tmp_path, check=True)


def test_the_microcontroller_s_names_are_those_of_the_sources() -> None:
    (piece,) = pieces("cpp")
    code = (ROOT / "pipeline" / "export" / "c_source.py").read_text()
    template = (ROOT / "pipeline" / "bundle" / "README.md.j2").read_text()
    for line in piece.text.splitlines():
        for name in re.findall(r"model_int8\.h|g_model|tflite::GetModel", line):
            assert name in code + template, line
