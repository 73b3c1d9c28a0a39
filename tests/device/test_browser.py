"""LiteRT.js in a real Chromium, and the page's server; what is missing is said with a cure."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays import only
from pipeline.device import browser
from pipeline.device.browser import match_shipped_type, one_line
from pipeline.device.conform import check, conform
from pipeline.device.measure import run_file
from pipeline.device.page import Job, serve_job
from pipeline.device.predict import predict
from pipeline.device.runtimes import why_missing
from pipeline.errors import ArtifactError
from pipeline.export.io_dtype import for_browser
from tests.device.tiny import STEPS, document, tflite

ROOT = Path(__file__).parents[2]
needs_browser = pytest.mark.skipif(
    why_missing("browser") is not None, reason=str(why_missing("browser"))
)
seeds = st.integers(0, 10_000)


@given(seed=seeds, scale=st.floats(1e-4, 1.0), zero=st.integers(-128, 127))
def test_answers_are_mapped_back_to_the_bit(seed: int, scale: float, zero: int) -> None:
    rng = np.random.default_rng(seed)
    narrow = rng.integers(-128, 128, (5, 7)).astype(np.int8)
    made = {"dtype": np.uint8, "quantization": (scale, zero + 128)}
    shipped = {"dtype": np.int8, "quantization": (scale, zero)}
    moved = (narrow.astype(int) + 128).astype(np.uint8)
    np.testing.assert_array_equal(match_shipped_type(moved, made, shipped), narrow)
    wide = rng.integers(-32768, 32768, (5, 7)).astype(np.int16)
    made, shipped = (
        {"dtype": t, "quantization": (s, 0)} for t, s in ((np.float32, 0.0), (np.int16, scale))
    )
    real = wide.astype(np.float32) * np.float32(scale)
    np.testing.assert_array_equal(match_shipped_type(real, made, shipped), wide)


@pytest.mark.parametrize("form", ["float32", *STEPS])
def test_other_borders_give_the_same_answers(form: str, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    own = tmp_path / "own.tflite"
    own.write_bytes(tflite(form))
    web = browser.read_web_file(own)
    assert {detail["dtype"] for detail in (*web.inputs, *web.outputs.values())} <= {
        np.float32,
        np.uint8,
    }
    assert (web.content == own.read_bytes()) == (form == "float32")
    assert for_browser(web.content) == web.content
    (tmp_path / "web.tflite").write_bytes(web.content)
    raw = {"x": np.random.default_rng(0).normal(0, 1.5, (16, 4)).astype(np.float32)}
    wanted = run_file(own, document(), raw)
    found = run_file(tmp_path / "web.tflite", document(), raw)
    sides = (found.raw_outputs, web.outputs, web.shipped, wanted.raw_outputs)
    came, made, shipped, own_outputs = map(only, sides)
    np.testing.assert_array_equal(match_shipped_type(came, made, shipped), own_outputs)
    assert Interpreter(model_content=web.content).get_signature_list()["serving_default"] == {
        "inputs": ["x"], "outputs": ["answer"],
    }  # fmt: skip


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3), samples=st.integers(1, 30))
def test_the_parts_hold_every_sample_once(sizes: list[int], samples: int) -> None:
    values = [np.random.default_rng(n).normal(size=(samples, n)).astype("f4") for n in sizes]
    job = Job(b"", [(str(i), x) for i, x in enumerate(values)], {}, ["y"])
    found: list[list[np.ndarray]] = [[] for _ in sizes]
    for start in range(0, samples, job.part_samples):
        count = min(job.part_samples, samples - start)
        flat = np.frombuffer(job.part(start // job.part_samples), "f4")
        for i, size in enumerate(sizes):
            found[i].append(flat[: count * size].reshape(count, size))
            flat = flat[count * size :]
        assert not len(flat)
    for whole, parts in zip(values, found, strict=True):
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def ask(address: str, body: bytes | None = None) -> Any:
    return urllib.request.urlopen(urllib.request.Request(address, body), timeout=10)


def test_the_server_gives_only_what_the_page_needs(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a.js").write_text("1")
    (tmp_path / "b.js").write_text("2")
    inputs = [("x", np.arange(6, dtype=np.float32).reshape(3, 2))]
    job = Job(b"model", inputs, {"litertjs": tmp_path / "inside"}, ["y"])
    with serve_job(job) as address:
        root = address.removesuffix("run.html")
        page = ask(address)
        assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert page.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        assert ask(root + "litertjs/a.js").read() == b"1"
        told = json.loads(ask(root + "job.json").read())
        assert told["inputs"] == [{"key": "x", "dtype": "float32", "shape": [1, 2]}]
        assert told["outputs"] == ["y"]
        assert job.is_open.is_set()
        other = re.sub(r"/[\w-]+/$", "/other/", root)
        for wrong in ("litertjs/../b.js", "litertjs/%2e%2e/b.js", "../page.py", "nothing"):
            with pytest.raises(urllib.error.HTTPError):
                ask(root + wrong)
        with pytest.raises(urllib.error.HTTPError):
            ask(other + "model.tflite")
        with pytest.raises(urllib.error.HTTPError):
            ask(other + "answers/0?seconds=1", b"forged")
        assert not job.answers
        ask(root + "answers/0?seconds=0.5", b"abc")
    assert (job.answers, job.seconds, job.is_over.is_set()) == ({0: b"abc"}, 0.5, True)
    assert not [t for t in threading.enumerate() if "serve_forever" in t.name]
    with pytest.raises(urllib.error.URLError):
        ask(address)


def test_what_is_missing_is_said_with_a_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install chromium" in str(why_missing("browser"))
    (tmp_path / "chromium").write_text("#!/bin/sh\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("EDGELINE_LITERTJS", str(tmp_path / "core"))
    assert "npm install --no-save @litertjs/core@" in str(why_missing("browser"))
    for name in ("core", "wasm-utils"):
        (tmp_path / name / "dist").mkdir(parents=True)
        (tmp_path / name / "dist" / "index.js").touch()
    assert why_missing("browser") is None


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("", "it gave no reason"),
        ("one\n  two   three\n", "two three"),
        ("ERROR: [litert_model.cc:12] no such op\nFailed to load", "no such op"),
    ],
)
def test_the_reason_is_one_line(said: str, line: str) -> None:
    assert one_line(said) == line


def processes(profile: str) -> list[str]:
    """Return the command lines that name a profile."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        found += [words] if profile in words else []
    return found


