"""Any set of the TensorFlow Datasets catalog, by name: images, sound, text and numbers.

`tfds_prepare.py` sees to it that the set lies on this machine; here it is described and read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.arrays import Array
from pipeline.config.schema import Sound, TfdsSource
from pipeline.data.samples import Chunk, Source
from pipeline.data.sound import recording, sound_input
from pipeline.data.text_source import words_input
from pipeline.data.tfds_prepare import prepared_builder
from pipeline.documents.preprocess import AudioEntry, TokensEntry
from pipeline.errors import ConfigError
from pipeline.ondevice.tokens import encode_text
from pipeline.samples.kind import Input
from pipeline.tensorflow_env import import_quietly

BATCH = 1024  # samples that are read at once where all have one shape


def open_tfds(source: TfdsSource, base: Path, report: str | None) -> Source:
    """Prepare the set where it is not, and describe its samples.

    Raises:
        ConfigError: no such set, split or feature; a feature that no model takes; or
            the set is not here and cannot be fetched.
    """
    import_quietly("tensorflow")
    tfds = import_quietly("tensorflow_datasets")

    builder = prepared_builder(source, base)
    features = _flat(builder.info.features, tfds.features.FeaturesDict)
    problems = _unknown_features(source, features) + _unknown_splits(source, builder)
    if problems:
        raise ConfigError(*problems)
    inputs = tuple(_input(tfds, source, name, features[name]) for name in source.inputs)
    label = features[source.label]
    if label.shape != () or not _is_numeric(label):
        raise ConfigError(
            f"data.source.label: {source.label!r} of {source.name} is {_words(label)}; "
            "wanted one class or one number a sample"
        )
    return Source(
        inputs,
        _label_kind(tfds, label),
        tuple(label.names) if isinstance(label, tfds.features.ClassLabel) else None,
        lambda: _read(tfds, builder, source, inputs, _rates(source, features)),
    )


def _label_kind(tfds: Any, label: Any) -> Literal["class", "integer", "number"]:
    """Return the kind of the labels, as `Source.label_kind`."""
    if isinstance(label, tfds.features.ClassLabel):
        return "class"
    return "number" if np.dtype(label.np_dtype).kind == "f" else "integer"


def _flat(tree: Any, kind: type) -> dict[str, Any]:
    """Return path -> leaf of nested dictionaries; the levels of a path are joined by `/`."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, kind):
            found |= {f"{key}/{path}": leaf for path, leaf in _flat(value, kind).items()}
        else:
            found[key] = value
    return found


def _unknown_features(source: TfdsSource, features: dict[str, Any]) -> list[str]:
    asked = [("inputs", name) for name in source.inputs] + [("label", source.label)]
    asked += [("name_feature", source.name_feature)] if source.name_feature else []
    return [
        f"data.source.{key}: {source.name} has no feature {name!r}; it has {', '.join(features)}"
        for key, name in asked
        if name not in features
    ]


def _unknown_splits(source: TfdsSource, builder: Any) -> list[str]:
    problems = []
    for ours, theirs in source.splits.items():
        try:
            count = builder.info.splits[theirs].num_examples
        except (KeyError, ValueError, AssertionError):
            known = ", ".join(
                f"{name} ({split.num_examples})" for name, split in builder.info.splits.items()
            )
            problems.append(
                f"data.source.splits.{ours}: {source.name} has no split {theirs!r}; it has {known}"
            )
        else:
            if not count:
                problems.append(
                    f"data.source.splits.{ours}: {theirs!r} of {source.name} holds no sample"
                )
    return problems


def _input(tfds: Any, source: TfdsSource, name: str, feature: Any) -> Input:
    """Describe an input.

    Raises:
        ConfigError: it is neither an image of whole numbers, nor sound, nor text, nor numeric.
    """
    dataset = source.name
    if isinstance(feature, tfds.features.Audio):
        return sound_input(name, _sound(source, name, feature))
    if isinstance(feature, tfds.features.Text):
        return words_input(name, source.words)
    if isinstance(feature, tfds.features.Image) and np.dtype(feature.np_dtype).kind == "u":
        return Input(name, "image")
    is_number = _is_numeric(feature) and not isinstance(feature, tfds.features.ClassLabel)
    if not is_number or isinstance(feature, tfds.features.Image):
        raise ConfigError(
            f"data.source.inputs: {name!r} of {dataset} is {_words(feature)}; "
            "wanted an image of whole numbers, sound, text, or numbers"
        )
    is_ragged = None in feature.shape
    width = 1 if feature.shape == () else feature.shape[-1]
    if width is None:
        return Input(name, "table", is_ragged=is_ragged)
    columns = (name,) if feature.shape == () else tuple(f"{name}_{i}" for i in range(width))
    return Input(name, "table", is_ragged=is_ragged, columns=columns)


def _sound(source: TfdsSource, name: str, feature: Any) -> Sound:
    """Return how an audio feature is heard: as the config says, or at its own rate."""
    if source.sound is not None:
        return source.sound
    rate = feature.sample_rate
    if rate is None:
        raise ConfigError(
            f"data.source.sound: {source.name} does not say the sample rate of {name!r}; wanted "
            "one, such as {sample_rate: 16000, seconds: 1.0}"
        )
    return Sound(sample_rate=int(rate))


