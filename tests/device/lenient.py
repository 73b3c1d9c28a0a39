"""Functions of pipeline/ondevice for tests, whose documents are dicts of what matters alone."""

import functools
import inspect
import types

from pipeline.ondevice import (
    audio,
    decide,
    files,
    predict,
    prepare,
    sanitize,
    series,
    sound_files,
    tokens,
)  # fmt: skip

LEFT_OUT = {
    "sanitize", "columns", "every", "anomaly", "abstain", "detector", "channel", "input_range",
}  # fmt: skip
DOCUMENTS = {"entry", "entries", "preprocess", "anomaly", "rule", "column"}


class _Lenient(types.SimpleNamespace):
    """What tests and training leave out is null."""

    def __getattr__(self, name):
        if name in LEFT_OUT:
            return None
        raise AttributeError(name)


def to_object(value):
    """Return nested dicts as objects with attributes."""
    if isinstance(value, dict):
        if set(value) <= {"int8", "int16x8", "float32", "float16", "dynamic"}:
            return {key: to_object(item) for key, item in value.items()}
        return _Lenient(**{key: to_object(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (dict, list)):
        return [to_object(item) for item in value]
    return value


def to_dict(value):
    """Return what `to_object` made of dicts as dicts."""
    if isinstance(value, (_Lenient, dict)):
        fields = value if isinstance(value, dict) else vars(value)
        return {key: to_dict(item) for key, item in fields.items()}
    return [to_dict(item) for item in value] if isinstance(value, list) else value


def _ask_with_dict(predict, raw, preprocess):
    return predict(raw, to_dict(preprocess))


def _take_dicts(function):
    names = list(inspect.signature(function).parameters)

    @functools.wraps(function)
    def call(*arguments, **named):
        named.update(zip(names, arguments, strict=False))
        for name in DOCUMENTS & set(named):
            named[name] = to_object(named[name])
        if "predict" in named:
            named["predict"] = functools.partial(_ask_with_dict, named["predict"])
        return function(**named)

    return call


prepare_input = _take_dicts(prepare.prepare_input)
prepare_inputs = _take_dicts(prepare.prepare_inputs)
check_samples = _take_dicts(prepare.check_samples)
find_out_of_range = _take_dicts(prepare.find_out_of_range)
decode_outputs = _take_dicts(predict.decode_outputs)
mask_detector_inputs = _take_dicts(predict.mask_detector_inputs)
anomaly_scores = _take_dicts(predict.anomaly_scores)
run_model = _take_dicts(predict.run_model)
decide_samples = _take_dicts(decide.decide_samples)
decide_outputs = _take_dicts(decide.decide_outputs)
abstain_rule = _take_dicts(decide.abstain_rule)
detector_limit = _take_dicts(decide.detector_limit)
value_limits = _take_dicts(sanitize.value_limits)
split_tokens = _take_dicts(tokens.split_tokens)
read_samples = _take_dicts(files.read_samples)
read_recording = _take_dicts(sound_files.read_recording)
read_numbers = _take_dicts(series.read_numbers)
fit_series_length = _take_dicts(series.fit_series_length)
encode_audio = _take_dicts(audio.encode_audio)


def squeeze_samples(raw, entry):
    """Return raw samples squeezed; see pipeline/ondevice/sanitize.py."""
    entry = to_object(entry)
    axes = 2 if entry.kind == "image" else 1
    return sanitize.squeeze_samples(raw, entry, axes)


def remove_squeezing(preprocess):
    """Return preprocess.json without the squeezing."""
    return to_dict(sanitize.remove_squeezing(to_object(preprocess)))
