"""Arguments, messages and exit codes; no stage runs and no TensorFlow loads here."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from pipeline import cli, stages, tracking
from pipeline.cli.parser import make_parser
from pipeline.errors import ArtifactError, GateError
from tests.documents.manifests import make_manifest

ROOT = Path(__file__).parents[1]
DIGITS = str(ROOT / "configs" / "digits_cnn.yaml")
HELP_LIMIT_S = 0.3  # DESIGN.md
VALIDATE_LIMIT_S = 1.0
LOOKING = ["predict", "conform", "bench", "show", "compare", "doctor"]
COMMANDS = ["run", *stages.NAMES, "launch", "config", "new", "demo", *LOOKING]
BAD = "name: X\ntask: 3\n"


def edgeline(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def chain(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace the runner by one that notes its calls."""
    calls: list[Any] = []
    monkeypatch.setattr(
        tracking, "run_chain", lambda asked, until, force: calls.append((asked, until, force))
    )
    return calls


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Replace the runner by one that raises."""

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(tracking, "run_chain", fail)


def test_commands_are_the_stages_in_order() -> None:
    listed = re.findall(r"^ {4}(\w+) ", make_parser().format_help(), re.MULTILINE)
    assert tuple(listed[1 : len(stages.NAMES) + 1]) == stages.NAMES


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    code = (
        "import sys, pipeline.cli; pipeline.cli.make_parser();"
        "heavy = {'tensorflow', 'keras', 'pydantic', 'numpy', 'ruamel.yaml'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_config_is_read_without_tensorflow() -> None:
    code = (
        "import sys, pathlib, pipeline.executor; from pipeline.config.load import load;"
        f"load(pathlib.Path({DIGITS!r}));"
        "sys.exit(str({'tensorflow', 'keras'} & set(sys.modules) or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, "config show", "config validate", "config schema"])
def test_every_command_answers_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*command.split(), "--help"])
    assert left.value.code == 0
    assert f"usage: edgeline {command}" in capsys.readouterr().out


def processor_seconds() -> float:
    """Return what child processes have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_and_a_bad_config_answer_at_once(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    best = {}
    for arguments in (("--help",), ("config", "validate", str(bad))):
        seconds = []
        for _ in range(3):  # of the processor, not of the clock: the machine may be busy
            start = processor_seconds()
            edgeline(*arguments)
            seconds.append(processor_seconds() - start)
        best[arguments[0]] = min(seconds)
    assert best["--help"] < HELP_LIMIT_S
    assert best["config"] < VALIDATE_LIMIT_S


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["trian", DIGITS], "no command 'trian'; did you mean 'train'?"),
        (["run", DIGITS, "--until", "exprot"], "no stage 'exprot'; did you mean 'export'?"),
        (["run", DIGITS, "--forse", "train"], "unrecognized arguments"),
        (["run"], "CONFIG"),
    ],
)
def test_wrong_arguments_leave_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_a_stage_command_is_run_until_it(chain: list[Any], tmp_path: Path) -> None:
    assert cli.main(["train", DIGITS, "--force", "data", "--runs", str(tmp_path)]) == 0
    ((run, until, force),) = chain
    assert (until, force, run.runs, run.exported) == ("train", "data", tmp_path, Path("exported"))
    assert run.base == ROOT / "configs"


def test_set_reaches_the_config(chain: list[Any]) -> None:
    assert (
        cli.main(["run", DIGITS, "--set", "train.epochs=3", "--set", "seed=7", "--until", "train"])
        == 0
    )
    assert (chain[0][0].config.train.epochs, chain[0][0].config.seed) == (3, 7)


def test_force_after_the_last_stage_is_refused(
    chain: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", DIGITS, "--force", "gate"]) == 2
    assert "comes after train" in capsys.readouterr().err
    assert not chain


def test_a_bad_config_lists_all_and_leaves_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(BAD)
    assert cli.main(["config", "validate", str(bad)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert sum("missing" in line for line in lines) == 2


def test_show_and_validate_print_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["config", "validate", DIGITS]) == 0
    assert capsys.readouterr().out == f"{DIGITS}: valid\n"
    assert cli.main(["config", "show", DIGITS, "--set", "seed=5"]) == 0
    assert "\nseed: 5\n" in capsys.readouterr().out
    assert cli.main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Config"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (GateError("gate: too far"), 3, "gate: too far\n"),
        (ArtifactError("x: missing"), 4, "x: missing\n"),
        (KeyboardInterrupt(), 130, "interrupted; the same command goes on from here\n"),
        (OSError(errno.ENOSPC, "no", "runs/a"), 2, "runs/a: the disk is full: make room"),
        (OSError(errno.EROFS, "no", "runs/a"), 2, "runs/a: the disk is read-only"),
        (PermissionError(errno.EACCES, "no", "runs/a"), 2, "runs/a: no permission"),
    ],
)
def test_every_end_has_its_code(
    error: BaseException, code: int, message: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    failing(monkeypatch, error)
    assert cli.main(["train", DIGITS]) == code
    assert capsys.readouterr().err.startswith(message)


def test_our_own_bugs_show_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, OSError(errno.EBADF, "ours"))
    with pytest.raises(OSError, match="ours"):
        cli.main(["train", DIGITS])


