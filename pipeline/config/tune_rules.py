"""Rules of `tune`: every path is a setting, its values may stand there, limits can be measured."""

import json
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from pipeline.config.document import Path, dotted_path
from pipeline.config.messages import explain, quote_value
from pipeline.config.schema import Config
from pipeline.config.shape import did_you_mean, one_of
from pipeline.config.source_rules import article, form_of
from pipeline.config.space_schema import SAID
from pipeline.config.tune_schema import Tune
from pipeline.config.tune_space import Space, conditions, contexts, ends, in_order, laid_over
from pipeline.targets.registry import compiler_of
from pipeline.tasks import TASKS

SEARCHED = ("model", "train", "data.batch_size", "data.augment")
GIVEN = ("file", "application")  # families whose network is made before the search
LEFT_OUT = {  # paths of train that a trial has not, or has from elsewhere
    "train.epochs": "a trial has tune.epochs; leave it out",
    "train.pretrain": "a trial is trained without; leave it out",
    "train.distill": "a trial is trained without; leave it out",
    "train.learning_curve": "it changes nothing in a trial; leave it out",
    "train.strategy": "it changes where a trial is trained, not what comes of it; leave it out",
}
BY_VELA = ("latency_ms", "sram_bytes")
MOST = 100_000  # trials of a grid; more is a mistake in the space

Finding = tuple[Path, str]
Rules = Callable[[Any, File, set[Any]], Iterator[Finding]]
Judge = Callable[[dict[str, Any]], list[Finding]]


def check_space(config: Config, base: File, broken_rules: Rules) -> Iterator[Finding]:
    """Yield what is wrong with the search space, path and message.

    Args:
        config: has `model`, `train` and `tune`; or is the sound part of a config.
        base: folder of the config file.
        broken_rules: what finds the mistakes of a whole config, among them those of a space.
    """
    tune = config.tune
    if tune is None:
        return
    space = {path: entry.model_dump(mode="json") for path, entry in tune.space.items()}
    wrong = {
        path: list(_entry_mistakes(path, space, tune.tuner, config.model.kind)) for path in space
    }
    for path in in_order(space)[1]:
        wrong[path].append("its condition goes round in a circle; take `when` out of one of them")
    for path, found in wrong.items():
        yield from ((("tune", "space", path), message) for message in found)
    sound = {path: entry for path, entry in space.items() if _is_sound(path, space, wrong)}
    yield from _misplaced(config, sound, lambda data: _broken(config, data, base, broken_rules))
    if len(sound) == len(space):
        yield from _too_many(tune, space)


def _is_sound(path: str, space: Space, wrong: dict[str, list[str]]) -> bool:
    """Tell whether neither an entry nor one that it depends on has a mistake."""
    return not wrong[path] and all(_is_sound(other, space, wrong) for other in space[path]["when"])


def _entry_mistakes(path: str, space: Space, tuner: str, kind: str) -> Iterator[str]:
    """Yield what is wrong with one entry in itself."""
    entry = space[path]
    if found := _range_mistake(entry) or _path_mistake(path, entry, kind):
        yield found
    if tuner == "grid" and "float" in entry and entry["points"] is None:
        yield "a grid needs the number of values between the ends; add points: 3, or use a choice"
    for other, wanted in conditions(entry).items():
        if found := _condition_mistake(other, wanted, space):
            yield f"when: {found}"


def _range_mistake(entry: Any) -> str | None:
    """Return what is wrong with a range in itself."""
    if "choice" in entry:
        texts = [json.dumps(value, sort_keys=True) for value in entry["choice"]]
        if len(set(texts)) < len(texts):
            return "a choice is listed twice; take one out"
        if len(texts) == 1 and not entry["when"]:
            return "one choice leaves nothing to search; wanted two, or `when`"
        return None
    low, high = entry["int"] if "int" in entry else entry["float"]
    if low >= high:
        return f"wanted the lowest value, then a higher one; came [{low:g}, {high:g}]"
    if "float" in entry and entry["log"] and low <= 0:
        return f"log: true needs values above 0; came [{low:g}, {high:g}]"
    if "int" in entry and entry["step"] > high - low:
        return f"the step {entry['step']} is wider than the range [{low}, {high}]"
    return None


