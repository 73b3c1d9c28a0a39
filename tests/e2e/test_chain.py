"""The whole chain on a small net: what it publishes, what it does again, and what stops it."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pipeline import api
from pipeline.cli import main
from pipeline.compare.equality import read_weights
from pipeline.device.demo import serve_bundle
from pipeline.device.predict import predict
from pipeline.device.runtimes import why_missing
from pipeline.documents.audit import Audit
from pipeline.documents.manifest import Manifest
from pipeline.errors import ConfigError
from pipeline.report.show import show
from pipeline.report.words import figure
from tests.device.devtools import TESTED, chromium
from tests.e2e.chain import ROOT, published, ran, run, write_config

pytestmark = pytest.mark.e2e
EVERY_KEY = (
    "schema", "name", "task", "seed", "config", "config_sha256", "packages", "labels", "ships",
    "data", "preprocess", "reference", "baseline", "models", "remedies", "files",
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    result = run(write_config(folder), folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def test_the_manifest_says_it_all_and_its_hashes_hold(finished: Path) -> None:
    manifest = json.loads((finished / "exported/tiny/manifest.json").read_text())
    assert set(EVERY_KEY) <= set(manifest)
    hashes = published(finished)
    assert set(manifest["files"]) == set(hashes) - {"manifest.json"}
    assert all(hashes[name] == entry["sha256"] for name, entry in manifest["files"].items())
    shipped = next(m for m in manifest["models"] if m["format"] == manifest["ships"])
    assert shipped["float_ops_left"] == []
    assert shipped["input"]["dtype"] == "int8"
    assert shipped["targets"]["ethos-u55-128"]["cpu_ops"] == 0
    assert {m["format"] for m in manifest["models"]} == {
        "float32",
        "float16",
        "dynamic",
        "int8",
        "int16x8",
    }


def test_the_bundle_leaves_doubtful_samples_to_a_person(finished: Path, tmp_path: Path) -> None:
    bundle = finished / "exported/tiny"
    row = json.loads((bundle / "manifest.json").read_text())["abstain"]["models"]["int8"]
    assert 0 < row["coverage"] <= 1
    assert row["selective_error"] <= row["error"]
    with np.load(bundle / "golden.npz") as golden:
        clear, half = golden["input_image"], golden["input_image"] // 2
    np.savez(tmp_path / "both.npz", image=np.concatenate([clear, half + half[::-1]]))
    said = [answer["decision"] for answer in predict(bundle, [tmp_path / "both.npz"])]
    doubtful = [decision == "abstain" for decision in said]
    assert sum(doubtful[len(clear) :]) > sum(doubtful[: len(clear)])


def test_the_detector_and_wrong_inputs_reach_the_bundle(finished: Path, tmp_path: Path) -> None:
    bundle = finished / "exported/tiny"
    manifest = json.loads((bundle / "manifest.json").read_text())
    row = manifest["sanitize"]["files"]["int8"]["detector"]
    assert row["validation_false_positive_rate"] <= 0.05
    stated = json.loads((bundle / "preprocess.json").read_text())["detector"]["int8"]
    assert stated == row["limit"]
    audit = json.loads((finished / "runs/tiny/audit/audit.json").read_text())["sanitization"]
    assert audit["detector"]["threshold"] == stated
    assert audit["adaptive_robust_accuracy"] <= audit["unaware_robust_accuracy"]
    assert audit["unaware_robust_accuracy"] <= audit["clean_accuracy"]
    np.save(tmp_path / "unit.npy", np.full((1, 8, 8, 1), 0.5))  # in [0, 1]: not as in training
    wanted = "unit.npy: input image: wanted uint8 from 0 to 255, got float64 from 0.5 to 0.5"
    with pytest.raises(ConfigError, match=wanted):
        predict(bundle, [tmp_path / "unit.npy"])
    program = [sys.executable, bundle / "run_on_device.py"]
    (tmp_path / "broken.npz").write_bytes(b"PK no archive")
    for wrong in ("unit.npy", "broken.npz"):
        done = subprocess.run([*program, tmp_path / wrong], capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines()[-1].startswith(f"error: {tmp_path / wrong}: ")
    assert subprocess.run([*program, "--self-test"], capture_output=True).returncode == 0


def test_every_place_prints_the_robust_accuracy_of_the_deployed_pipeline(finished: Path) -> None:
    """One number: under all attacks together, behind sanitization and detector."""
    run, bundle = finished / "runs/tiny", finished / "exported/tiny"
    audit = Audit.read(run / "audit/audit.json")
    manifest = Manifest.read(bundle / "manifest.json")
    model, row = manifest.shipped_model, audit.files[manifest.shipped_model.file]
    assert row.robust_accuracy <= min(attack.accuracy for attack in row.attacks.values())
    assert "adaptive" in row.attacks
    assert audit.sanitization is not None
    assert audit.sanitization.detector is not None
    assert row.robust_accuracy <= audit.sanitization.detector.robust_accuracy
    assert model.robustness is not None
    assert model.robustness.robust_accuracy == row.robust_accuracy
    values = {gate.name: gate.value for gate in model.gates}
    assert values["robust_drop"] == row.float_robust_accuracy - row.robust_accuracy
    (finding,) = (finding for finding in audit.findings if finding.kind == "evasion")
    assert finding.evidence["robust_accuracy"] == row.robust_accuracy
    text = figure("accuracy", row.robust_accuracy)
    card = (bundle / "MODEL_CARD.md").read_text()
    assert f"Robust accuracy of {model.file}: {text} " in card
    assert f"all other attacks: {text}." in (bundle / "report.html").read_text()
    assert text in show(bundle)


@pytest.mark.skipif(why_missing("browser") is not None, reason=str(why_missing("browser")))
def test_the_page_decides_as_the_bundle_does(finished: Path, tmp_path: Path) -> None:
    bundle = finished / "exported/tiny"
    wanted = predict(bundle, [bundle / "sample.png"])[0]
    with chromium() as page, serve_bundle(bundle, lan=False, port=0) as demo:
        assert page.open(demo.address) == "ready"
        page.press("Run the self-test")
        assert page.until(TESTED).startswith("Passed: 16 of 16 decisions as expected, largest")
        assert page.text("self-test-result").endswith("difference 0 LSB.")
        page.press("File")
        page.give_file(bundle / "sample.png")
        page.until(f"document.getElementById('decision')?.innerText === {wanted['decision']!r}")
        page.give_file(bundle / "labels.txt")
        told = "labels.txt: no picture that this browser reads; give a JPEG or PNG"
        page.until(f"document.getElementById('problem').innerText === {told!r}")
        assert page.text("prediction") == "No prediction."
        both = tmp_path / "both.npz"
        with np.load(bundle / "golden.npz") as golden:
            np.savez(
                both, image=np.concatenate([golden["input_image"] // 2, golden["input_image"]])
            )
        page.give_file(both)
        rows = page.until(
            "[...document.querySelectorAll('tbody td:nth-child(2)')].map(a => a.innerText)"
        )
        assert rows == [answer["decision"] for answer in predict(bundle, [both])]
        assert "abstain" in rows


def test_the_program_of_the_bundles_readme_decides_as_predict_does(finished: Path) -> None:
    bundle = finished / "exported/tiny"
    (program,) = re.findall(r"```python\n(.*?)```", (bundle / "README.md").read_text(), re.DOTALL)
    command = [sys.executable, "-B", "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=bundle, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wanted,) = predict(bundle, [bundle / "sample.png"])
    assert done.stdout.startswith(str(wanted["decision"]))
    assert str(wanted["top"]) in done.stdout


def test_the_whole_chain_imports_tensorflow_twice(finished: Path) -> None:
    importers = (finished / "noted").read_text().split()
    assert len(set(importers)) == 2  # the pipeline, and the worker that converts


def test_no_path_and_no_date_is_published(finished: Path) -> None:
    for path in (finished / "exported/tiny").rglob("*"):
        if path.is_file() and path.name not in ("report.html", "timings.json"):
            assert str(finished).encode() not in path.read_bytes(), path.name


def test_a_second_run_does_nothing_and_needs_no_tensorflow(finished: Path) -> None:
    program = (
        "import sys; from pipeline.cli import main; code = main(sys.argv[1:]); "
        "assert 'tensorflow' not in sys.modules; assert 'keras' not in sys.modules; sys.exit(code)"
    )
    before = published(finished)
    arguments = [
        "run",
        finished / "tiny.yaml",
        "--runs",
        finished / "runs",
        "--exported",
        finished / "exported",
    ]
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert ran(result) == []
    assert published(finished) == before


def test_a_deleted_artifact_makes_only_its_stage_run_again(copy: Path) -> None:
    before = published(copy)
    (copy / "runs/tiny/export/model_int8.tflite").unlink()
    result = run(copy / "tiny.yaml", copy)
    assert result.returncode == 0, result.stderr
    assert ran(result) == ["export"]  # the same bytes again: what follows stays fresh
    assert published(copy) == before


@pytest.mark.parametrize(
    "name", ["train/model.keras", "data/labels.npy", "export/model_int8.tflite"]
)
def test_a_flipped_byte_is_found_and_named(copy: Path, name: str) -> None:
    path = copy / "runs/tiny" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    result = run(copy / "tiny.yaml", copy)
    assert result.returncode == 4
    assert name in result.stderr
    assert "Traceback" not in result.stderr


def test_a_changed_bundle_is_found_and_a_deleted_one_comes_back(copy: Path) -> None:
    before = published(copy)
    shutil.rmtree(copy / "exported/tiny")
    assert ran(run(copy / "tiny.yaml", copy)) == ["bundle"]
    assert published(copy) == before
    (copy / "exported/tiny/labels.txt").write_text("changed")
    result = run(copy / "tiny.yaml", copy)
    assert result.returncode == 4
    assert "labels.txt" in result.stderr


@pytest.mark.slow
def test_a_failed_gate_exits_3_and_leaves_the_old_bundle(copy: Path) -> None:
    before = published(copy)
    result = run(copy / "tiny.yaml", copy, "--set", "gate.bytes=100")
    assert result.returncode == 3
    assert "bytes" in result.stderr
    assert "100" in result.stderr
    assert not {"data", "build", "train", "harden"} & set(ran(result))
    assert published(copy) == before
    assert "Nothing ships" in (copy / "runs/tiny/report/report.html").read_text()


@pytest.mark.slow
def test_a_microcontroller_runs_the_file_within_its_arena(copy: Path) -> None:
    if (reason := why_missing("tflite-micro")) is not None:
        pytest.skip(reason)
    before = published(copy)
    asked = "--set", "verify.runtimes=[litert, tflite-micro]", "--set"
    result = run(copy / "tiny.yaml", copy, *asked, "gate.arena_bytes=100")
    assert result.returncode == 3
    assert "arena_bytes" in result.stderr
    assert published(copy) == before
    result = run(copy / "tiny.yaml", copy, *asked, "gate.arena_bytes=100000")
    assert result.returncode == 0, result.stderr
    bundle = copy / "exported/tiny"
    models = json.loads((bundle / "manifest.json").read_text())["models"]
    rows = {m["format"]: m["runtimes"] for m in models}
    assert rows["int8"]["tflite-micro"]["arena_bytes"] < 100000
    assert rows["int8"]["tflite-micro"]["conforms"]
    assert "tflite-micro" not in rows["float16"]
    micro = {answer["decision"] for answer in predict(bundle, [bundle / "sample.png"])}
    said = predict(bundle, [bundle / "sample.png"], runtime="tflite-micro")
    assert {answer["decision"] for answer in said} == micro


def test_a_changed_gate_trains_nothing(copy: Path) -> None:
    started = time.monotonic()
    result = run(copy / "tiny.yaml", copy, "--set", "gate.metric_drop=0.06")
    assert result.returncode == 0, result.stderr
    assert set(ran(result)) == {"compress", "gate", "report", "bundle"}
    assert time.monotonic() - started < 60


@pytest.mark.slow
def test_verify_measures_every_file_in_a_browser(copy: Path) -> None:
    if why_missing("browser") is not None:
        pytest.skip(str(why_missing("browser")))
    result = run(copy / "tiny.yaml", copy, "--set", "verify.runtimes=[litert, browser]")
    assert result.returncode == 0, result.stderr
    assert not {"train", "harden", "export"} & set(ran(result))
    manifest = json.loads((copy / "exported/tiny/manifest.json").read_text())
    for model in manifest["models"]:
        here, there = (model["runtimes"][name] for name in ("litert", "browser"))
        assert there["agreement"] == here["agreement"]
        assert there["max_abs_lsb"] == here["max_abs_lsb"]


def test_two_processes_do_not_share_a_run_folder(copy: Path) -> None:
    import fcntl

    with (copy / "runs/tiny/.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        result = run(copy / "tiny.yaml", copy)
    assert result.returncode == 2
    assert "run folder" in result.stderr


def test_predict_answers_and_refuses_clearly(finished: Path, tmp_path: Path) -> None:
    bundle = finished / "exported/tiny"

    def predict(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipeline", "predict", str(bundle), str(path)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)

    answer = predict(bundle / "sample.png")
    assert answer.returncode == 0, answer.stderr
    assert any(f" {label} " in answer.stdout for label in "0123456789")
    wrong = tmp_path / "not_an_image.png"
    wrong.write_text("hello")
    refused = predict(wrong)
    assert refused.returncode == 2
    assert "not_an_image.png" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_run_and_bundle_are_the_same_and_their_weights_bit_equal(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, bundle = finished / "runs" / "tiny", finished / "exported" / "tiny"
    page = tmp_path / "page.html"
    assert main(["compare", str(folder), str(bundle), "--html", str(page), "--json"]) == 0
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    assert pair["equality"] == "bytes"
    assert pair["measured"]["agreement"] == 1.0
    assert pair["weights"]["equality"] == "bit-equal"
    assert "same bytes" in page.read_text()


def test_weights_of_a_model_are_read_without_keras(finished: Path) -> None:
    import keras

    path = finished / "exported" / "tiny" / "model.keras"
    found = read_weights(path)
    wanted = [np.asarray(weight) for weight in keras.saving.load_model(path).get_weights()]
    assert sorted(values.shape for values in found.values()) == sorted(w.shape for w in wanted)
    total = sum(float(values.sum()) for values in found.values())
    assert total == pytest.approx(sum(float(w.sum()) for w in wanted), rel=1e-5)


def test_show_answers_programs_too(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(finished / "runs" / "tiny"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["verdict"]["passed"] is True
    assert {"data", "train", "verify"} <= set(shown["stages"])
    assert main(["show", str(finished / "exported" / "tiny"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ships"] == "int8"


def test_the_bundle_keeps_predictions(finished: Path) -> None:
    with np.load(finished / "exported" / "tiny" / "predictions.npz") as kept:
        assert (
            len(kept["labels"]) == len(kept["prediction_int8"]) == len(kept["prediction_reference"])
        )


def test_a_notebook_has_the_run_and_the_bundle(finished: Path) -> None:
    places = {"runs": finished / "runs", "exported": finished / "exported"}
    done = api.run(finished / "tiny.yaml", quiet=True, **places)
    assert (done.passed, done.ships) == (True, "int8")
    assert done.report is not None
    assert done.bundle is not None
    bundle = api.load_bundle(done.bundle)
    with np.load(done.bundle / "golden.npz") as golden:
        answers = bundle.predict(golden["input_image"])
    assert len(answers) == 16
    for shown in (done, bundle, answers):
        assert "<table>" in shown._repr_html_() or "<pre>" in shown._repr_html_()
    assert "model_int8.tflite" in repr(bundle)
