"""The kinds of samples are the same wherever they are listed."""

from typing import get_args

import pytest

from pipeline.documents.preprocess import Entry, Preprocess
from pipeline.ondevice import kinds as ondevice
from pipeline.samples import KINDS
from pipeline.samples.kind import Input
from tests.documents.preprocess import FIELDS, entry_of


def test_every_kind_has_an_entry_and_a_form_on_the_device() -> None:
    entries = get_args(get_args(Entry)[0])
    assert set(KINDS) == {entry.model_fields["kind"].default for entry in entries}
    assert set(KINDS) == set(ondevice.KINDS) == set(get_args(Input.__annotations__["kind"]))


@pytest.mark.parametrize("name", KINDS)
def test_both_sides_smooth_along_the_same_axes(name: str) -> None:
    axes = KINDS[name].smoothing_axes
    assert axes in (0, ondevice.KINDS[name].filter_axes)
    assert ondevice.KINDS[name].has_unknown == KINDS[name].has_unknown


@pytest.mark.parametrize("name", FIELDS)
def test_an_entry_is_read_as_it_was_written(name: str) -> None:
    entry = entry_of({"kind": name})
    document = Preprocess(task="regression", labels=None, inputs=[entry], target=None)
    assert Preprocess.model_validate_json(document.model_dump_json(by_alias=True)) == document