def _path_mistake(path: str, entry: Any, kind: str) -> str | None:
    """Return why a path cannot be searched; unknown keys are found when a value is put there."""
    first = path.split(".")[0]
    is_inside = any((path + ".").startswith(allowed + ".") for allowed in SEARCHED)
    if not is_inside or path in ("model", "train"):
        near = did_you_mean(first if first != "data" else path, SEARCHED)
        return f"wanted a setting of {', '.join(SEARCHED)}, such as model.dropout{near}"
    for left_out, why in LEFT_OUT.items():
        if (path + ".").startswith(left_out + "."):
            return why
    if first == "model" and kind in GIVEN:
        return f"the network of {kind} is made before the search; wanted a setting of train"
    if path == "model.kind" and (made := [k for k in entry.get("choice", ()) if k in GIVEN]):
        return f"the network of {made[0]} is made before the search; take it out"
    return None


def _condition_mistake(path: str, wanted: list[Any], space: Space) -> str | None:
    """Return what is wrong with a condition."""
    if path not in space:
        near = did_you_mean(path, list(space))
        return f"{path} is not searched; wanted a path of tune.space{near}"
    if "choice" not in space[path]:
        return f"{path} is a range; wanted a path with a choice"
    offered = space[path]["choice"]
    unknown = [value for value in wanted if value not in offered]
    if unknown or not wanted:
        came = quote_value(unknown[0]) if unknown else "[]"
        near = did_you_mean(unknown[0], [str(v) for v in offered]) if unknown else ""
        words = one_of(tuple(quote_value(value) for value in offered))
        return f"{path} is never {came}; wanted {words}{near}"
    return None


def _misplaced(config: Config, space: Space, judge: Judge) -> Iterator[Finding]:
    """Yield each path at which one of its values may not stand, with the first reason."""
    dumped = config.model_dump(mode="json") | {"tune": None}
    known = set(judge(dumped))
    for path, entry in space.items():
        for values in _tried(space, path, entry):
            found = _value_mistake(config, dumped, values, path, judge, known)
            if found:
                others = {name: v for name, v in values.items() if name != path}
                where = " and ".join(f"{name} {quote_value(v)}" for name, v in others.items())
                hint = "" if set(others) <= set(entry["when"]) else "; `when` keeps it from there"
                told = f"where {where}: {found}{hint}" if where else found
                yield ("tune", "space", path), told
                break


def _tried(space: Space, path: str, entry: Any) -> Iterator[dict[str, Any]]:
    """Yield the values to look at: an entry's ends, beside all that decides what stands there."""
    for values in contexts(space, path):
        yield from ({**values, path: value} for value in ends(entry))


def _value_mistake(
    config: Config,
    dumped: dict[str, Any],
    values: dict[str, Any],
    path: str,
    judge: Judge,
    known: set[Finding],
) -> str | None:
    """Return why values may not stand in a config; None: they may."""
    try:
        data = laid_over(dumped, values)
        type(config).model_validate_json(json.dumps(data))
    except ValidationError as error:
        entry = error.errors(include_url=False)[0]
        found, message = explain(entry, type(config), data)
        return message if dotted_path(found) == path else f"{dotted_path(found)}: {message}"
    except ValueError as error:
        return _unknown_list(config, dumped, values, path) or str(error)
    new = [finding for finding in judge(data) if finding not in known]
    return f"{dotted_path(new[0][0])}: {new[0][1]}" if new else None


