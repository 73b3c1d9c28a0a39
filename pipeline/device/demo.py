"""Serve a bundle's web/ page to this machine's browser, or to phones in the same network.

The page computes everything itself, so the server only gives files: the page and its scripts from
this package, never from the bundle; of web/ the model and its data, by the bytes whose hashes were
checked; LiteRT.js from where it is installed. Paths start with a token, for the page holds test
samples.
In a network it speaks only TLS: phones give camera and microphone to secure pages only.
"""

import contextlib
import io
import secrets
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.device.certificate import make_certificate
from pipeline.device.demo_content import content_of, content_policy, library_folders
from pipeline.device.page import HEADERS
from pipeline.documents.signature import describe_signer
from pipeline.errors import ConfigError

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".npz": "application/octet-stream",
    ".tflite": "application/octet-stream",
    ".wasm": "application/wasm",
}
SAFE = HEADERS | {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self)",
}
TOKEN_BYTES = 9  # twelve letters, short enough to type
END = "It ends with Ctrl-C, or after half an hour without use."
IDLE_END_S = 1800  # without a request: nobody uses it any more
WHITE_ON_BLACK, PLAIN = "\x1b[97;40m", "\x1b[0m"  # phones read a code that is not inverted
IDLE_LIMIT_S = 60  # a connection that says nothing


@dataclass
class Requests:
    """When a server was asked last."""

    last: float = field(default_factory=time.monotonic)
    """As time.monotonic() says it."""


@dataclass(frozen=True)
class Demo:
    """A page that is being served."""

    address: str
    fingerprint: str | None
    """SHA-256 of the certificate; None: no TLS."""
    requests: Requests = field(default_factory=Requests)
    signer: str = "unsigned"
    """Who signed the bundle, in words."""


def wait_until_idle(demo: Demo, limit_s: float = IDLE_END_S) -> None:
    """Return when nobody has asked for anything for a while."""
    while (left := demo.requests.last + limit_s - time.monotonic()) > 0:
        time.sleep(min(left, 1.0))


@contextlib.contextmanager
def serve_bundle(bundle: Path, *, lan: bool, port: int) -> Iterator[Demo]:
    """Serve a bundle's page while the block runs.

    Args:
        bundle: exported/<name>; its files are checked against their hashes first.
        lan: to other machines, over TLS; else to this one.
        port: 0: any that is free.

    Raises:
        ArtifactError: it is no bundle, was changed, or has no page.
        ConfigError: LiteRT.js, openssl or a network is missing, or the port is taken.
    """
    signer = describe_signer(bundle)
    content, folders = content_of(bundle), library_folders()
    host = own_address() if lan else "127.0.0.1"
    token = secrets.token_urlsafe(TOKEN_BYTES)
    requests, names = Requests(), {host} if lan else {host, "localhost"}
    facts = {"content": content, "folders": folders, "token": token, "requests": requests}
    handler = type("_Handler", (_Handler,), {**facts, "names": names})
    with tempfile.TemporaryDirectory(prefix="edgeline_") as name:
        context, fingerprint = _tls(Path(name), host) if lan else (None, None)
        with _listening(host, port, handler, context) as server:
            scheme, found = "https" if lan else "http", server.server_address[1]
            address = f"{scheme}://{host}:{found}/{token}/"
            yield Demo(address, fingerprint, requests, signer)


def own_address() -> str:
    """Return the address of this machine in its network; nothing is sent.

    Raises:
        ConfigError: it is in none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # RFC 5737: an address for documentation
            return str(probe.getsockname()[0])
        except OSError as error:
            raise ConfigError(
                f"--lan: this machine is in no network ({error.strerror}); join the phone's, or "
                "leave --lan out"
            ) from None


def _tls(folder: Path, host: str) -> tuple[ssl.SSLContext, str]:
    """Return what speaks TLS for an address, and the fingerprint of its certificate."""
    certificate, key, fingerprint = make_certificate(folder, host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, fingerprint


@contextlib.contextmanager
def _listening(
    host: str, port: int, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None
) -> Iterator[ThreadingHTTPServer]:
    """Serve requests in threads of their own while the block runs."""
    try:
        server = _Server((host, port), handler)
    except OSError as error:
        raise ConfigError(
            f"--port {port}: cannot listen on {host}: {error.strerror}; give another one, or none"
        ) from None
    server.context = context
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    """A server that speaks TLS in the thread of each connection, and minds no client that goes."""

    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, where TLS is asked for, and reply."""
        request.settimeout(IDLE_LIMIT_S)
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, *_: object) -> None:
        """Say nothing: a phone that does not know the certificate hangs up, and asks again."""


class _Handler(BaseHTTPRequestHandler):
    """Gives files."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "edgeline", ""
    content: dict[str, bytes]
    folders: dict[str, Path]
    names: set[str]
    """Of this server's host."""
    requests: Requests
    token: str

    def do_GET(self) -> None:
        """Give a file."""
        self._reply(with_content=True)

    def do_HEAD(self) -> None:
        """Tell whether a file is there."""
        self._reply(with_content=False)

    def _reply(self, *, with_content: bool) -> None:
        if not self._is_for_us():
            self.send_error(421)
            return
        found = self._find()
        if found is None:
            self.send_error(404)
            return
        self.requests.last = time.monotonic()
        suffix, content = found
        kept = {}
        if isinstance(content, Path):
            content, kept = content.read_bytes(), {"Cache-Control": "private, max-age=3600"}
        size = {"Content-Type": TYPES[suffix], "Content-Length": str(len(content))}
        policy = {"Content-Security-Policy": content_policy()}
        self.send_response(200)
        for name, value in (SAFE | policy | kept | size).items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(content)

    def _is_for_us(self) -> bool:
        """Tell whether the Host is this server's; a stranger's name may be made to point here."""
        port = self.server.server_address[1]  # type: ignore[index]
        return self.headers.get("Host") in {f"{name}:{port}" for name in self.names}

    def _find(self) -> tuple[str, bytes | Path] | None:
        """Return suffix and content of what a path names; None: nothing, or the token is wrong."""
        token, _, path = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        name = path or "index.html"
        if name in self.content:
            return Path(name).suffix, self.content[name]
        head, _, rest = path.partition("/")
        if head not in self.folders:
            return None
        folder = self.folders[head].resolve()
        try:
            file = (folder / rest).resolve()
            is_there = file.is_relative_to(folder) and file.suffix in TYPES and file.is_file()
        except (OSError, ValueError):  # a name that is too long, or holds a zero
            return None
        return (file.suffix, file) if is_there else None

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def code_lines(address: str) -> str | None:
    """Return an address as a QR code for a terminal; None where the encoder is not installed."""
    try:
        import segno
    except ImportError:
        return None
    drawn = io.StringIO()
    segno.make(address, error="m", micro=False).terminal(drawn, compact=True)
    return "".join(f"{WHITE_ON_BLACK}{line}{PLAIN}\n" for line in drawn.getvalue().splitlines())


def words(demo: Demo) -> str:
    """Return the text for the user who started it."""
    if demo.fingerprint is None:
        return f"{demo.address}\nThe bundle is {demo.signer}. Open it in a browser here. {END}"
    code = code_lines(demo.address) or "For a QR code here: pip install 'edgeline[demo]'\n"
    return (
        f"{code}{demo.address}\n"
        "Open it on a phone in the same network. It warns of a certificate that nobody vouches\n"
        "for: it was made for this demo, so go on. Its SHA-256 fingerprint is\n"
        f"{demo.fingerprint}\n"
        f"The bundle is {demo.signer}. {END}"
    )
