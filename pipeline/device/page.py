"""Serve one job to a page on this machine, and collect what it posts.

A job is a file, its inputs in parts, and where the library lies. Paths start with a token, so that
no other page or user on the machine can read the samples or post outputs. The server
listens only on 127.0.0.1, on a free port, and ends with the `with` block.
"""

import contextlib
import json
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from pipeline.arrays import Array

WEB = Path(__file__).with_name("web")
TYPES = {".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm"}
PART_BYTES = 4_000_000  # of inputs that the page holds at a time
MOST_BYTES = 1 << 30  # that one request may have
HEADERS = {  # by itself in its process, the page has threads and a clock of 5 us instead of 100
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-store",
}


@dataclass
class Job:
    """The page's job, and its outputs so far."""

    model: bytes
    inputs: Sequence[tuple[str, Array]]
    """Key in the file's signature, and values (N, ...): float32, int32 or uint8."""
    folders: Mapping[str, Path]
    """First part of a path -> the folder that is served there."""
    outputs: Sequence[str]
    """Names of the outputs in the file's signature, in the order in which they are posted."""
    answers: dict[int, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    failure: str | None = None
    is_open: threading.Event = field(default_factory=threading.Event)
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(self.inputs[0][1])

    @property
    def part_samples(self) -> int:
        """Number of samples in a part."""
        sample = sum(values[:1].nbytes for _, values in self.inputs)
        return max(1, PART_BYTES // max(1, sample))

    def document(self) -> dict[str, Any]:
        """Return the job as the page reads it."""
        inputs = [
            {"key": key, "dtype": str(values.dtype), "shape": [1, *values.shape[1:]]}
            for key, values in self.inputs
        ]
        sizes = {"samples": self.samples, "part_samples": self.part_samples}
        return {"inputs": inputs, "outputs": list(self.outputs), **sizes}

    def part(self, number: int) -> bytes:
        """Return the inputs of one part: all samples of an input lie one after the other."""
        place = slice(number * self.part_samples, (number + 1) * self.part_samples)
        return b"".join(np.ascontiguousarray(values[place]).tobytes() for _, values in self.inputs)

    def take(self, number: int, content: bytes, seconds: float) -> None:
        """Store the outputs of one part."""
        self.answers[number] = content
        self.seconds += seconds
        if len(self.answers) * self.part_samples >= self.samples:
            self.is_over.set()

    def fail(self, reason: str) -> None:
        """End the job; the first reason counts."""
        self.failure = self.failure or reason
        self.is_over.set()


@contextlib.contextmanager
def serve_job(job: Job) -> Iterator[str]:
    """Serve a job while the block runs; yields the address of its page."""
    token = secrets.token_urlsafe(16)
    handler = type("_Handler", (_Handler,), {"job": job, "token": token})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{token}/run.html"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """A server that does not mind a browser that is ended."""

    def handle_error(self, *_: object) -> None:
        """Say nothing: the job has a time limit."""


class _Handler(BaseHTTPRequestHandler):
    """Serves the page."""

    protocol_version = "HTTP/1.1"
    job: Job
    token: str

    def do_GET(self) -> None:
        """Give the page, the library, the job, the file or a part of the inputs."""
        path = self._path()
        head, _, rest = path.partition("/")
        if path in ("run.html", "run.js"):
            self._give((WEB / path).read_bytes(), TYPES[Path(path).suffix])
        elif path == "job.json":
            self.job.is_open.set()
            self._give(json.dumps(self.job.document()).encode(), "application/json")
        elif path == "model.tflite":
            self._give(self.job.model)
        elif head == "inputs" and rest.isdecimal():
            self._give(self.job.part(int(rest)))
        elif head in self.job.folders:
            self._give_file(self.job.folders[head], rest)
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """Receive the outputs of a part, or the reason of a failure."""
        length = int(self.headers.get("Content-Length", 0))
        if length > MOST_BYTES:
            self.send_error(413)
            return
        content, path = self.rfile.read(length), self._path()
        head, _, rest = path.partition("/")
        if path == "failed":
            self.job.fail(content.decode("utf-8", "replace"))
        elif head == "answers" and rest.isdecimal():
            seconds = parse_qs(urlsplit(self.path).query)["seconds"][0]
            self.job.take(int(rest), content, float(seconds))
        else:
            self.send_error(404)
            return
        self._give(b"")

    def _path(self) -> str:
        """Return the path behind the token; empty where the token is wrong."""
        token, _, path = urlsplit(self.path).path.lstrip("/").partition("/")
        return path if secrets.compare_digest(token.encode(), self.token.encode()) else ""

    def _give_file(self, folder: Path, name: str) -> None:
        path = (folder / name).resolve()
        is_inside = path.is_relative_to(folder.resolve())
        if is_inside and path.suffix in TYPES and path.is_file():
            self._give(path.read_bytes(), TYPES[path.suffix])
        else:
            self.send_error(404)

    def _give(self, content: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(200)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing: what matters is posted."""
