"""A page in a headless Chromium, driven over a pipe by the DevTools protocol; no port, no package.

https://chromedevtools.github.io/devtools-protocol: messages are JSON, a zero byte ends each.
"""

import base64
import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.device.browser import FLAGS, find_browser

MEDIA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
LIMIT_S = 60
RESULT = "document.getElementById('self-test-result').textContent"
TESTED = f"/Passed|Failed/.test({RESULT}) && {RESULT}"  # what came of the self-test


class Page:
    """One tab."""

    def __init__(self, read: int, write: int) -> None:
        self.read, self.write, self.rest = read, write, b""
        self.last, self.session, self.said = 0, None, list[str]()
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "DOM", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> Any:
        """Call the protocol and return the result."""
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while True:
            found = self._receive()
            if found.get("id") == self.last:
                assert "error" not in found, (method, found["error"])
                return found["result"]
            if found.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.said.append(json.dumps(found["params"]))

    def _receive(self) -> Any:
        while b"\0" not in self.rest:
            part = os.read(self.read, 1 << 20)
            assert part, "the browser ended"
            self.rest += part
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def ask(self, expression: str) -> Any:
        """Return what an expression is in the page, promises awaited."""
        found = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str, limit_s: float = LIMIT_S) -> Any:
        """Wait until an expression is true, and return it."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            with contextlib.suppress(AssertionError):  # the page is changing
                if found := self.ask(expression):
                    return found
            time.sleep(0.05)
        shown = self.ask("document.body.innerText")
        raise AssertionError(f"never came true: {expression}\n{shown}\n{self.said}")

    def open(self, address: str) -> str:
        """Open a demo's page and return its state: ready or failed."""
        self.said.clear()
        self.send("Page.navigate", url=address)
        return str(self.until("document.documentElement.dataset.state"))

    def text(self, element: str) -> str:
        """Return the text of an element."""
        return str(self.ask(f"document.getElementById({element!r}).innerText"))

    def press(self, words: str) -> None:
        """Press the button with these words, as a person may."""
        self.ask(
            "[...document.querySelectorAll('button')]"
            f".find((button) => button.innerText.trim() === {words!r}).click()"
        )

    def drag(self, selector: str) -> None:
        """Draw a line from the top of an element to its bottom."""
        box = self.ask(
            f"(({{x, y, width, height}}) => [x, y, width, height])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        x, top, height = box[0] + box[2] / 2, box[1] + 10, box[3] - 20
        steps = [("mousePressed", top), *[("mouseMoved", top + height * i / 9) for i in range(10)]]
        for kind, y in [*steps, ("mouseReleased", top + height)]:
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1)

    def give_file(self, path: Path) -> None:
        """Choose a file in the page's field for files."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def look(self, path: Path, width: int, *, dark: bool = False) -> None:
        """Write a picture of the whole page."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        time.sleep(0.3)
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def chromium(*flags: str) -> Iterator[Page]:
    """Run a browser with an empty profile and a camera and microphone that are made up."""
    (down, to_browser), (from_browser, up) = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as profile:
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        command = [str(find_browser()), *FLAGS, *MEDIA, *root, *flags]
        command += [f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        # The protocol is spoken on descriptors 3 and 4.
        spread = ["/bin/bash", "-c", f'exec "$@" 3<&{down} 4>&{up}', "bash", *command]
        process = subprocess.Popen(
            spread, pass_fds=(down, up), start_new_session=True, stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, env=os.environ | {"TMPDIR": profile},
        )  # fmt: skip
        os.close(down)
        os.close(up)
        try:
            yield Page(from_browser, to_browser)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            os.close(to_browser)
            os.close(from_browser)
