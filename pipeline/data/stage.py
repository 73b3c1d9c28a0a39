"""Prepare the data.

Reads the config's source; writes the dataset: shards, labels, ids, groups, splits, preprocess.json,
dataset.json, figures.npz.
"""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.arrays import Array
from pipeline.artifacts import Inputs, Metrics, write_arrays
from pipeline.config.augment_schema import FITS
from pipeline.config.schema import Config
from pipeline.config.source_rules import cuts_by_time, is_windowed
from pipeline.config.space_rules import unfit_for_inputs
from pipeline.data import findings, leakage, near_duplicates
from pipeline.data.dataset import PARTS
from pipeline.data.exact_duplicates import exact_copies
from pipeline.data.figures import figures
from pipeline.data.freed_arrays import return_freed_arrays
from pipeline.data.id_patterns import groups_of, held_out
from pipeline.data.labels import (
    anomaly_labels,
    class_labels,
    class_order,
    in_given_order,
    refuse_one_kind,
    target_labels,
)
from pipeline.data.memmap_arrays import filter_array, join_arrays, take_rows
from pipeline.data.preprocess import fit_target
from pipeline.data.recordings import recordings_of
from pipeline.data.samples import Finding, Source
from pipeline.data.sanitize import fit_sanitizing
from pipeline.data.shards import Shards, open_shards
from pipeline.data.sources import SOURCES
from pipeline.data.split import (
    Parts,
    Wish,
    calibration,
    refuse_untrained,
)
from pipeline.data.store import Stored, store
from pipeline.data.unlabeled import UNLABELED, hide, split_known, without_label
from pipeline.documents.dataset import DataFinding, DatasetDocument, ReportGroups, StoredLabels
from pipeline.documents.preprocess import Entry, Preprocess
from pipeline.documents.target import Target
from pipeline.errors import ConfigError
from pipeline.samples import KINDS
from pipeline.seeds import fold_seed
from pipeline.tasks import TASKS

log = logging.getLogger(__name__)

BY_GROUP = "group"  # as data.report_groups: the groups that the split goes by


@dataclass(frozen=True)
class _Labelled:
    """All samples, with the labels as the task has them."""

    stored: Stored
    labels: Array
    names: tuple[str, ...] | None
    groups: Array | None
    report: Array | None


def run(config: Config, inputs: Inputs, out: Path) -> Metrics:
    """Read every sample once, cut the set into parts, and fit the preprocessing on train."""
    return_freed_arrays()
    column = config.data.report_groups
    column = None if column == BY_GROUP else column
    source = SOURCES[config.data.source.kind](config.data.source, inputs.base, column)
    _refuse_unfit(config, source)
    data = _labeled(config, source, store(source, out), base=inputs.base)
    parts = _parts(config, data)
    shards = {entry.name: open_shards(out, entry) for entry in data.stored.inputs}
    seen = join_arrays([parts["train"], parts[UNLABELED]]) if UNLABELED in parts else None
    entries, found = _fit(config, source, shards, parts["train"] if seen is None else seen)
    target = _target(config, take_rows(data.labels, parts["train"])) if data.names is None else None
    labels = None if data.names is None else list(data.names)
    document = Preprocess(task=config.task, labels=labels, inputs=entries, target=target)
    document.write(out / "preprocess.json")
    found = [*data.stored.findings, *found, *_noticed(config, data, parts, entries, shards)]
    _save(out, data, parts)
    _meta(config, data, parts, found).write(out / "dataset.json")
    drawn = figures(shards, entries, data.labels, parts=parts, names=data.names)
    write_arrays(out / "figures.npz", drawn)
    shown = (*PARTS, UNLABELED) if UNLABELED in parts else PARTS
    counts = {name: (float(len(parts[name])), "samples") for name in shown}
    for finding in found:
        if finding.level == "warning":
            log.info("          warning: %s", finding.text)
    warnings = sum(finding.level == "warning" for finding in found)
    return Metrics(counts | {"warnings": (float(warnings), "")})


