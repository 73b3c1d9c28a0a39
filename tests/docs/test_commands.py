"""Every command in the documentation works: it is run here, or read by its own parser."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline import cli, stages
from pipeline.bundle.readme import readme
from pipeline.cli.parser import make_parser
from tests.bundle.test_readme import manifest
from tests.docs.conftest import PAGES, ROOT, TEXT, World
from tests.docs.markdown import Piece, commands, indented, is_command
from tests.documents.manifests import make_manifest

BUNDLE_README = readme(make_manifest(manifest("int8", "int8", "image")))
PIECES = list(dict.fromkeys(piece.text for piece in commands(TEXT + BUNDLE_README)))

# What is run whole, in a second or two. Everything else that `edgeline` takes is read by its parser
# and run where FULL says.
SHORT = ("predict", "conform", "new", "config validate", "config show", "config schema", "list")
FULL = {
    **dict.fromkeys(("run", *stages.NAMES), "tests/e2e/test_chain.py"),
    "launch": "tests/launch/test_same.py",
    "tune --role": "tests/tune/test_remote.py",
    "quantize": "tests/e2e/test_quantize.py",
    "demo": "tests/device/test_demo.py",
    "conform --device": "tests/device/test_remote.py",
    "conform browser": "tests/device/test_browser.py",
    "predict browser": "tests/device/test_browser.py",
    "bench": "tests/device/test_bench.py",
    "verify-signature": "tests/documents/test_signature.py",
    "show": "tests/report/test_show.py",
    "compare": "tests/compare/test_compare.py",
    "doctor": "tests/test_doctor.py",
    **dict.fromkeys(("help", "version"), "tests/report/test_run_list.py"),
}
WHAT_TO_DO = "is of no known kind; add it to tests/docs/test_commands.py, so that it is tried"


def named(piece: str) -> str:
    return re.sub(r"\W+", "_", piece).strip("_")[:60]


@pytest.mark.parametrize("text", PIECES, ids=named)
def test_every_command_is_read_or_run(
    text: str, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(world.folder)
    words = shlex.split(text)
    assert words[0] in CHECKS, f"{text!r} {WHAT_TO_DO}"
    CHECKS[words[0]](world, words)


def _edgeline(world: World, words: list[str]) -> None:
    given = world.put(words[1:])
    command = " ".join(given[: 2 if given[:1] == ["config"] else 1])
    if given == ["--help"]:
        return
    if not given or given == [command]:  # the program, or a command by its name alone
        assert command in ("", *SHORT, *FULL), f"{words} {WHAT_TO_DO}"
        return
    if (
        _positionals(given) == 0 and command != "list"
    ):  # `edgeline predict --runtime browser`: the rest is understood
        given = [
            command,
            "exported/digits_cnn",
            *(["sample.csv"] * (command == "predict")),
            *given[1:],
        ]
    make_parser().parse_args(given)
    if _place(given) not in SHORT:
        assert (ROOT / FULL[_place(given)]).is_file(), f"{words} {WHAT_TO_DO}"
        return
    if given in world.done:  # the same, by another name
        return
    world.done.append(given)
    (world.folder / "new.yaml").unlink(missing_ok=True)
    (world.folder / "configs" / "pets.yaml").unlink(missing_ok=True)
    assert cli.main(given) == 0


def _positionals(given: list[str]) -> int:
    """Return how many words follow a command before its first option."""
    rest = given[1:]
    return next((i for i, word in enumerate(rest) if word.startswith("--")), len(rest))


def _place(given: list[str]) -> str:
    """Return the key of SHORT or FULL that a command belongs to."""
    if given[0] == "config":
        return " ".join(given[:2])
    for mark in ("--device", "browser", "--role"):
        if mark in given:
            return f"{given[0]} {mark}"
    return given[0]


def _make(world: World, words: list[str]) -> None:
    """Let make itself say what it would do; what it would run must be a command that is known."""
    settings = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    used = set(re.findall(r"\$\(?(?:if )?\$?\(?([A-Z]+)\)", (ROOT / "Makefile").read_text()))
    assert set(settings) <= used, f"{words}: the Makefile looks at {sorted(used)}"
    for config in [settings.get("CONFIG", "")]:
        assert not config or config.endswith("pets.yaml") or (ROOT / config).is_file(), config
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", "PYTHON=python3", *words[1:]],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        if line.startswith(".venv/bin/edgeline "):
            make_parser().parse_args(shlex.split(line.partition(" > ")[0])[1:])


def _python(world: World, words: list[str]) -> None:
    """Run the bundle's own program; of a module see that it is there."""
    if words[1] == "-m":
        assert words[2] == "http.server" or find_spec(words[2]), words
        return
    given = world.put(["photo.jpg" if word == "sample.png" else word for word in words[2:]])
    if "--encode" in given:  # a bundle with an encoder: tests/e2e has one
        assert "--encode" in (world.folder / "exported/digits_cnn" / words[1]).read_text()
        return
    given = [str(world.folder / word) if word == "sample.csv" else word for word in given]
    done = subprocess.run(
        [sys.executable, *words[1:2], *given],
        cwd=world.folder / "exported" / "digits_cnn",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _pip(world: World, words: list[str]) -> None:
    """See that what is installed is what the project itself asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    inputs = [path.read_text() for path in ROOT.glob("*.in")]
    asked = "\n".join([*project["dependencies"], *extras, *inputs])
    if words[1] == "wheel":  # tests/test_wheel.py builds it
        build = (ROOT / "tests" / "test_wheel.py").read_text()
        assert all(f'"{word}"' in build for word in words[1:-1] if word != "build/wheel"), words
        return
    if words[2].startswith(f"build/wheel/{project['name']}-") and words[2].endswith(".whl"):
        return
    words = [
        word.replace("build/wheel/edgeline-0.1.0-py3-none-any.whl", "edgeline") for word in words
    ]
    if "-r" in words:
        assert "--require-hashes" in words
        assert (ROOT / words[-1]).is_file(), words
        return
    for name in (word for word in words[2:] if not word.startswith("-")):
        plain, _, extra = name.partition("[")
        if extra:
            assert plain == project["name"]
            assert extra.rstrip("]") in project["optional-dependencies"]
        else:
            assert re.search(rf"^{plain}\b", asked, re.MULTILINE | re.IGNORECASE), name


def _npm(world: World, words: list[str]) -> None:
    lock = json.loads((ROOT / "pipeline/device/npm/package.json").read_text())
    wished = [f"{name}@{version}" for name, version in lock["dependencies"].items()]
    assert wished[0] in words, f"make litertjs fetches {wished[0]}"


def _apt(world: World, words: list[str]) -> None:
    """See that it is what the program itself says."""
    told = [ROOT / "Makefile", *(ROOT / "pipeline" / "device").glob("*.py")]
    assert any(" ".join(words) in path.read_text() for path in told)


def _named_elsewhere(world: World, words: list[str]) -> None:
    """See that a program of somebody else is the one that the code calls, with its options."""
    code = "\n".join(p.read_text() for p in (ROOT / "pipeline").rglob("*.py"))
    assert all(f'"{w}"' in code for w in words if not w.endswith(".tflite")), words


def _git(world: World, words: list[str]) -> None:
    assert words == ["git", "clone", "URL", "edgeline"]  # run by tests/docs/test_six_commands.py


def _cd(world: World, words: list[str]) -> None:
    assert words == ["cd", "edgeline"]


def _cp(world: World, words: list[str]) -> None:
    """See that what is copied is what the page loads."""
    assert words[:2] == ["cp", "-r"]
    page = "\n".join(p.read_text() for p in (ROOT / "pipeline/device/web").rglob("*.js"))
    assert Path(words[3]).name in page + (ROOT / "pipeline/device/demo.py").read_text()


CHECKS = {
    "edgeline": _edgeline,
    "make": _make,
    "python": _python,
    "pip": _pip,
    "npm": _npm,
    "apt-get": _apt,
    "edgetpu_compiler": _named_elsewhere,
    "ssh": _named_elsewhere,
    "git": _git,
    "cd": _cd,
    "cp": _cp,
}


def test_a_command_of_no_known_kind_is_told(world: World) -> None:
    with pytest.raises(AssertionError, match="of no known kind"):
        _edgeline(world, ["edgeline", "fly"])
    with pytest.raises(SystemExit):
        _edgeline(world, ["edgeline", "run", "CONFIG", "--fast"])
    with pytest.raises(AssertionError):
        _make(world, ["make", "nothing"])
    with pytest.raises(AssertionError):
        _make(world, ["make", "export", "SPEED=9"])


def test_what_stands_in_blocks_and_is_no_command_is_what_the_program_says(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [p for page in PAGES.values() for p in indented(page) if not is_command(p.text)]
    flow = " -> ".join(stages.NAMES)
    shown = [piece.text for piece in others if piece.text != flow]
    monkeypatch.chdir(world.folder)
    cli.main(["conform", "exported/digits_cnn"])
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [_shape(line) for line in shown] == [_shape(line) for line in said[: len(shown)]]


def _shape(line: str) -> str:
    """Return a line of `conform` without its figures and the name of the runtime."""
    words = re.sub(r"by \S+ [\w.\-]+", "by R", line)
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.e\-]*( LSB)?", "#", words))


def test_code_in_the_text_is_closed_on_its_line() -> None:
    """A command that is broken over two lines would be overlooked."""
    for page, text in PAGES.items():
        inside = False
        for number, line in enumerate(text.splitlines(), 1):
            inside ^= line.startswith("```")
            if not inside and not line.startswith("```"):
                assert line.count("`") % 2 == 0, f"{page}:{number}"


def test_commands_are_found_wherever_they_stand() -> None:
    text = "Say `make a` or\n\n    edgeline b  # why\n\n| `.venv/bin/edgeline c` | d |\n"
    text += "\n```yaml\nmake: e\n```\n"
    found = [(piece.line, piece.text) for piece in commands(text)]
    assert found == [(3, "edgeline b"), (1, "make a"), (5, "edgeline c")]
    assert Piece(7, "make: e\n", "yaml") not in commands(text)
    assert shutil.which("make")
