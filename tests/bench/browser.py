"""Run the self-test of the page of every bundle in a folder, in a headless Chromium.

    python -m tests.bench.browser exported [NAME...]

Needs Chromium and LiteRT.js; about three seconds a bundle. Exit 3 where one fails, or LiteRT.js
refuses a file for another reason than the state that a fused LSTM keeps.
"""

import sys
from pathlib import Path

from pipeline.artifacts import read_json
from pipeline.device.demo import serve_bundle
from tests.device.devtools import TESTED, Page, chromium

KNOWN = "no network that keeps state"  # what the page says of a fused LSTM


def self_test(page: Page, bundle: Path) -> tuple[str, str]:
    """Return what came of a bundle's self-test in the page, and how fast its file is there."""
    with serve_bundle(bundle, lan=False, port=0) as demo:
        if page.open(demo.address) == "failed":
            return page.text("notice").replace("\n", " "), ""
        page.press("Run the self-test")
        return page.until(TESTED), page.text("speed").split(" an inference")[0]


def main(folder: str, *names: str) -> int:
    """Print a line for each bundle and return the exit code."""
    bundles = sorted(path.parent for path in Path(folder).glob("*/manifest.json"))
    failed = []
    with chromium() as page:
        for bundle in (b for b in bundles if not names or b.name in names):
            found, speed = self_test(page, bundle)
            form = read_json(bundle / "manifest.json")["ships"]
            print(f"{bundle.name:<24} {form:<8} {speed:<10} {found}", flush=True)
            failed += [] if found.startswith("Passed") or KNOWN in found else [bundle.name]
    print(f"failed: {', '.join(failed)}" if failed else "all as expected")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
