"""Any set of the TensorFlow Datasets catalogue, by name, through its own builder.

A set that is neither prepared nor fetched, on a machine without a network, is refused in seconds:
TFDS itself would retry for minutes.
"""

import difflib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from pipeline.config.schema import TfdsSource
from pipeline.data.shards import Chunk
from pipeline.data.sources import Source
from pipeline.errors import ConfigError

PROBE_SECONDS = 4.0  # for a host to answer; a name that does not resolve fails at once
BATCH = 1024


def open_tfds(source: TfdsSource, base: Path) -> Source:
    """Prepare the set where it is not, and describe its samples."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    data_dir = str(base / source.data_dir) if source.data_dir else os.environ.get("TFDS_DATA_DIR")
    try:
        builder = tfds.builder(source.name, data_dir=data_dir)
    except (tfds.core.registered.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise ConfigError(_unknown(source.name, tfds.list_builders(), error)) from error
    _prepare(tfds, builder, source, base)
    _check_names(builder, source)
    label = builder.info.features[source.label]
    names = tuple(label.names) if isinstance(label, tfds.features.ClassLabel) else None
    kinds: dict[str, Any] = {}
    for name in source.inputs:
        is_image = isinstance(builder.info.features[name], tfds.features.Image)
        kinds[name] = "image" if is_image else "table"
    columns = {name: [name] for name, kind in kinds.items() if kind == "table"}
    return Source(kinds, names, lambda: _read(tfds, builder, source, names), columns=columns)


def _unknown(name: str, known: list[str], error: Exception) -> str:
    near = difflib.get_close_matches(name.split("/")[0].split(":")[0], known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return (
        f"data.source.name: TFDS knows no set {name!r}{hint} ({str(error).strip().splitlines()[0]})"
    )


def _prepare(tfds: Any, builder: Any, source: TfdsSource, base: Path) -> None:
    """Download and prepare, after making sure that it can end well."""
    if builder.data_path.exists():
        return
    manual = base / source.manual_dir if source.manual_dir else None
    download_dir = (
        Path(str(builder.data_path.parents[len(Path(builder.info.full_name).parts) - 1]))
        / "downloads"
    )
    missing = _hosts_of_missing(builder, download_dir)
    unreachable = [host for host in missing if not _answers(host)]
    if unreachable:
        raise ConfigError(
            f"data.source.name: {source.name} is not prepared in {builder.data_path}, its files are not in "
            f"{download_dir}, and {', '.join(unreachable)} cannot be reached. Prepare it on a machine with a "
            "network and copy the folder, or set data.source.data_dir to where it lies"
        )
    config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False)
    try:
        builder.download_and_prepare(download_dir=download_dir, download_config=config)
    except (AssertionError, OSError, tfds.download.DownloadError) as error:
        raise ConfigError(
            f"data.source.name: {source.name} could not be prepared: {error}"
        ) from error


def _hosts_of_missing(builder: Any, download_dir: Path) -> list[str]:
    """Return the hosts of registered files that the download cache does not hold."""
    from tensorflow_datasets.core.download import resource

    hosts = {}
    for url, info in (builder.url_infos or {}).items():
        name = resource.get_dl_fname(url, info.checksum)
        places = (download_dir / name, download_dir / builder.name / name)
        if not any(place.exists() for place in places):
            hosts[urlsplit(url).hostname or url] = None
    return list(hosts)


def _answers(host: str) -> bool:
    try:
        with socket.create_connection((host, 443), timeout=PROBE_SECONDS):
            return True
    except OSError:
        return False


def _check_names(builder: Any, source: TfdsSource) -> None:
    """Refuse features and splits that the set does not have, all at once."""
    features, problems = list(builder.info.features), []
    for key, name in [("inputs", name) for name in source.inputs] + [("label", source.label)]:
        if name not in features:
            problems.append(
                f"data.source.{key}: {source.name} has no feature {name!r}; it has {', '.join(features)}"
            )
    for ours, theirs in source.splits.items():
        try:
            _ = builder.info.splits[theirs].num_examples
        except (KeyError, ValueError) as error:
            known = ", ".join(builder.info.splits)
            problems.append(
                f"data.source.splits.{ours}: {source.name} has no split {theirs!r}; it has {known} ({type(error).__name__})"
            )
    if problems:
        raise ConfigError(*problems)


def _read(
    tfds: Any, builder: Any, source: TfdsSource, names: tuple[str, ...] | None
) -> Iterator[Chunk]:
    """Yield batches of every split that the config names, in the order of the files."""
    config = tfds.ReadConfig(shuffle_seed=None, interleave_cycle_length=1, try_autocache=False)
    for part, theirs in source.splits.items():
        dataset = builder.as_dataset(split=theirs, shuffle_files=False, read_config=config)
        done = 0
        for batch in _batches(dataset, source):
            labels = np.asarray(batch[source.label])
            if names is not None and (labels < 0).any():
                raise ConfigError(
                    f"data.source.splits.{part}: {theirs} of {source.name} has samples without a label"
                )
            labels = labels.astype(np.int64 if names is not None else np.float32)
            values = {name: _rows(batch[name]) for name in source.inputs}
            yield Chunk(
                values, labels, [f"{theirs}_{done + i:08d}" for i in range(len(labels))], part
            )
            done += len(labels)


def _batches(dataset: Any, source: TfdsSource) -> Iterator[dict[str, Any]]:
    """Yield batches as NumPy arrays; samples must have one shape."""
    kept = dataset.map(
        lambda sample: {name: sample[name] for name in (*source.inputs, source.label)}
    )
    shapes = {name: spec.shape for name, spec in kept.element_spec.items()}
    if all(shape.is_fully_defined() for shape in shapes.values()):
        yield from kept.batch(BATCH).as_numpy_iterator()
        return
    first: dict[str, Any] = {}
    for sample in kept.as_numpy_iterator():
        for name in source.inputs:
            if np.shape(sample[name]) != first.setdefault(name, np.shape(sample[name])):
                raise ConfigError(
                    f"data.source.inputs: {name} of {source.name} comes in several sizes ({first[name]}, "
                    f"{np.shape(sample[name])}, …); export it to a folder and use kind: image_folder, which resizes"
                )
        yield {name: np.asarray(value)[None] for name, value in sample.items()}


def _rows(values: Any) -> Any:
    """Return values with at least one axis a sample; numbers that are no images as float32."""
    values = np.asarray(values)
    values = values[:, None] if values.ndim == 1 else values
    return values if values.dtype == np.uint8 else values.astype(np.float32)
