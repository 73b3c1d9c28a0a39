"""The demo: what its server gives to whom, what is missing, and the page in a real Chromium."""

import base64
import hashlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import types
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import read_json
from pipeline.bundle.web import PAGE
from pipeline.device import browser, demo
from pipeline.device.demo import serve_bundle, words
from pipeline.device.predict import predict
from pipeline.device.runtimes import why_missing
from pipeline.errors import ArtifactError, ConfigError
from tests.device.devtools import TESTED, Page, chromium
from tests.device.test_sound import audio_entry
from tests.device.tiny import PREPROCESS, SOUND, remake, seal, write_bundle

ROOT = Path(__file__).parents[2]
needs_browser = pytest.mark.skipif(
    why_missing("browser") is not None, reason=str(why_missing("browser"))
)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put something in the place of LiteRT.js."""
    for name in ("core", "wasm-utils"):
        (tmp_path / "npm" / name / "dist").mkdir(parents=True)
        (tmp_path / "npm" / name / "dist" / "index.js").write_text(f"// {name}")
    monkeypatch.setenv("EDGELINE_LITERTJS", str(tmp_path / "npm" / "core"))
    return tmp_path / "npm"


def ask(address: str, method: str = "GET", context: Any = None) -> Any:
    request = urllib.request.Request(address, method=method)
    return urllib.request.urlopen(request, timeout=10, context=context)


def test_the_server_gives_the_page_and_the_library_and_nothing_else(
    tiny_bundle: Path, library: Path
) -> None:
    with serve_bundle(tiny_bundle, lan=False, port=0) as found:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{12}/", found.address)
        page = ask(found.address)
        assert page.read() == (PAGE / "index.html").read_bytes()
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert page.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-store"
        assert ask(found.address + "litertjs/dist/index.js").read() == b"// core"
        assert ask(found.address + "wasm-utils/dist/index.js").read() == b"// wasm-utils"
        head = ask(found.address + "model.tflite", "HEAD")
        size = (tiny_bundle / "web/model.tflite").stat().st_size
        assert (head.read(), head.headers["Content-Length"]) == (b"", str(size))
        wrong = (
            "../model.keras", "%2e%2e/model.keras", "litertjs/../../x.js", "litertjs", "nothing.js",
            "a" * 5000, "%00.js", "/etc/passwd",
        )  # fmt: skip
        wrong = tuple(found.address + name for name in wrong)
        other = re.sub(r"/[\w-]{12}/$", "/other/", found.address)
        for address in (*wrong, other, other.removesuffix("other/")):
            with pytest.raises(urllib.error.HTTPError, match=r"404|414"):
                ask(address)
        with pytest.raises(urllib.error.HTTPError, match="501"):
            ask(found.address, "POST")
    assert not [t for t in threading.enumerate() if "serve_forever" in t.name]
    with pytest.raises(urllib.error.URLError):
        ask(found.address)


def test_scripts_are_ours_whatever_lies_in_the_bundle(
    tiny_bundle: Path, library: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_bundle, other)
    for name in ("page.js", "index.html", "more.js"):
        (other / "web" / name).write_text("alert()")
    seal(other, read_json(other / "manifest.json"))
    with serve_bundle(other, lan=False, port=0) as found:
        assert ask(found.address + "page.js").read() == (PAGE / "page.js").read_bytes()
        assert ask(found.address).read() == (PAGE / "index.html").read_bytes()
        with pytest.raises(urllib.error.HTTPError, match="404"):
            ask(found.address + "more.js")


def test_only_a_host_of_this_server_is_answered(tiny_bundle: Path, library: Path) -> None:
    with serve_bundle(tiny_bundle, lan=False, port=0) as found:
        named = found.address.replace("127.0.0.1", "localhost")
        assert ask(named).status == 200
        for host in ("evil.example", "127.0.0.1", ""):
            request = urllib.request.Request(found.address, headers={"Host": host})
            with pytest.raises(urllib.error.HTTPError, match="421"):
                urllib.request.urlopen(request, timeout=10)


def test_it_ends_when_nobody_uses_it(tiny_bundle: Path, library: Path) -> None:
    with serve_bundle(tiny_bundle, lan=False, port=0) as found:
        before = found.requests.last
        ask(found.address)
        assert found.requests.last > before
        demo.wait_until_idle(found, limit_s=0.05)


@needs_openssl
def test_a_network_is_served_over_tls_with_a_certificate_of_its_own(
    tiny_bundle: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "own_address", lambda: "127.0.0.1")
    with serve_bundle(tiny_bundle, lan=True, port=0) as found:
        assert found.address.startswith("https://127.0.0.1:")
        port = int(found.address.split(":")[2].split("/")[0])
        certificate = ssl.get_server_certificate(("127.0.0.1", port))
        content = ssl.PEM_cert_to_DER_cert(certificate)
        assert hashlib.sha256(content).hexdigest().upper() == str(found.fingerprint).replace(
            ":", ""
        )
        trusting = ssl.create_default_context(cadata=certificate)
        assert ask(found.address, context=trusting).status == 200  # its address is the right one
        with pytest.raises(urllib.error.URLError, match=r"self.signed"):
            ask(found.address)
        with socket.create_connection(("127.0.0.1", port)):  # says nothing, and holds up nobody
            assert ask(found.address, context=trusting).status == 200
        told = words(found)
    assert found.address in told
    assert str(found.fingerprint) in told


def test_a_qr_code_holds_the_address_or_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    found = demo.Demo("https://10.0.0.1:1/x/", "AB:CD")
    assert "pip install 'edgeline[demo]'" in words(found)
    assert words(found).count("https://10.0.0.1:1/x/") == 1
    monkeypatch.setitem(sys.modules, "segno", types.SimpleNamespace(make=lambda *a, **k: Code(*a)))
    assert "\x1b[97;40m█ https://10.0.0.1:1/x/\x1b[0m\nhttps://10" in words(found)
    assert "127" in words(demo.Demo("http://127.0.0.1:1/x/", None))


class Code:
    """What segno makes of an address."""

    def __init__(self, address: str) -> None:
        self.address = address

    def terminal(self, out: Any, *, compact: bool) -> None:
        out.write(f"█ {self.address}\n")


@pytest.mark.parametrize("address", ["https://10.0.0.1:1/x/", "https://192.168.178.21:43567/t_-4/"])
def test_the_real_encoder_draws_a_square(address: str) -> None:
    pytest.importorskip("segno", reason="no segno (make demo installs it)")
    lines = str(demo.code_lines(address)).replace("\x1b[97;40m", "").replace("\x1b[0m", "")
    rows = lines.splitlines()
    assert {len(row) for row in rows} == {len(rows[0])}
    assert 2 * len(rows) - len(rows[0]) in (0, 1)
    assert set(lines) <= set("█▀▄ \n")


def test_what_is_missing_is_said_with_a_cure(
    tiny_bundle: Path, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def served(bundle: Path, *, lan: bool = False, port: int = 0) -> None:
        with serve_bundle(bundle, lan=lan, port=port):
            pass

    with pytest.raises(ArtifactError, match="not a bundle"):
        served(tmp_path)
    old = tmp_path / "old"
    shutil.copytree(tiny_bundle, old)
    manifest = read_json(old / "manifest.json")
    shutil.rmtree(old / "web")
    seal(old, manifest)
    with pytest.raises(ArtifactError, match=r"model.tflite: missing; .* --force bundle"):
        served(old)
    changed = tmp_path / "changed"
    shutil.copytree(tiny_bundle, changed)
    (changed / "web/page.js").write_text("alert()")
    with pytest.raises(ArtifactError, match=r"page\.js: its sha256 is not the one"):
        served(changed)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigError, match=r"--port \d+: cannot listen on 127.0.0.1"):
            served(tiny_bundle, port=taken.getsockname()[1])
    monkeypatch.setattr(demo, "own_address", lambda: "127.0.0.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"no openssl on the PATH, .*apt-get install"):
        served(tiny_bundle, lan=True)
    monkeypatch.setenv("EDGELINE_LITERTJS", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"no LiteRT\.js in .*: make litertjs, or npm install"):
        served(tiny_bundle)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_without_a_complaint(end: signal.Signals, tiny_bundle: Path, library: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "demo", str(tiny_bundle)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert ask(address).status == 200
            process.send_signal(end)
            said = process.communicate(timeout=60)[1]
        finally:
            process.kill()
    assert (process.returncode, said) == (0, "ended\n")


def test_the_page_may_load_nothing_from_elsewhere() -> None:
    text = (PAGE / "index.html").read_text()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    imports = re.search(r'<script type="importmap">(.*?)</script>', text, re.DOTALL)
    assert policy
    assert imports
    digest = base64.b64encode(hashlib.sha256(imports[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe-inline" not in policy[1]
    for path in PAGE.iterdir():
        assert not re.search(r"https?://(?!www\.w3\.org)", path.read_text()), path.name
        assert "innerHTML" not in path.read_text(), path.name
    assert browser.VERSION in (PAGE / "page.js").read_text()  # what it says how to get


def test_the_page_is_the_same_bytes_every_time(tiny_bundle: Path, tmp_path: Path) -> None:
    again = remake(tiny_bundle, tmp_path / "tiny")
    files = [path.relative_to(again) for path in sorted((again / "web").iterdir())]
    assert {"index.html", "model.json", "model.tflite", "golden.npz"} <= {f.name for f in files}
    for file in files:
        assert (again / file).read_bytes() == (tiny_bundle / file).read_bytes()
    assert {file.as_posix() for file in files} <= set(read_json(again / "manifest.json")["files"])


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with chromium() as found:
        yield found


FORMATS = ["float32", "int8", "int16x8"]
BARS = "[...document.querySelectorAll('.bars progress')].map(a => a.ariaLabel).join()"
TOLD = "document.getElementById('decision')?.innerText"


@needs_browser
@pytest.mark.parametrize("form", FORMATS)
def test_every_border_answers_as_the_golden_vectors(
    form: str, page: Page, tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = remake(tiny_bundle, tmp_path / form, ships=form)
    with serve_bundle(bundle, lan=False, port=0) as found:
        assert page.open(found.address) == "ready", page.text("notice")
        page.press("Run the self-test")
        assert page.until(TESTED).startswith("Passed: 16 of 16 decisions as expected")
        assert "ms an inference" in page.text("speed")


@pytest.mark.slow
@needs_browser
@needs_openssl
def test_a_page_in_a_network_is_secure(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "own_address", lambda: "127.0.0.1")
    with chromium("--ignore-certificate-errors") as page:
        with serve_bundle(tiny_bundle, lan=True, port=0) as found:
            assert page.open(found.address) == "ready"
        assert page.ask("isSecureContext && location.protocol === 'https:'")
        assert page.ask("navigator.mediaDevices !== undefined")


@needs_browser
def test_a_wrong_golden_answer_fails_the_self_test(
    page: Page, tiny_bundle: Path, tmp_path: Path
) -> None:
    bundle = remake(tiny_bundle, tmp_path / "wrong")
    manifest, web = read_json(bundle / "manifest.json"), bundle / "web/golden.npz"
    with np.load(web) as golden:
        arrays = dict(golden)
    arrays["expected"][3, 0] ^= 1  # by one step
    np.savez(web, **arrays)
    seal(bundle, manifest)
    with serve_bundle(bundle, lan=False, port=0) as found:
        page.open(found.address)
        page.press("Run the self-test")
        assert page.until(TESTED).startswith("Failed: ")
        assert page.text("self-test-result").endswith("difference 1 LSB.")


@needs_browser
def test_a_form_and_a_file_are_answered_as_predict_answers(
    page: Page, tiny_bundle: Path, tmp_path: Path
) -> None:
    rows = np.random.default_rng(4).normal(0, 1.5, (4, 4)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    wanted = predict(tiny_bundle, [tmp_path / "rows.npy"])
    with serve_bundle(tiny_bundle, lan=False, port=0) as found:
        page.open(found.address)
        for row, answer in zip(rows, wanted, strict=True):
            page.ask(FILL % ",".join(f"{x:.9g}" for x in row))
            page.until(f"{TOLD} === {answer['decision']!r}")
        page.press("File")
        page.give_file(tmp_path / "rows.npy")
        cells = "[...document.querySelectorAll('tbody td:nth-child(2)')].map(a => a.innerText)"
        told = page.until(f"(a => a.length ? a : null)({cells})")
        assert told == [answer["decision"] for answer in wanted]
        (tmp_path / "wide.csv").write_text("1,2,3,4,5\n")
        page.give_file(tmp_path / "wide.csv")
        page.until("document.getElementById('problem').innerText.startsWith('input x: wanted')")
        assert page.text("prediction") == "No prediction."


FILL = """(() => {
  const fields = document.querySelectorAll('.fields input');
  [%s].forEach((value, i) => { fields[i].value = value; });
  fields[0].dispatchEvent(new Event('input', { bubbles: true }));
})()"""


@needs_browser
def test_a_value_is_told(page: Page, tiny_bundle: Path, tmp_path: Path) -> None:
    target = {"scale": 2.0, "offset": 10.0, "channel": None, "horizon": None}
    changes = {"task": "regression", "labels": None, "target": target}
    value = remake(tiny_bundle, tmp_path / "value", **changes)
    with serve_bundle(value, lan=False, port=0) as found:
        page.open(found.address)
        sample = tmp_path / "x.npy"
        np.save(sample, np.ones((1, 4), np.float32))
        page.press("File")
        page.give_file(sample)
        (wanted,) = predict(value, [sample])
        page.until(f"Math.abs(Number({TOLD}) - {wanted['decision']}) < 1e-3")
        assert "This is the value" in page.text("prediction")
        page.press("Run the self-test")
        assert page.until(TESTED).startswith("Passed: 16 of 16")


@needs_browser
def test_a_page_without_the_library_says_how_to_get_it(
    page: Page, tiny_bundle: Path, library: Path
) -> None:
    with serve_bundle(tiny_bundle, lan=False, port=0) as found:
        shutil.rmtree(library)
        assert page.open(found.address) == "failed"
    assert "LiteRT.js is missing" in page.text("notice")
    assert "npm install --no-save @litertjs/core@" in page.text("notice")


@needs_browser
def test_a_recording_and_the_microphone_are_answered(page: Page, tmp_path: Path) -> None:
    form = {"window": 200, "stride": 100, "fft": 256, "bins": 2, "coefficients": 2}
    entry = audio_entry(samples=SOUND, sample_rate=8000, **form) | {
        "shape": [2, 2, 1],
        "every": None,
    }
    bundle = write_bundle(tmp_path / "sound", inputs=[entry])
    sound = np.random.default_rng(3).integers(-5000, 5000, (1, SOUND), np.int16)
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(sound.tobytes())
    (wanted,) = predict(bundle, [tmp_path / "a.wav"])
    with serve_bundle(bundle, lan=False, port=0) as found:
        page.open(found.address)
        page.press("Run the self-test")
        assert page.until(TESTED).startswith("Passed: 16 of 16")
        page.press("File")
        page.give_file(tmp_path / "a.wav")
        label, share = wanted["top"][0]
        page.until(f"{BARS}.startsWith({f'{label}: {100 * share:.1f} %'!r})")
        page.press("Microphone")
        for words in ("Record 0.04 s", "Listen all the time"):
            page.ask("document.getElementById('prediction').replaceChildren()")
            page.press(words)
            page.until(TOLD)
        page.press("Stop")
        assert page.ask("document.getElementById('problem').hidden")
    assert not [said for said in page.said if "No available adapters" not in said]


@needs_browser
def test_a_picture_a_drawing_and_the_camera_are_answered(page: Page, tmp_path: Path) -> None:
    entry = {
        "name": "x", "kind": "image", "shape": [2, 2, 1], "raw_dtype": "uint8", "color": "gray",
        "background": [255, 255, 255], "value_range": None,
        "offset": 0.5, "scale": 1 / 64, "columns": None,
    }  # fmt: skip
    bundle = write_bundle(tmp_path / "picture", inputs=[PREPROCESS["inputs"][0] | entry])
    from PIL import Image

    pixels = np.random.default_rng(2).integers(0, 256, (9, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (wanted,) = predict(bundle, [tmp_path / "a.png"])
    with serve_bundle(bundle, lan=False, port=0) as found:
        page.open(found.address)
        page.press("File")
        page.give_file(tmp_path / "a.png")
        told = [f"{label}: {100 * share:.1f} %" for label, share in wanted["top"]]
        page.until(f"{BARS} === {','.join(told)!r}")
        page.press("Draw")
        page.drag(".pad")
        page.until("document.getElementById('problem').hidden && " + TOLD)
        page.press("Camera")
        page.press("Start the camera")
        page.ask("document.getElementById('prediction').replaceChildren()")
        page.until(TOLD)
        page.press("Samples")
        assert page.ask("document.querySelectorAll('.thumbs canvas').length") == 16
    assert not [said for said in page.said if "No available adapters" not in said]