@needs_browser
def test_a_browser_that_does_not_open_the_page_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chromium").write_text("#!/bin/sh\nsleep 61 & sleep 62\n")
    (tmp_path / "chromium").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(browser, "OPENING_LIMIT", 1)
    file = tmp_path / "model.tflite"
    file.write_bytes(tflite("int8"))
    with pytest.raises(ArtifactError, match="did not open its page within 1 s"):
        browser.run(file, {"x": np.zeros((1, 4), np.float32)}, limit_s=60)
    time.sleep(0.2)
    assert not processes("sleep\x0061")
    (tmp_path / "chromium").write_text("#!/bin/sh\nexit 7\n")
    with pytest.raises(ArtifactError, match="the browser ended; status 7"):
        browser.run(file, {"x": np.zeros((1, 4), np.float32)}, limit_s=60)


@needs_browser
def test_the_browser_goes_where_its_user_is_killed(tmp_path: Path) -> None:
    (tmp_path / "chromium").write_text("#!/bin/sh\nsleep 63\n")
    (tmp_path / "chromium").chmod(0o755)
    program = (
        "import time; from pipeline.device.browser import _browser\n"
        "with _browser('x'): time.sleep(60)"
    )
    places = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | places) as process:
        assert _soon(lambda: bool(processes("sleep\x0063")))
        process.kill()
    assert _soon(lambda: not processes("sleep\x0063"))


def _soon(holds: Callable[[], bool]) -> bool:
    """Tell whether something holds within ten seconds."""
    for _ in range(100):
        if holds():
            return True
        time.sleep(0.1)
    return False


@needs_browser
def test_a_bundle_conforms_in_the_browser_and_nothing_stays(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="short", dir="/tmp") as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        monkeypatch.setenv("TMPDIR", short)
        found = conform(tiny_bundle, runtime="browser")
        assert _soon(lambda: not processes(short))
        assert not list(Path(short).iterdir())
    check(found)
    assert set(found.findings) == {"float32", "int8", "int16x8"}
    assert all(found.findings[form].distance == 0 for form in STEPS)


@needs_browser
def test_many_samples_in_many_parts_are_answered_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.device.page.PART_BYTES", 100)
    file = tmp_path / "model.tflite"
    file.write_bytes(tflite("int8"))
    raw = {"x": np.random.default_rng(5).normal(0, 2, (203, 4)).astype(np.float32)}
    wanted = run_file(file, document(), raw)
    found = run_file(file, document(), raw, runtime="browser")
    assert found.raw_outputs.keys() == wanted.raw_outputs.keys() == {"answer"}
    np.testing.assert_array_equal(only(found.raw_outputs), only(wanted.raw_outputs))
    np.testing.assert_array_equal(only(found.outputs), only(wanted.outputs))
    assert found.version == browser.version()
    assert found.seconds > 0


@needs_browser
def test_predict_says_the_same_in_the_browser(tiny_bundle: Path, tmp_path: Path) -> None:
    sample = tmp_path / "x.npy"
    np.save(sample, np.random.default_rng(2).normal(0, 2, (5, 4)).astype(np.float32))
    wanted, found = (predict(tiny_bundle, [sample], runtime=r) for r in ("litert", "browser"))
    assert found == wanted


@needs_browser
def test_a_file_that_litert_js_refuses_is_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model at all")
    with pytest.raises(ArtifactError, match=r"broken\.tflite: cannot be run on browser") as raised:
        run_file(broken, document(), {"x": np.zeros((1, 4), np.float32)}, runtime="browser")
    assert len(str(raised.value).splitlines()) == 1
