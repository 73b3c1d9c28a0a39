"""What the demo serves: our own page, LiteRT.js, and of a bundle the model and its data alone."""

import hashlib
import re
from pathlib import Path

from pipeline.device.browser import PACKAGE, VERSION, find_helper, find_package
from pipeline.documents.bundles import read_bundle
from pipeline.errors import ArtifactError, ConfigError

PAGE = Path(__file__).with_name("web") / "demo"
DATA = ("model.tflite", "model.json", "golden.npz")  # that a bundle gives to the page
POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
CURE = (
    f"make litertjs, or npm install --no-save {PACKAGE}@{VERSION} where Edgeline is, or set "
    "EDGELINE_LITERTJS to where it is installed"
)


def content_of(bundle: Path) -> dict[str, bytes]:
    """Return name -> bytes of what the server gives of the page and of a bundle.

    Raises:
        ArtifactError: it is no bundle, was changed, or has no data for the page.
    """
    content = {path.name: path.read_bytes() for path in PAGE.iterdir() if path.is_file()}
    manifest = read_bundle(bundle)
    for name in DATA:
        file = bundle / "web" / name
        described = manifest.files.get(f"web/{name}")
        if described is None:
            raise ArtifactError(
                f"{file}: missing; an older Edgeline made this bundle. Publish it again: edgeline "
                "run CONFIG --force bundle."
            )
        content[name] = file.read_bytes()
        if hashlib.sha256(content[name]).hexdigest() != described.sha256:
            raise ArtifactError(f"{file}: changed while it was read; start again")
    return content


def library_folders() -> dict[str, Path]:
    """Return first part of a path -> the folder of LiteRT.js that is served there.

    Raises:
        ConfigError: LiteRT.js is not installed.
    """
    package, helper = find_package(), find_helper()
    if helper is None or not (package / "dist" / "index.js").is_file():
        raise ConfigError(f"demo: no LiteRT.js in {package}, which runs the model: {CURE}")
    return {"litertjs": package, "wasm-utils": helper}


def content_policy() -> str:
    """Return the Content-Security-Policy of the page, and that nothing may frame it."""
    found = POLICY.search((PAGE / "index.html").read_text())
    if found is None:
        raise ValueError(f"{PAGE}/index.html: no Content-Security-Policy")
    return f"{found[1]}; frame-ancestors 'none'"
