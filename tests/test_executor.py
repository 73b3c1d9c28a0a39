"""The executor on stages of a line each: what runs, what is fresh, what a crash leaves."""

import errno
import logging
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import executor
from pipeline.artifacts import WORK, Inputs, Metrics, read_json, write_json
from pipeline.config.schema import Config
from pipeline.errors import ArtifactError, ConfigError, ShortageError
from pipeline.executor import Run, run_chain
from pipeline.stages import STAGES, Stage, is_enabled, writer_of

# first -> middle (off where train.epochs is 1) -> last; middle rewrites what first wrote.
TABLE = (
    Stage("data", "", (), {"dataset": ("a.txt",)}, ("seed",)),
    Stage("train", "", ("dataset",), {"reference": ("model.txt",)}, ("train",)),
    Stage("harden", "", ("dataset", "reference"), {"reference": ("model.txt",)}, ("harden",)),
    Stage("gate", "", ("reference",), {"verdict": ("verdict.txt",)}, ("gate",)),
)


class Chain:
    """Four stages that note their runs; each can be told to fail."""

    def __init__(self, folder: Path, make: Callable[..., Config]) -> None:
        self.folder, self.make = folder, make
        self.calls: list[str] = []
        self.failing: dict[str, BaseException] = {}
        self.constant: set[str] = set()

    def execute(self, name: str, config: Config, inputs: Inputs, out: Path) -> Metrics:
        self.calls.append(name)
        stage = next(stage for stage in TABLE if stage.name == name)
        read = [(inputs[kind] / TABLE_FILES[kind]).read_text() for kind in stage.reads]
        (file,) = (patterns[0] for patterns in stage.writes.values())
        text = name if name in self.constant else f"{name} {config.train.epochs} {read}"
        (out / WORK / "checkpoint").write_text("half way")
        if name in self.failing:
            raise self.failing.pop(name)
        (out / file).write_text(text)
        return Metrics({"length": (float(len(text)), "letters")})

    def run(self, *overrides: str, until: str = "gate", force: str | None = None) -> list[str]:
        """Run the chain and return the stages that were executed."""
        self.calls = []
        config = self.make(*overrides)
        run_chain(
            Run(config, self.folder, self.folder / "runs", self.folder), until=until, force=force
        )
        return self.calls


TABLE_FILES = {"dataset": "a.txt", "reference": "model.txt"}
HARDEN = "harden={epochs: 2}"


