"""What the bundle stage leaves when it fails on the way."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.artifacts import Inputs
from pipeline.bundle import stage
from pipeline.config.schema import Config


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_bundle_that_cannot_be_written_leaves_the_old_one_and_nothing_else(
    tmp_path: Path,
    make_config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    config = make_config()
    old = tmp_path / "exported" / config.name
    old.mkdir(parents=True)
    (old / "model.tflite").write_text("old")

    def fail(config: Any, inputs: Any, partial: Path) -> None:
        (partial / "model.tflite").write_text("half")
        raise error

    monkeypatch.setattr(stage, "check_verdict", lambda path: None)
    monkeypatch.setattr(stage, "_write", fail)
    inputs = Inputs({"verdict": tmp_path}, tmp_path, tmp_path / "exported")
    with pytest.raises(type(error)):
        stage.run(config, inputs, tmp_path / "out")
    assert [path.name for path in (tmp_path / "exported").iterdir()] == [config.name]
    assert (old / "model.tflite").read_text() == "old"
