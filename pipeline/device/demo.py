"""Serve a bundle's web/ page to this machine's browser, or to phones in the same network.

The page computes everything itself, so the server only gives files: web/ of the bundle, and
LiteRT.js from where it is installed. Paths start with a token, for the page holds test samples.
In a network it speaks only TLS: phones give camera and microphone to secure pages only.
"""

import contextlib
import io
import secrets
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pipeline.device.browser import PACKAGE, VERSION, find_helper, find_package
from pipeline.device.certificate import make_certificate
from pipeline.device.page import HEADERS
from pipeline.documents.bundles import read_bundle
from pipeline.errors import ArtifactError, ConfigError

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
    "Content-Security-Policy": "frame-ancestors 'none'",  # the page has the rest of its own
    "Permissions-Policy": "camera=(self), microphone=(self)",
}
TOKEN_BYTES = 9  # twelve letters, short enough to type
WHITE_ON_BLACK, PLAIN = "\x1b[97;40m", "\x1b[0m"  # phones read a code that is not inverted
IDLE_LIMIT_S = 60  # a connection that says nothing
CURE = (
    f"make litertjs, or npm install --no-save {PACKAGE}@{VERSION} where Edgeline is, or set "
    "EDGELINE_LITERTJS to where it is installed"
)


@dataclass(frozen=True)
class Demo:
    """A page that is being served."""

    address: str
    fingerprint: str | None
    """SHA-256 of the certificate; None: no TLS."""


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
    folders = folders_of(bundle)
    host = own_address() if lan else "127.0.0.1"
    token = secrets.token_urlsafe(TOKEN_BYTES)
    handler = type("_Handler", (_Handler,), {"folders": folders, "token": token})
    with tempfile.TemporaryDirectory(prefix="edgeline_") as name:
        context, fingerprint = _tls(Path(name), host) if lan else (None, None)
        with _listening(host, port, handler, context) as server:
            scheme, found = "https" if lan else "http", server.server_address[1]
            yield Demo(f"{scheme}://{host}:{found}/{token}/", fingerprint)


def folders_of(bundle: Path) -> dict[str, Path]:
    """Return first part of a path -> the folder that is served there; empty: the page itself.

    Raises:
        ArtifactError: it is no bundle, was changed, or has no page.
        ConfigError: LiteRT.js is not installed.
    """
    read_bundle(bundle)
    web, package, helper = bundle / "web", find_package(), find_helper()
    if not (web / "index.html").is_file():
        raise ArtifactError(
            f"{web}: missing; an older Edgeline made this bundle. Publish it again: edgeline run "
            "CONFIG --force bundle."
        )
    if helper is None or not (package / "dist" / "index.js").is_file():
        raise ConfigError(f"demo: no LiteRT.js in {package}, which runs the model: {CURE}")
    return {"": web, "litertjs": package, "wasm-utils": helper}


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
    folders: dict[str, Path]
    token: str

    def do_GET(self) -> None:
        """Give a file."""
        self._reply(with_content=True)

    def do_HEAD(self) -> None:
        """Tell whether a file is there."""
        self._reply(with_content=False)

    def _reply(self, *, with_content: bool) -> None:
        file = self._file()
        if file is None:
            self.send_error(404)
            return
        self.send_response(200)
        is_library = not file.is_relative_to(self.folders[""].resolve())
        kept = {"Cache-Control": "private, max-age=3600"} if is_library else {}
        size = {"Content-Type": TYPES[file.suffix], "Content-Length": str(file.stat().st_size)}
        for name, value in (SAFE | kept | size).items():
            self.send_header(name, value)
        self.end_headers()
        if with_content:
            self.wfile.write(file.read_bytes())

    def _file(self) -> Path | None:
        """Return the file that a path names; None where it names none, or the token is wrong."""
        token, _, path = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            return None
        head, _, rest = path.partition("/")
        part, name = (head, rest) if head and head in self.folders else ("", path)
        folder = self.folders[part].resolve()
        try:
            file = (folder / (name or "index.html")).resolve()
            is_there = file.is_relative_to(folder) and file.suffix in TYPES and file.is_file()
        except (OSError, ValueError):  # a name that is too long, or holds a zero
            return None
        return file if is_there else None

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
        return f"{demo.address}\nOpen it in a browser here. Ctrl-C ends it."
    code = code_lines(demo.address) or "For a QR code here: pip install 'edgeline[demo]'\n"
    return (
        f"{code}{demo.address}\n"
        "Open it on a phone in the same network. It warns of a certificate that nobody vouches\n"
        "for: it was made for this demo, so go on. Its SHA-256 fingerprint is\n"
        f"{demo.fingerprint}\n"
        "Ctrl-C ends it."
    )