@pytest.fixture
def chain(
    tmp_path: Path, make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> Chain:
    made = Chain(tmp_path, make_config)
    monkeypatch.setattr(executor, "STAGES", TABLE)
    monkeypatch.setattr(executor, "source_state", lambda source, base: None)

    def module(stage: Stage) -> types.SimpleNamespace:
        return types.SimpleNamespace(run=lambda *a: made.execute(stage.name, *a))

    monkeypatch.setattr(executor, "_import", module)
    return made


def test_a_finished_chain_runs_nothing_and_a_disabled_stage_needs_no_special_case(
    chain: Chain,
) -> None:
    assert chain.run() == ["data", "train", "gate"]
    assert chain.run() == []
    assert chain.run(HARDEN) == ["harden", "gate"]
    assert "harden" in (chain.folder / "runs/small/gate/verdict.txt").read_text()
    assert chain.run() == ["gate"]
    assert "harden" not in (chain.folder / "runs/small/gate/verdict.txt").read_text()


def test_only_the_sections_that_a_stage_uses_make_it_stale(chain: Chain) -> None:
    chain.run()
    assert chain.run("gate.metric_drop=0.2") == ["gate"]
    assert chain.run("gate.metric_drop=0.2", "report.samples=4") == []
    assert chain.run("gate.metric_drop=0.2", "train.epochs=3") == ["train", "gate"]


def test_outputs_that_did_not_change_leave_what_follows_fresh(chain: Chain) -> None:
    chain.constant = {"train"}
    chain.run()
    assert chain.run("train.epochs=3") == ["train"]


def test_until_and_force(chain: Chain) -> None:
    assert chain.run(until="train") == ["data", "train"]
    assert chain.run(until="train", force="train") == ["train"]
    assert chain.run(force="data") == ["data", "train", "gate"]
    with pytest.raises(ConfigError, match="harden: this stage is off"):
        chain.run(until="harden")


def test_a_failed_stage_leaves_the_old_result_and_resumes_from_its_work(chain: Chain) -> None:
    chain.run()
    old = (chain.folder / "runs/small/train/model.txt").read_text()
    chain.failing["train"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        chain.run("train.epochs=3")
    assert (chain.folder / "runs/small/train/model.txt").read_text() == old
    assert (chain.folder / "runs/small/train.partial" / WORK / "checkpoint").exists()
    assert chain.run() == []  # the old config finds its old results
    assert chain.run("train.epochs=3") == ["train", "gate"]
    assert not (chain.folder / "runs/small/train.partial").exists()
    assert not (chain.folder / "runs/small/train" / WORK).exists()


def test_work_of_another_recipe_or_of_a_forced_run_is_not_resumed(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    execute = chain.execute

    def noting(name: str, config: Config, inputs: Inputs, out: Path) -> Metrics:
        seen.append((out / WORK / "checkpoint").exists())
        return execute(name, config, inputs, out)

    monkeypatch.setattr(chain, "execute", noting)
    chain.run(until="data")

    def broken(*overrides: str, force: str | None = None) -> bool:
        chain.failing["train"] = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            chain.run(*overrides, force=force)
        return bool(seen[-1])

    assert not broken()
    assert broken()
    assert not broken("train.epochs=3")
    assert broken("train.epochs=3")
    assert not broken("train.epochs=3", force="train")


def test_a_stage_that_writes_nothing_is_our_bug(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "execute", lambda *_: Metrics())
    with pytest.raises(RuntimeError, match="wrote nothing of kind 'dataset'"):
        chain.run()
    assert not (chain.folder / "runs/small/data").exists()


@pytest.mark.parametrize("victim", ["data/a.txt", "train/model.txt", "gate/verdict.txt"])
def test_a_changed_byte_is_found_before_the_file_is_used(chain: Chain, victim: str) -> None:
    chain.run()
    (chain.folder / "runs/small" / victim).write_text("changed")
    with pytest.raises(ArtifactError, match=victim):
        chain.run()
    assert chain.calls == []
    stage = victim.split("/")[0]
    assert chain.run(force=stage)[0] == stage


def test_a_deleted_artifact_is_made_again_and_nothing_else(chain: Chain) -> None:
    chain.run()
    (chain.folder / "runs/small/train/model.txt").unlink()
    assert chain.run() == ["train"]


@pytest.mark.parametrize(
    "old",
    [
        {"schema": 0, "stage": "train"},
        {"outputs": ["model.txt"], "key": None},
        [],
        "version 1",
        {"schema": 1, "code": "0", "key": "k", "outputs": {"model.txt": {}}, "packages": {}},
    ],
)
def test_a_run_folder_of_another_version_is_made_anew(
    chain: Chain, monkeypatch: pytest.MonkeyPatch, old: object
) -> None:
    chain.run()
    write_json(chain.folder / "runs/small/train/manifest.json", old)
    seen = []
    execute = chain.execute
    monkeypatch.setattr(
        chain,
        "execute",
        lambda name, config, inputs, out: (
            seen.append(inputs.previous) or execute(name, config, inputs, out)
        ),
    )
    assert chain.run() == ["train"]
    assert seen == [None]  # nor does the stage look at it
    assert chain.run() == []


@pytest.mark.parametrize("kind", ["file", "link"])
def test_something_else_in_the_place_of_a_stage_gives_way(chain: Chain, kind: str) -> None:
    chain.run()
    stage, elsewhere = chain.folder / "runs/small/train", chain.folder / "elsewhere"
    stage.rename(elsewhere)
    if kind == "file":
        stage.write_text("somebody's")
    else:
        stage.symlink_to(elsewhere)
    assert chain.run(force="train") == ["train", "gate"]
    assert not stage.is_symlink()
    assert (stage / "model.txt").exists()
    assert (elsewhere / "model.txt").exists()
    assert chain.run() == []


def test_a_stage_looks_at_its_last_result_only_where_that_is_whole(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    execute = chain.execute

    def noting(name: str, config: Config, inputs: Inputs, out: Path) -> Metrics:
        seen.append(inputs.previous is not None)
        return execute(name, config, inputs, out)

    monkeypatch.setattr(chain, "execute", noting)
    chain.run()
    chain.run("train.epochs=3")
    (chain.folder / "runs/small/train/model.txt").write_text("changed")
    chain.run("train.epochs=4", until="train")
    assert seen == [False, False, False, True, True, False]


def test_what_runs_out_names_the_stage_and_the_next_run_goes_on(chain: Chain) -> None:
    chain.failing["train"] = MemoryError()
    with pytest.raises(ShortageError, match=r"train: out of memory .*data\.batch_size"):
        chain.run()
    assert chain.run() == ["train", "gate"]
    chain.failing["gate"] = OSError(errno.ENOSPC, "no", "runs/x")
    with pytest.raises(ShortageError, match="gate: runs/x: the disk is full"):
        chain.run("gate.metric_drop=0.2")
    assert chain.run("gate.metric_drop=0.2") == ["gate"]


def test_the_manifest_holds_what_decided_the_result_and_no_date(chain: Chain) -> None:
    chain.run()
    manifest = read_json(chain.folder / "runs/small/gate/manifest.json")
    assert manifest["inputs"]["reference"]["model.txt"]
    assert manifest["metrics"] == [
        {"name": "length", "unit": "letters", "value": pytest.approx(40, abs=40)}
    ]
    assert {"tensorflow", "keras", "edgeline"} <= set(manifest["packages"])
    assert not {"date", "host", "seconds", "commit", "parts"} & set(manifest)
    assert {"date", "host", "seconds", "commit", "parts"} == set(
        read_json(chain.folder / "runs/small/gate/timings.json")
    )


def test_progress_is_a_line_a_stage(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pipeline.run_summary"):
        chain.run()
    assert [record.getMessage().split()[0] for record in caplog.records] == chain.calls


def test_every_read_of_the_real_table_has_a_writer(make_config: Callable[..., Config]) -> None:
    for overrides in ((), ("harden={}",), ("tune={space: {train.ema: {float: [0.1, 0.2]}}}",)):
        config = make_config(*overrides)
        stages = [stage for stage in STAGES if is_enabled(stage, config)]
        for stage in stages:
            for kind in stage.reads:
                assert writer_of(kind, stages, stage) is not None, (stage.name, kind)


def test_tensorflow_finds_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "1")
    monkeypatch.setitem(sys.modules, "pipeline.gate.stage", types.ModuleType("gate"))
    stage = next(stage for stage in STAGES if stage.name == "gate")
    executor._import(stage)
    assert "TF_USE_LEGACY_KERAS" not in executor.os.environ
    assert executor.os.environ["KERAS_BACKEND"] == "tensorflow"


def test_a_compiler_or_runtime_that_came_since_makes_its_stage_stale(
    tmp_path: Path, make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = "verify.runtimes=[litert, tflite-runtime]", "export.targets=[coral-edgetpu]"
    config = make_config(*asked)
    run = Run(config, tmp_path, tmp_path, tmp_path)
    stages = {stage.name: stage for stage in STAGES}
    found: set[str] = set()
    monkeypatch.setattr(executor.shutil, "which", lambda name: name if name in found else None)
    monkeypatch.setattr(executor, "runtime_version", lambda name: "1" if name in found else None)
    before = {name: executor._outside(stage, run) for name, stage in stages.items()}
    found |= {"edgetpu_compiler", "tflite-runtime"}
    after = {name: executor._outside(stage, run) for name, stage in stages.items()}
    assert {name for name in stages if before[name] != after[name]} == {"export", "verify"}