def test_a_file_in_the_place_of_the_run_folder_is_refused(
    chain: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").write_text("")
    assert cli.main(["train", DIGITS, "--runs", str(tmp_path / "runs" / "deep")]) == 2
    assert "wanted a folder; this is a file" in capsys.readouterr().err


@pytest.mark.parametrize("until", ["gate", "report", "bundle"])
def test_a_failed_verdict_leaves_with_3_and_says_what_to_try(
    until: str, chain: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "digits_cnn" / "gate"
    folder.mkdir(parents=True)
    gate = {
        "name": "metric_drop",
        "value": 0.041,
        "limit": 0.01,
        "direction": "at most",
        "passed": False,
        "remediation": "Try QAT.",
    }
    good = gate | {"name": "agreement", "passed": True, "remediation": None}
    verdict = {"passed": False, "ships": "int8", "gates": {"int8": [gate, good], "dynamic": [gate]}}
    (folder / "verdict.json").write_text(json.dumps(verdict))
    assert cli.main([until, DIGITS, "--runs", str(tmp_path)]) == 3
    assert capsys.readouterr().err.splitlines() == [
        "gate: int8 metric_drop is 0.0410, the limit is 0.0100. Try QAT.",
        "1 gate failed; nothing is published",
    ]
    (folder.parent / "report").mkdir()
    (folder.parent / "report" / "report.html").touch()
    (folder.parent / "train" / "tensorboard").mkdir(parents=True)
    assert cli.main([until, DIGITS, "--runs", str(tmp_path)]) == 3
    assert capsys.readouterr().err.splitlines()[:2] == [
        f"          report: {folder.parent}/report/report.html",
        f"          curves: tensorboard --logdir {folder.parent}/train/tensorboard",
    ]


def test_a_finished_run_closes_with_what_it_published(
    chain: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, bundle = tmp_path / "runs" / "digits_cnn" / "gate", tmp_path / "exported" / "digits_cnn"
    runs.mkdir(parents=True)
    bundle.mkdir(parents=True)
    (runs / "verdict.json").write_text(
        json.dumps({"schema": 2, "passed": True, "ships": "int8", "gates": {"int8": []}})
    )
    model = {"format": "int8", "metrics": {"accuracy": 0.98611, "auc": 1.0}, "bytes": 14216}
    reference = {"metrics": {"accuracy": 0.98333}}
    models = [{"format": "float32"}, model]
    make_manifest(
        {"name": "digits_cnn", "ships": "int8", "models": models, "reference": reference}
    ).write(bundle / "manifest.json")
    folders = ["--runs", str(runs.parents[1]), "--exported", str(bundle.parent)]
    assert cli.main(["run", DIGITS, *folders]) == 0
    shown = capsys.readouterr().out
    assert shown == f"{bundle}: int8 ships, accuracy 0.9861 (reference 0.9833), 14.2 kB\n"


def test_predict_prints_a_line_for_each_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [
        {
            "input": "a.png",
            "decision": "3",
            "confidence": 0.9,
            "top": [("3", 0.9), ("5", 0.1)],
            "why": [],
        },
        {"input": "b.npy", "decision": 151.5, "confidence": None, "top": [], "why": []},
    ]
    module: Any = types.ModuleType("pipeline.device.predict")
    module.predict = lambda bundle, inputs, runtime: answers
    monkeypatch.setitem(sys.modules, "pipeline.device.predict", module)
    assert cli.main(["predict", "exported/x", "a.png", "b.npy"]) == 0
    assert capsys.readouterr().out == "a.png: 3  0.9000   then 5 0.1000\nb.npy: 151.5\n"


def test_sigterm_leaves_with_130_and_one_line() -> None:
    code = (
        "import os, signal, sys, pipeline.tracking as s, pipeline.cli as c;"
        "s.run_chain = lambda *a, **k: (os.kill(os.getpid(), signal.SIGTERM), signal.pause());"
        f"sys.exit(c.main(['train', {DIGITS!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == cli.INTERRUPTED, (done.stderr, signal.SIGTERM)
    assert done.stderr == "interrupted; the same command goes on from here\n"


def test_an_interrupt_amid_an_import_leaves_with_130(tmp_path: Path) -> None:
    """An import that makes a dataclass runs a string; see findings/python_m_dies_of_….sh."""
    (tmp_path / "interrupted.py").write_text(
        "import signal, sys, pipeline.tracking as s, pipeline.cli as c\n"
        "s.run_chain = lambda *a, **k: exec('signal.raise_signal(signal.SIGINT)')\n"
        f"sys.exit(c.main(['train', {str(ROOT / DIGITS)!r}]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == cli.INTERRUPTED, done.stderr


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m pipeline config schema | head -1"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_a_program_is_told_of_errors_on_stdout_and_people_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text(BAD)
    assert cli.main(["train", str(config), "--json"]) == 2
    out, err = capsys.readouterr()
    (row,) = [json.loads(line) for line in out.splitlines()]
    assert (row["event"], row["exit_code"]) == ("error", 2)
    assert "\n".join(row["problems"]) == err.strip()


def test_a_quiet_run_prints_nothing(chain: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", DIGITS, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert len(chain) == 1


def test_quiet_and_json_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["train", DIGITS, "--quiet", "--json"])
    assert "not allowed with" in capsys.readouterr().err


def test_a_program_is_told_the_verdict_of_this_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = {"passed": False, "ships": "int8", "gates": {"int8": []}}
    folder = tmp_path / "digits_cnn" / "gate"
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_text(json.dumps(verdict))
    arguments = ["gate", DIGITS, "--json", "--runs", str(tmp_path)]
    failing(monkeypatch, ArtifactError("x: missing"))
    assert cli.main(arguments) == 4
    assert "verdict" not in capsys.readouterr().out
    failing(monkeypatch, GateError("too far"))
    assert cli.main(arguments) == 3
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events == ["verdict", "error"]


def test_doctor_answers_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline import doctor

    row = doctor.Finding("gpu", False, "none", "buy one")
    monkeypatch.setattr(doctor, "examine", lambda: {"devices": [row]})
    assert cli.main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["devices"][0]["cure"] == "buy one"