def _refuse_unfit(config: Config, source: Source) -> None:
    """Refuse settings for samples of another form than the source has."""
    problems = [
        f"data.augment[{position}]: {change.kind} is for {' and '.join(FITS[change.kind])}; this "
        f"source gives {spec.name} ({spec.kind}); leave it out"
        for position, change in enumerate(config.data.augment)
        for spec in source.inputs
        if KINDS[spec.kind].augmented_as not in FITS[change.kind]
    ]
    if TASKS[config.task].can_be_attacked:
        if config.harden is not None:
            attack = config.harden.attack
            problems += unfit_for_inputs("harden.attack", attack, source.inputs)
        if config.audit is not None:
            problems += unfit_for_inputs("audit", config.audit, source.inputs)
    if problems:
        raise ConfigError(*problems)


def _labeled(config: Config, source: Source, stored: Stored, *, base: Path) -> _Labelled:
    """Return the labels as the task wants them, and the groups as the config names them."""
    labels, names = stored.labels, None
    if TASKS[config.task].has_classes:
        labels, names = class_labels(source, stored.labels, stored.parts)
        if (given := class_order(config.data.source, base)) is not None:
            labels, names = in_given_order(labels, names, given)
        if TASKS[config.task].learns_normal:
            labels, names = anomaly_labels(labels, names, config.data.normal)
        elif config.data.unlabeled is not None:
            labels, names = without_label(labels, names, config.data.unlabeled)
    else:
        labels = target_labels(config.task, source, stored.labels)
    pattern = config.data.split.pattern
    groups = stored.groups if pattern is None else groups_of(stored.ids, pattern)
    report = stored.report
    if config.data.report_groups == BY_GROUP:
        if groups is None:
            raise ConfigError(
                "data.report_groups: group was asked for and nothing says what belongs together; "
                "wanted data.split.pattern, or a source with groups"
            )
        report = groups
    return _Labelled(stored, labels, names, groups, report)


def _target(config: Config, targets: Array) -> Target:
    """Return the scaling of the target; a forecast is a change of the first channel."""
    scaling = fit_target(targets)
    if not TASKS[config.task].takes_changes:
        return Target(**scaling)
    return Target(**scaling, channel=0, horizon=getattr(config.data.source, "horizon", 1))


def _parts(config: Config, data: _Labelled) -> Parts:
    """Return the positions of train, validation, test and calibration."""
    settings, is_classes = config.data.split, data.names is not None
    given = data.stored.parts
    if settings.by != "given":
        given = np.broadcast_to(np.int8(0), len(data.labels))
    if settings.test_pattern is not None:
        given = held_out(data.stored.ids, settings.test_pattern)
    seed, by_time = fold_seed(config.seed, "split"), cuts_by_time(config.data.source)
    wish = Wish(settings.by, settings.test, settings.validation, seed, cuts_by_time=by_time)
    parts = split_known(
        data.labels,
        given,
        wish,
        is_classes=is_classes,
        groups=_uncut(config, data),
        times=data.stored.times,
    )
    if TASKS[config.task].learns_normal:
        refuse_one_kind(data.labels, parts)
        parts["train"] = filter_array(parts["train"], lambda own: data.labels[own] == 0)
    elif data.names is not None:
        refuse_untrained(data.labels, parts, data.names)
    if config.data.labeled is not None:
        seed = fold_seed(config.seed, "labelled")  # the older spelling keeps the bytes
        parts = hide(parts, data.labels, config.data.labeled, is_classes=is_classes, seed=seed)
    parts["calibration"] = calibration(
        parts["train"],
        data.labels,
        samples=config.data.calibration_samples,
        is_classes=is_classes,
        seed=fold_seed(config.seed, "calibration"),
    )
    return parts


def _uncut(config: Config, data: _Labelled) -> Array | None:
    """Return the group (N,) of each sample, which one split must hold; None: there are none."""
    source = config.data.source
    is_named = getattr(source, "group", None) is not None or cuts_by_time(source)
    if config.data.split.by != "given" or is_named:
        return data.groups
    return recordings_of(data.stored.ids) if is_windowed(config.data.source) else None


