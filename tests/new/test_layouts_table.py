"""Fifty layouts of data: what `edgeline new` proposes for each, or its one message."""

from pathlib import Path

import pytest

from tests.new.layouts import LAYOUTS, Layout, proposal


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_is_recognized(tmp_path: Path, layout: Layout) -> None:
    config, message = proposal(layout, tmp_path)
    if layout.says:
        assert layout.says in message
        return
    assert config is not None, message
    source = config.data.source
    found = (source.kind, config.task, config.data.split.by)
    assert found == (layout.kind, layout.task, layout.by)
    for key, wanted in layout.source.items():
        value = getattr(source, key)
        ends = isinstance(wanted, str) and isinstance(value, str) and value.endswith(wanted)
        assert ends or value == wanted, (key, value)
