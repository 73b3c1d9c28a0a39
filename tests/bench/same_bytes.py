"""Whether a change of the code changed any model file: run configs in two trees and compare hashes.

    .venv/bin/python -m tests.bench.same_bytes --base REVISION [--only NAME ...]

The base is checked out beside this tree, and its runs are kept there, so that a second comparison
runs this tree alone. Compared are all models and arrays of the run folder and the bundle
(.tflite, .keras, .npz, .npy). JSON files may change on purpose, so they are not.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from pipeline.artifacts import sha256_file

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "runs" / "same_bytes"
SUFFIXES = (".tflite", ".keras", ".npz", ".npy")
FAST = (  # configs whose data are bundled or generated, and whose chain takes at most two minutes
    "cancer_perceptron", "digits_autoencoder", "digits_cnn", "digits_pretrained", "digits_pruned",
    "digits_vit", "fraud_mlp", "gestures_cnn1d", "gestures_gru", "gestures_rnn", "gestures_series",
    "gestures_transformer", "load_forecast", "machines_csv", "messages_lstm", "messages_text",
    "messages_transformer", "pictures_folder", "pictures_mobilenet", "pictures_own",
    "pictures_resnet8", "sensors_autoencoder", "sensors_forecaster", "sensors_series",
    "shapes_npz", "tones_audio", "tones_ds_cnn",
)  # fmt: skip


def main() -> None:
    """Compare config by config; exit 1 where a file differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="the commit to compare with")
    parser.add_argument("--only", nargs="*", default=FAST, help="names of configs")
    asked = parser.parse_args()
    base = check_out(asked.base)
    differing = [name for name in asked.only if not is_same(name, base)]
    sys.exit(f"differ: {', '.join(differing)}" if differing else 0)


def check_out(revision: str) -> Path:
    """Return a tree of a commit, checked out where it is not there yet."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--verify", f"{revision}^{{commit}}"]
    commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    tree = WORK / commit
    if not tree.exists():
        command = ["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), commit]
        subprocess.run(command, capture_output=True, check=True)
    generated = ROOT / "runs" / "generated"
    if generated.exists() and not (tree / "runs" / "generated").exists():
        (tree / "runs").mkdir(exist_ok=True)
        (tree / "runs" / "generated").symlink_to(generated)
    return tree


def is_same(name: str, base: Path) -> bool:
    """Run a config in both trees, print a line, and tell whether all files are equal."""
    before, after = (file_hashes(tree, name) for tree in (base, ROOT))
    names = before.keys() | after.keys()
    changed = sorted(file for file in names if before.get(file) != after.get(file))
    print(f"{name}: {len(names)} files, {len(changed)} differ {' '.join(changed)}", flush=True)
    return not changed


def file_hashes(tree: Path, name: str) -> dict[str, str]:
    """Run a config with the code of a tree and return file -> sha256 of what it made."""
    folder = tree / "runs" / "same_bytes" / "out"
    command = [
        sys.executable, "-m", "pipeline", "run", f"configs/{name}.yaml",
        "--runs", str(folder / "runs"), "--exported", str(folder / "exported"),
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 3):  # a gate that fails leaves its files, too
        sys.exit(f"{name} ended with {done.returncode} in {tree}:\n{done.stderr[-2000:]}")
    files = (path.relative_to(folder) for path in sorted(folder.glob(f"*/{name}/**/*")))
    hashes = {
        path.as_posix(): sha256_file(folder / path)
        for path in files
        if path.suffix in SUFFIXES and "work" not in path.parts
    }
    return hashes or sys.exit(f"{name} left no model file in {folder}")


if __name__ == "__main__":
    main()