def _fit(
    config: Config, source: Source, shards: dict[str, Shards], train: Array
) -> tuple[list[Entry], list[Finding]]:
    """Return the preprocessing of each input, and the findings of fitting it."""
    entries, found = [], []
    wish = config.data.sanitize.model_dump() | {"is_limited": not TASKS[config.task].has_threshold}
    for spec in source.inputs:
        entry, constant = KINDS[spec.kind].fit(spec, shards[spec.name], train)
        sanitize = fit_sanitizing(entry, shards[spec.name], train, wish=wish)
        entries.append(entry.model_copy(update={"sanitize": sanitize}))
        found += findings.constant_columns(constant)
        found += findings.far_apart(entry)
    return entries, found


def _noticed(
    config: Config,
    data: _Labelled,
    parts: Parts,
    entries: list[Entry],
    shards: dict[str, Shards],
) -> list[Finding]:
    """Return the findings on the samples and the splits."""
    stored, train = data.stored, parts["train"]
    copies, is_by_time = exact_copies(parts, stored.digests), _spans_parts(config)
    found = [
        *findings.parts_pooled(stored.parts, config.data.split.by),
        *findings.in_no_part(
            len(data.labels),
            parts,
            is_detector=TASKS[config.task].learns_normal,
            has_times=stored.times is not None,
        ),
        *findings.fewer_calibrated(config.data.calibration_samples, len(parts["calibration"])),
        *findings.look(data.labels, parts, stored.digests, class_names=data.names, copies=copies),
        *leakage.augmented_copies(stored.ids, parts),
        *leakage.shared_groups(None if is_by_time else data.groups, parts),
    ]

    def read(positions: Array) -> dict[str, Array]:
        return {name: own.take(positions) for name, own in shards.items()}

    is_class = data.names is not None
    found += leakage.predicting_columns(
        read, entries, data.labels, parts=parts, has_classes=is_class
    )
    sketched = near_duplicates.sketches(read, entries, parts)
    kind = entries[0].kind
    found += near_duplicates.near_copies(sketched, kind, copies, is_by_time=is_by_time)
    if data.names is not None:
        some = train[: near_duplicates.DOUBTED]
        found += near_duplicates.doubtful_labels(
            sketched, data.labels[some], stored.ids[some], names=data.names
        )
    return found + near_duplicates.drift(findings.known_values(entries, read, parts), sketched)


def _spans_parts(config: Config) -> bool:
    """Tell whether the split cuts every group: by time, each has a part of its own in all."""
    by = config.data.split.by
    return by == "time" or (by == "given" and cuts_by_time(config.data.source))


def _save(out: Path, data: _Labelled, parts: Parts) -> None:
    """Write the arrays with one value a sample, and the parts."""
    np.save(out / "labels.npy", data.labels)
    if data.stored.times is not None:
        np.save(out / "times.npy", data.stored.times)
    for name, values, written in (
        ("groups", data.groups, data.stored.groups),
        ("report", data.report, data.stored.report),
    ):
        if values is not None and values is not written:
            np.save(out / f"{name}.npy", values)
    write_arrays(out / "splits.npz", parts)


def _meta(config: Config, data: _Labelled, parts: Parts, found: list[Finding]) -> DatasetDocument:
    """Return the contents of dataset.json."""
    report = None
    if data.report is not None:
        report = ReportGroups(name=str(config.data.report_groups), file="report.npy")
    names = None if data.names is None else list(data.names)
    return DatasetDocument(
        task=config.task,
        samples=len(data.labels),
        inputs=data.stored.inputs,
        labels=StoredLabels(file="labels.npy", names=names),
        ids="ids.npy",
        groups=None if data.groups is None else "groups.npy",
        windows=is_windowed(config.data.source),
        timestamps=None if data.stored.times is None else "times.npy",
        report_groups=report,
        splits={name: len(part) for name, part in parts.items()},
        fingerprint=data.stored.fingerprint,
        findings=[DataFinding(**asdict(finding)) for finding in found],
    )
