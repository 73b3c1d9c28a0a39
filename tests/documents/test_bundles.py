"""A bundle from outside: its manifest names files of its own alone, and none of it is executed."""

import contextlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import MANIFEST, read_json, sha256_file, write_json
from pipeline.cli import main
from pipeline.device import demo_content
from pipeline.documents.bundles import read_bundle
from pipeline.errors import ArtifactError
from tests.device.tiny import INPUTS, seal, write_bundle
from tests.documents.mutants import mutate_bundle


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    write_bundle(folder)
    return folder


@pytest.fixture
def bundle(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "tiny"))


OUTSIDE = ["../secret", "/etc/passwd", "a/../../secret", "..\\secret", "C:\\secret", ""]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_manifest_that_names_a_file_beyond_the_bundle_is_refused(bundle: Path, name: str) -> None:
    manifest = read_json(bundle / MANIFEST)
    (bundle.parent / "secret").write_text("secret")
    for changed in (
        manifest | {"files": manifest["files"] | {name: {"sha256": "", "bytes": 6}}},
        manifest | {"models": [{**manifest["models"][0], "file": name}]},
    ):
        write_json(bundle / MANIFEST, changed)
        with pytest.raises(ArtifactError, match="no file of this bundle"):
            read_bundle(bundle)


@pytest.mark.parametrize("old", [[], {}, {"schema": 0}, {"schema": 1, "files": {}}, None])
def test_a_manifest_of_another_version_is_one_message(
    bundle: Path, capsys: pytest.CaptureFixture[str], old: Any
) -> None:
    (bundle / MANIFEST).write_text(json.dumps(old))
    np.save(bundle.parent / "x.npy", np.zeros((1, INPUTS), np.float32))
    for command in (
        ["predict", str(bundle), str(bundle.parent / "x.npy")],
        ["conform", str(bundle)],
    ):
        assert main(command) == 4
        said = capsys.readouterr().err
        assert "not of this version" in said
        assert len(said.splitlines()) == 1


def test_nested_beyond_reason_is_no_traceback(bundle: Path) -> None:
    (bundle / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(ArtifactError, match="not readable as JSON"):
        read_bundle(bundle)


def test_nothing_that_lies_in_a_bundle_is_executed(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "executed"
    for name in ("run_on_device.py", "numpy.py", "sitecustomize.py", "json.py"):
        (bundle / name).write_text(f"open({str(mark)!r}, 'w')\n")
    seal(bundle, read_json(bundle / MANIFEST))
    np.save(tmp_path / "x.npy", np.zeros((1, INPUTS), np.float32))
    assert main(["predict", str(bundle), str(tmp_path / "x.npy")]) == 0
    assert main(["conform", str(bundle)]) == 0
    assert main(["conform", str(bundle), "--device", "ssh://nobody@localhost"]) == 4
    assert "not the runner of this version" in capsys.readouterr().err
    assert not mark.exists()


def test_labels_in_another_order_do_not_conform(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["conform", str(bundle)]) == 0
    document = read_json(bundle / "preprocess.json")
    document["labels"].reverse()
    write_json(bundle / "preprocess.json", document)
    seal(bundle, read_json(bundle / MANIFEST))
    assert main(["conform", str(bundle)]) == 3
    assert "labels are not those of golden.npz" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model_float32.tflite", "model_int8_ethos-u55-128.tflite"])
def test_every_listed_file_is_a_model_or_does_not_conform(
    bundle: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (bundle / name).write_bytes(b"no model at all")
    seal(bundle, read_json(bundle / MANIFEST))
    assert main(["conform", str(bundle)]) == 3
    assert name in capsys.readouterr().err


def test_what_is_run_is_what_was_hashed(bundle: Path, tmp_path: Path) -> None:
    private = tmp_path / "copy"
    private.mkdir()
    manifest = read_bundle(bundle, private)
    (bundle / "model_int8.tflite").write_bytes(b"changed behind our back")
    for name in ("preprocess.json", "golden.npz", "model_int8.tflite"):
        assert sha256_file(private / name) == manifest.files[name].sha256


@pytest.mark.parametrize("count", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_a_mutated_bundle_is_an_output_or_a_message(
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    count: int,
) -> None:
    np.save(tmp_path / "x.npy", np.zeros((1, INPUTS), np.float32))
    monkeypatch.setattr(demo_content, "library_folders", dict)
    for number in range(count):
        rng, bundle = random.Random(number), tmp_path / "bundle"
        shutil.rmtree(bundle, ignore_errors=True)
        shutil.copytree(whole, bundle)
        mutate_bundle(bundle, rng)
        given = str(bundle)
        for command in (
            ["predict", given, str(tmp_path / "x.npy")],
            ["conform", given],
            ["show", given],
            ["compare", given, str(whole)],
        )[: 2 + 2 * (number % 2)]:
            assert main(command) in (0, 2, 3, 4), (number, command)
        with contextlib.suppress(ArtifactError):
            demo_content.content_of(bundle)
        told = capsys.readouterr()
        assert "Traceback" not in told.err, number
        assert "\x1b" not in told.out + told.err, number
