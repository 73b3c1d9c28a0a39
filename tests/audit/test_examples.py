"""Which attacked samples are kept, and that they are what the attacker held."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.audit.examples import SHOWN, choose_examples, examples
from pipeline.audit.points import PointResult
from pipeline.harden.threat_model import PerturbationSet
from pipeline.harden.word_substitution import WordSubstitution
from tests.documents.preprocess import preprocess_of
from tests.harden import fakes

CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "rows": (fakes.rows, {"columns": {"amount": {}, "kind": {}}}),
    "series": (fakes.series, {"channels": ["level"]}),
    "bands": (fakes.sounds, {"on": "bands"}),
    "waveform": (fakes.sounds, {"on": "waveform", "epsilon": 0.01}),
    "texts": (fakes.texts, {"kind": "substitute", "tokens": 2}),
}


@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 40))
def test_turned_samples_come_first_and_untouched_ones_never(seed: int, runs: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    answers, labels = rng.integers(0, 3, (1 + runs, n)), rng.integers(0, 3, n)
    moved = rng.random((runs, n)) < 0.5
    places, best = choose_examples(answers, labels, moved)
    assert len(places) == min(SHOWN, int(moved.any(axis=0).sum()))
    assert len(set(places.tolist())) == len(places)
    assert moved[best, places].all()
    turned = moved & (answers[1:] != answers[0])
    fooled = turned.any(axis=0) & (answers[0] == labels)
    shown = fooled[places]
    assert (np.diff(shown.astype(int)) <= 0).all()
    assert shown.sum() == min(SHOWN, fooled.sum())
    assert turned[best, places][shown].all()


def known_of(labels: Any, parts: Any) -> PointResult:
    """Return what came of an attack, without what the examples do not ask for."""
    nothing, empty = np.zeros(0), cast(Any, None)
    return PointResult(labels, [], nothing, nothing, empty, [], [], "", empty, parts)


@pytest.mark.parametrize("case", CASES)
def test_what_is_kept_is_in_the_unit_of_the_sample(case: str) -> None:
    make, settings = CASES[case]
    data = make()
    name = data.preprocess.inputs[0].name
    threat, samples, found = fakes.attacked(data, fakes.network(data), **settings)
    parts = [threat.in_parts(x, samples.given) for x in (samples.x, found)]
    known = known_of(samples.labels, parts)
    positions = np.arange(len(data.labels))
    answers = np.stack([samples.labels, 1 - samples.labels, samples.labels])
    kept = examples(known, answers, data, positions=positions)
    before, after = kept[f"before_{name}"], kept[f"after_{name}"]
    assert 0 < len(before) == len(after) <= SHOWN
    assert all((x != y).any() for x, y in zip(before, after, strict=True))
    if isinstance(threat, WordSubstitution):
        assert ((before != after).sum(axis=1) <= 2).all()
        assert kept[f"text_{name}"].dtype == np.uint8
    elif isinstance(threat, PerturbationSet) and threat.parts[0].is_raw:
        raw = list(data.read(positions)[name].astype(np.float32))
        assert all(any(np.array_equal(b, r, equal_nan=True) for r in raw) for b in before)
        assert np.array_equal(np.isnan(before), np.isnan(after))


def test_nothing_is_kept_where_nothing_moved() -> None:
    clean = {"row": np.array([[1.0, np.nan]])}
    known = known_of(np.zeros(1), [clean, dict(clean)])
    set_ = cast(Any, SimpleNamespace(preprocess=preprocess_of([]), read=lambda at: {}))
    assert examples(known, np.zeros((2, 1), int), set_, positions=np.zeros(1, int)) == {}
