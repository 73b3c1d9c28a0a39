"""What all trials of a search have in common, and the config that a trial's values make."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.artifacts import sha256_file, sha256_json
from pipeline.audit.reach import reach_of
from pipeline.compress.calibration import write_calibration
from pipeline.config.rules import broken_rules
from pipeline.config.schema import Config, Train
from pipeline.config.space_schema import settings_of
from pipeline.config.tune_space import laid_over
from pipeline.data.dataset import Dataset, open_dataset, with_decision
from pipeline.documents.spec import Spec
from pipeline.errors import ConfigError
from pipeline.models.describe import describe
from pipeline.models.graph import FROM_OUTSIDE
from pipeline.source_hash import hash_source
from pipeline.tasks import TASKS
from pipeline.train.decision import decision_with_range

STEPS = 20  # of the attack, where audit does not say
# These settings do not change the result of a trial.
ELSEWHERE = (
    "name", "verify", "gate", "report", "baseline", "compress", "harden", "audit", "tune", "export"
)  # fmt: skip
PACKAGES = ("edgeline", "tensorflow", "keras", "ai-edge-litert", "ai-edge-quantizer")


@dataclass(frozen=True)
class Bench:
    """All that trials have in common."""

    config: Config
    spec: Spec
    dataset: Dataset
    start: Path
    """Folder of the spec, and of the weights that training starts from, where they are given."""
    work: Path
    """Folder of the trials' own folders."""
    logs: Path
    """Folder of their TensorBoard logs."""
    threads: int | None = None
    """That compute, where not all cores do: the bits of a training depend on their number."""

    @property
    def form(self) -> str:
        """The format that is measured."""
        ships = self.config.export.ships
        return "int8" if ships == "auto" else ships

    @cached_property
    def key(self) -> dict[str, str]:
        """Return name -> hash of what decides, beside its values, what comes of a trial."""
        config = self.config.model_dump(mode="json", exclude=set(ELSEWHERE))
        tune, export = self.config.tune, self.config.export
        assert tune is not None  # else there is no search
        asked = tune.model_dump(mode="json", include={"objective", "robust", "limits"})
        data = self.dataset
        files = [sha256_file(data.folder / n) for n in ("splits.npz", "preprocess.json")]
        file = [self.form, export.io, export.targets, self.config.compress.quantize.weight_scales]
        attack = attack_of(self.config) if tune.robust else None
        parts = {
            "code": hash_source("pipeline.tune.trial"),
            "config": [config, asked, file, attack],
            "data": [data.meta.fingerprint, *files],
            "network": self.spec.dump(),
            "packages": {name: version(name) for name in PACKAGES},
            "threads": self.threads,
        }
        return {name: sha256_json(part) for name, part in parts.items()}


def bench_of(
    config: Config,
    spec: Spec,
    dataset: Path,
    *,
    start: Path,
    work: Path,
    logs: Path,
    threads: int | None = None,
) -> Bench:
    """Return the bench, with the calibration samples in its work folder.

    Args:
        config: the whole config; a trial is one, with other values.
        spec: as `build` wrote it.
        dataset: folder of the prepared data.
        start: folder of the spec.
        work: folder for all that is made here.
        logs: folder for TensorBoard logs.
        threads: that compute; None: all.
    """
    opened = open_dataset(dataset)
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(config, spec, opened, start, work, logs, threads)
    scores = ("reconstruction", "forecast") if TASKS[config.task].predicts_input else (None,)
    for score in scores:
        if not (path := calibration_of(bench, score)).exists():
            seen = opened
            if score is not None:
                seen = with_decision(opened, decision_with_range(opened, score))
            write_calibration(seen, path)
    return bench


def calibration_of(bench: Bench, score: str | None) -> Path:
    """Return calibration.npz for what a network is given: of detectors it depends on the score."""
    return bench.work / (f"calibration_{score}.npz" if score else "calibration.npz")


def attack_of(config: Config) -> tuple[dict[str, Any], int]:
    """Return what an attacker moves, as audit or harden say, and in how many steps.

    The first is what `harden.fit_threat_model.fit_threat_model` takes.
    """
    audit, hardened = config.audit, config.harden
    reach = reach_of(
        None if audit is None else settings_of(audit),
        None if hardened is None else settings_of(hardened.attack),
    )
    return reach, STEPS if audit is None else audit.steps


def apply_trial(bench: Bench, values: Mapping[str, Any]) -> tuple[Config, Spec]:
    """Return config and spec with a trial's values.

    Raises:
        ConfigError: these values do not go together.
    """
    data = laid_over(bench.config.model_dump(mode="json"), values)
    try:
        config = Config.model_validate_json(json.dumps(data | {"tune": None}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{where}: {first['msg']}") from None
    plain = bench.config.model_copy(update={"tune": None})
    known = set(broken_rules(plain, bench.start, set()))
    for path, message in broken_rules(config, bench.start, set()):
        if (path, message) not in known:
            raise ConfigError(f"{'.'.join(map(str, path))}: {message}")
    if config.model.kind in FROM_OUTSIDE:
        return config, bench.spec
    return config, describe(config.model, bench.dataset, task=config.task, seed=config.seed)


def shorten_training(settings: Train, epochs: int) -> Train:
    """Return the settings of a training of fewer epochs: its parts are shorter in proportion."""
    share = min(1.0, epochs / max(1, settings.epochs))
    changed: dict[str, Any] = {
        "epochs": epochs, "pretrain": None, "distill": None, "learning_curve": False
    }  # fmt: skip
    schedule, freeze = settings.schedule, settings.freeze
    warmup = getattr(schedule, "warmup_epochs", 0.0)
    if share < 1 and warmup:
        changed["schedule"] = schedule.model_copy(update={"warmup_epochs": warmup * share})
    if share < 1 and freeze is not None:
        frozen = min(max(1, round(freeze.epochs * share)), epochs - 1)
        changed["freeze"] = freeze.model_copy(update={"epochs": frozen}) if frozen else None
    return settings.model_copy(update=changed)
