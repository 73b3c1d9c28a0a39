"""See to it that a set of TensorFlow Datasets lies on this machine, or say in seconds why not.

Left to itself TFDS retries an unreachable host for minutes. It writes into a folder of another name
and renames it at the end, so a set that is there is whole, also after a kill.
"""

import contextlib
import difflib
import io
import logging
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pipeline.config.schema import TfdsSource
from pipeline.errors import ConfigError
from pipeline.tensorflow_env import import_quietly

log = logging.getLogger(__name__)

PROBE_SECONDS = 5.0  # for a host to begin its reply, name resolution included


def prepared_builder(source: TfdsSource, base: Path) -> Any:
    """Return the set's builder, prepared: from its folder, its download cache, or the network.

    Raises:
        ConfigError: no such set, its files are not here and cannot be fetched, or it needs files or
            packages that are missing.
    """
    import_quietly("tensorflow")
    tfds = import_quietly("tensorflow_datasets")

    builder = _builder(tfds, source, base)
    if builder.data_path.exists():
        return builder
    log.info(
        "          preparing %s in %s; this is done once", builder.info.full_name, builder.data_path
    )
    manual = None if source.manual_dir is None else base / Path(source.manual_dir).expanduser()
    config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False)
    _refuse_dead_hosts(builder)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints what the log says already
            builder.download_and_prepare(download_config=config)
    except (AssertionError, OSError, ImportError, ValueError, tfds.download.DownloadError) as error:
        raise ConfigError(_failed(source, builder, error)) from error
    return builder


def _builder(tfds: Any, source: TfdsSource, base: Path) -> Any:
    """Return the builder by name; nothing is read or fetched yet."""
    data_dir = None if source.data_dir is None else base / Path(source.data_dir).expanduser()
    try:
        return tfds.builder(source.name, data_dir=data_dir, try_gcs=False)
    except tfds.core.DatasetNotFoundError as error:
        asked = source.name.split("/")[0].split(":")[0]
        known = tfds.list_builders(with_community_datasets=False)
        near = difflib.get_close_matches(asked, known, n=1)
        hint = (
            f"did you mean {near[0]!r}?"
            if near
            else "its catalog: https://www.tensorflow.org/datasets"
        )
        raise ConfigError(f"data.source.name: TFDS has no set {asked!r}; {hint}") from error
    except (ValueError, AssertionError) as error:
        text = " ".join(str(error).split())
        raise ConfigError(f"data.source.name: {source.name!r}: {text}") from error


def _failed(source: TfdsSource, builder: Any, error: Exception) -> str:
    """Say why a preparation failed, and what to do about it."""
    text = f"data.source.name: {source.name} could not be prepared: {error}"
    if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and source.manual_dir is None:
        return f"{text}\nSet data.source.manual_dir to a folder with the files that it asks for."
    return text


def _refuse_dead_hosts(builder: Any) -> None:
    """Make the builder ask whether a file can be fetched before TFDS begins to retry.

    Files in the download cache or in the manual folder are not asked for.
    """
    make = builder._make_download_manager

    def guarded(**settings: Any) -> Any:
        manager = make(**settings)
        download = manager._download

        def ask_first(resource: Any) -> Any:
            problem = unreachable(resource.url)
            if problem is not None:
                raise ConfigError(
                    f"data.source.name: {builder.info.full_name} is not prepared in "
                    f"{builder.data_path}, "
                    f"{resource.url} is not in its download cache {manager.download_dir}, "
                    f"and it cannot be fetched: {problem}. "
                    "Prepare the set where there is a network and set data.source.data_dir to a "
                    "copy of it"
                )
            return download(resource)

        manager._download = ask_first
        return manager

    builder._make_download_manager = guarded


def unreachable(url: str) -> str | None:
    """Return why a file cannot be fetched, after PROBE_SECONDS at most; None: its host replies.

    Proxies and certificates are those that TFDS uses. Other schemes than http are not asked.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return None
    problem = _host_problem(f"{parts.scheme}://{parts.netloc}/")
    return None if problem is None else f"{parts.hostname} {problem}"


@lru_cache(maxsize=64)
def _host_problem(address: str) -> str | None:
    """Ask a host for anything; in a thread, because resolving a name knows no time limit."""
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(_ask(address)), daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return found[0] if found else f"did not reply in {PROBE_SECONDS:g} s"


def _ask(address: str) -> str | None:
    import requests

    try:
        requests.get(address, stream=True, timeout=PROBE_SECONDS, allow_redirects=False).close()
    except requests.exceptions.SSLError:
        return "has no certificate that is trusted here"
    except requests.exceptions.ProxyError:
        return "is behind a proxy that refuses"
    except requests.exceptions.RequestException:
        return "cannot be reached"
    return None