def _rates(source: TfdsSource, features: dict[str, Any]) -> dict[str, int]:
    """Return name -> the rate at which a set stores its sound, where it says so."""
    rates = {name: getattr(features[name], "sample_rate", None) for name in source.inputs}
    return {name: int(rate) for name, rate in rates.items() if rate is not None}


def _is_numeric(feature: Any) -> bool:
    """Tell whether a feature is one array of numbers or truth values."""
    return isinstance(feature.shape, tuple) and np.dtype(feature.np_dtype).kind in "biuf"


def _words(feature: Any) -> str:
    """Describe a feature in a message."""
    return f"{type(feature).__name__} of shape {feature.shape}"


def _read(
    tfds: Any,
    builder: Any,
    source: TfdsSource,
    inputs: tuple[Input, ...],
    rates: dict[str, int],
) -> Iterator[Chunk]:
    """Yield the samples of every split that the config names, in the order of the files."""
    config = tfds.ReadConfig(add_tfds_id=True, try_autocache=False, interleave_cycle_length=1)
    named = () if source.name_feature is None else (source.name_feature,)
    wanted = (*source.inputs, source.label, *named)
    sizes: dict[str, tuple[int, ...]] = {}
    for part, theirs in source.splits.items():
        dataset = builder.as_dataset(split=theirs, shuffle_files=False, read_config=config)
        for batch in _batches(dataset, wanted):
            values = {spec.name: _values(batch[spec.name], spec, rates) for spec in inputs}
            _refuse_mixed(values, inputs, sizes, source.name)
            yield Chunk(
                values,
                np.asarray(batch[source.label]),
                _ids(batch, builder.name, source.name_feature),
                part,
            )


def _batches(dataset: Any, wanted: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Yield name -> array of samples, or a list of one sample where shapes are not fixed."""

    def keep(sample: Any) -> Any:
        flat = _flat(sample, dict)
        return {name: flat[name] for name in (*wanted, "tfds_id")}

    kept = dataset.map(keep)
    if all(spec.shape.is_fully_defined() for spec in kept.element_spec.values()):
        yield from kept.batch(BATCH).as_numpy_iterator()
        return
    for sample in kept.as_numpy_iterator():
        yield {name: [np.asarray(value)] for name, value in sample.items()}


def _values(values: Any, spec: Input, rates: dict[str, int]) -> Any:
    """Return a chunk's values of one input; a single number a sample becomes an array of one."""
    if spec.kind in READ:
        return READ[spec.kind](values, spec, rates)
    if spec.is_ragged:
        return [_plain(sample) for sample in values]
    values = _plain(np.asarray(values))
    return values[:, None] if values.ndim == 1 else values


def _refuse_mixed(
    values: dict[str, Any],
    inputs: tuple[Input, ...],
    sizes: dict[str, tuple[int, ...]],
    dataset: str,
) -> None:
    """Refuse images of another size than the first, whose sizes are kept in `sizes`.

    Raises:
        ConfigError: sizes differ.
    """
    for spec in inputs:
        if spec.is_ragged:
            continue
        size = values[spec.name].shape[1:]
        if sizes.setdefault(spec.name, size) != size:
            raise ConfigError(
                f"data.source.inputs: the images {spec.name!r} of {dataset} have different sizes "
                f"({sizes[spec.name]}, {size}); wanted one. Export them into class folders and use "
                "kind: image_folder, whose height and width resize them"
            )


def _read_recordings(values: Any, spec: Input, rates: dict[str, int]) -> Any:
    entry = spec.template
    assert isinstance(entry, AudioEntry)
    rate = rates.get(spec.name, entry.sample_rate)
    return np.stack([recording(np.asarray(s), rate, entry) for s in values])


def _read_texts(values: Any, spec: Input, rates: dict[str, int]) -> Any:
    entry = spec.template
    assert isinstance(entry, TokensEntry)
    texts = (bytes(np.asarray(s).item()).decode() for s in values)
    return [encode_text(text, entry.max_bytes) for text in texts]


READ = {"audio": _read_recordings, "tokens": _read_texts}  # kinds that this source encodes


def _plain(values: Array) -> Array:
    """Return truth values as 0 and 1 in a byte, and doubles as floats: models see no more."""
    narrowed = {"bool": np.uint8, "float64": np.float32}.get(values.dtype.name)
    return values if narrowed is None else values.astype(narrowed)


def _ids(batch: dict[str, Any], dataset: str, feature: str | None) -> list[str]:
    """Return the samples' names: those of a feature, or TFDS's own."""
    if feature is None:
        return [_id(raw, dataset) for raw in batch["tfds_id"]]
    return [bytes(np.asarray(raw).item()).decode() for raw in batch[feature]]


def _id(raw: Any, dataset: str) -> str:
    """Shorten TFDS's name of a sample: `train-00000-of-00001__42`."""
    return (
        bytes(np.asarray(raw).item()).decode().removeprefix(dataset + "-").replace(".tfrecord", "")
    )
