"""Nothing that reads a file may run what is stored in it: kept by looking at the code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.config.load import SIZE_LIMIT, load
from pipeline.errors import ConfigError
from pipeline.models.given import refuse_code
from tests.test_guards import SOURCES, imported, name_of, tree

# pickle.dumps tells how large a classical model is; nothing is ever read that way.
READERS_OF_CODE = {"dill", "joblib", "marshal", "shelve", "cloudpickle", "imp"}
WRITES_PICKLE = {"pipeline/baseline/classical.py"}
FORBIDDEN = {"eval", "exec", "compile", "__import__"}  # by their plain names: re.compile is fine
UNPACKING = {"extractall", "extract", "Unpickler", "unpack_archive"}
# Archives of data: to a folder of their own, `filter="data"` for tar; zip refuses ways out itself.
UNPACKS_DATA = {("pipeline/data/archives.py", "unpack_archive")}
EMPTY = ("pipeline/cli/__init__.py", "exec")  # exec("") alone, see there
UNSAFE = {"allow_pickle": True, "safe_mode": False, "shell": True, "pure": False}


def calls(path: Path) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """Return the last word of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def problems(path: Path, name: str | None = None) -> Iterator[str]:
    modules = {name.split(".")[0] for name in imported(path)}
    yield from modules & READERS_OF_CODE
    if "pickle" in modules and (name or name_of(path)) not in WRITES_PICKLE:
        yield "pickle"
    for call in calls(path):
        word, owner = called(call), getattr(getattr(call.func, "value", None), "id", None)
        values = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
        if ((name or name_of(path)), word) in UNPACKS_DATA:
            continue
        if ((name or name_of(path)), word) == EMPTY and ast.unparse(call) == "exec('')":
            continue
        if (isinstance(call.func, ast.Name) and word in FORBIDDEN) or word in UNPACKING:
            yield f"{call.lineno}: {word}"
        if owner == "pickle" and word != "dumps":
            yield f"{call.lineno}: pickle.{word}"
        if any(key in values and values[key] is value for key, value in UNSAFE.items()):
            yield f"{call.lineno}: {values}"
        if word in ("load_model", "deserialize_keras_object") and not values.get("safe_mode"):
            yield f"{call.lineno}: {word} without safe_mode=True"
        if word == "load_model" and values.get("compile") is not False:
            yield f"{call.lineno}: {word} without compile=False"


def test_no_file_is_read_by_what_executes_it() -> None:
    found = {name_of(path): list(problems(path)) for path in SOURCES}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import joblib",
        "np.load(path, allow_pickle=True)",
        "keras.saving.load_model(path, compile=False)",
        "keras.saving.load_model(path, safe_mode=True)",
        "keras.saving.load_model(path, compile=False, safe_mode=False)",
        "eval(text)",
        "archive.extractall(folder)",
        "subprocess.run(line, shell=True)",
    ],
)
def test_the_look_finds_what_it_looks_for(tmp_path: Path, line: str) -> None:
    (tmp_path / "x.py").write_text(line)
    assert list(problems(tmp_path / "x.py", name="pipeline/x.py"))


def test_yaml_has_one_reader_and_it_knows_no_tags() -> None:
    readers = [path for path in SOURCES if "ruamel.yaml" in set(imported(path))]
    assert {name_of(path) for path in readers} <= {
        "pipeline/config/document.py",
        "pipeline/config/editor.py",
        "pipeline/new/write.py",
    }
    assert not any("yaml" in set(imported(path)) for path in SOURCES)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "name: !!python/name:os.system ''",
        "a: &a [1]\nb: *a",
        "x: " + "[" * 10_000,
        "&a [*a]",
    ],
)
def test_a_config_that_wants_more_than_plain_values_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load(tmp_path / "a.yaml")


def test_a_config_beyond_all_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * (SIZE_LIMIT + 1))
    with pytest.raises(ConfigError, match="1 MiB at most"):
        load(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    "described",
    [
        '{"class_name": "Lambda"}',
        '{"class_name": "\\u004cambda"}',
        '{"layers": [{"config": {"function": {"class_name": "__\\u006cambda__"}}}]}',
        '{"config": {"function_type": "lambda", "function": ["4wEAAAA="]}}',
        "{not JSON",
    ],
)
def test_code_in_a_description_is_found_however_it_is_spelt(described: str) -> None:
    with pytest.raises(ConfigError, match=r"^model\.path: x\.h5: "):
        refuse_code(described, Path("x.h5"))