def _unknown_list(
    config: Config, dumped: dict[str, Any], values: dict[str, Any], path: str
) -> str | None:
    """Return what is wrong with the key of a list that is not there; None: the key is known."""
    above = path[: path.rindex(".")] if "." in path else path
    others = {name: value for name, value in values.items() if name != path}
    try:
        type(config).model_validate_json(json.dumps(laid_over(dumped, {**others, above: None})))
    except ValidationError as error:
        entry = error.errors(include_url=False)[0]
        is_unknown = entry["type"] == "extra_forbidden"
        return explain(entry, type(config), dumped)[1] if is_unknown else None
    except ValueError:
        return None
    return None


def _broken(config: Config, data: dict[str, Any], base: File, broken_rules: Rules) -> list[Finding]:
    """Return the problems that the other rules find; none where it is only a part of a config."""
    if not isinstance(config, Config):
        return []
    return list(broken_rules(Config.model_validate_json(json.dumps(data)), base, set()))


def _too_many(tune: Tune, space: Space) -> Iterator[Finding]:
    """Refuse a grid that no machine gets to the end of, where nothing else bounds it."""
    from pipeline.config.tune_space import grid

    if tune.tuner != "grid" or tune.max_trials is not None:
        return
    for number, _ in enumerate(grid(space), 1):
        if number > MOST:
            yield (
                ("tune", "space"),
                f"the grid has more than {MOST:,} trials; set tune.max_trials, or fewer points",
            )
            return


def objective_fits(config: Config, base: File) -> Iterator[Finding]:
    """Refuse what this task is not judged by."""
    if config.tune is None:
        return
    path, objective = ("tune", "objective"), config.tune.objective
    wanted = TASKS[config.task].metric_names
    if objective == "robust" and not config.tune.robust:
        yield path, "robust is measured where tune.robust is true; set it"
    elif objective not in ("auto", "robust", *wanted):
        yield path, f"{objective} is not measured for {config.task}; wanted {one_of(wanted)}"
    robust = ("tune", "robust")
    if config.tune.robust and not TASKS[config.task].can_be_attacked:
        yield robust, f"attacks are for classification; the task is {config.task}; wanted false"
    elif config.tune.robust and (form := _unbounded(config)) is not None:
        yield (
            robust,
            f"nothing says how far an attacker can move {article(form)}; "
            "wanted harden.attack, or audit's epsilon, columns or tokens, or false",
        )


def _unbounded(config: Config) -> str | None:
    """Return the form of samples without a threat model; None where there is one."""
    form = form_of(config.data.source)
    if config.harden is not None or form in (None, "image"):
        return None
    said = config.audit is not None and any(getattr(config.audit, n) is not None for n in SAID)
    return None if said else form


def limits_are_measured(config: Config, base: File) -> Iterator[Finding]:
    """Refuse limits, and a rule, that nothing will be compared with."""
    if config.tune is None:
        return
    limits = config.tune.limits
    compiled = any(
        compiler.estimates_costs
        for name in config.export.targets
        if (compiler := compiler_of(name)) is not None
    )
    for name in BY_VELA:
        if getattr(limits, name) is not None and not compiled:
            yield ("tune", "limits", name), NO_VELA
    if getattr(config.tune.pick, "by", None) in BY_VELA and not compiled:
        yield ("tune", "pick", "by"), NO_VELA
    if limits.arena_bytes is not None and "tflite-micro" not in config.verify.runtimes:
        yield (
            ("tune", "limits", "arena_bytes"),
            "tflite-micro says how much it is; add tflite-micro to verify.runtimes",
        )
    ships = config.export.ships
    if ships not in ("auto", "int8") and any(
        (getattr(limits, name) or inf) < inf for name in (*BY_VELA, "arena_bytes")
    ):
        yield ("tune", "limits"), f"Vela and tflite-micro take the int8 file, and {ships} ships"


NO_VELA = "Vela says how much it is; add an Ethos-U, such as ethos-u55-128, to export.targets"
