"""What several workers cost: a step of two on this machine over that of one with as many threads.

python -m tests.bench.workers   prints a row for each net, for docs/how-to/several-machines.md.

Times are the best of many calls, for other work on the machine makes them longer, never shorter;
processor time is that of all workers together.
"""

import json
import os
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

IMAGES, BATCH, CALLS, STEPS = 20_000, 128, 20, 8
NETS: dict[str, dict[str, Any]] = {
    "cnn": {"kind": "cnn", "filters": [16, 32], "dense": [100], "dropout": 0.0},
    "mlp": {"kind": "mlp", "units": [1000, 500], "dropout": 0.0},
}
ORDERED = 10_000_000  # samples that an epoch puts in order


def measure(out: str) -> None:
    """Make steps with whoever else is in this cluster, and write what they took."""
    import tensorflow as tf

    from pipeline.launch.place import place_here
    from pipeline.train import workers

    place = place_here()
    threads = 2 // (place.count if place else 1)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    if place is not None:
        workers.members()
    found = {name: steps_of(net) for name, net in NETS.items()}
    index = 0 if place is None else place.index
    Path(out, f"{index}.json").write_text(json.dumps(found))


def steps_of(net: dict[str, Any]) -> dict[str, float]:
    """Return milliseconds and processor milliseconds a step, weights, and checkpoint bytes."""
    from pipeline.config.schema import Train
    from pipeline.train.checkpoint import Progress, arrays_of
    from pipeline.train.compiled import compiled_steps
    from pipeline.train.loop import _callback_list, _own_part
    from pipeline.train.make import trainer_of
    from tests.conftest import make_spec

    x = {"name": "x", "shape": [28, 28, 1], "dtype": "float32"}
    spec = make_spec(net, [x], {"task": "classification", "units": 10})
    dataset: Any = images()
    settings, loss = Train(), lambda labels, logits: _cross_entropy(labels, logits)
    learning: dict[str, Any] = {"batch_size": BATCH, "augment": [], "seed": 3}
    trainer, feed = trainer_of(spec, settings, dataset, loss=loss, teacher=None, **learning)
    feed = _own_part(replace(feed, most_steps=STEPS), trainer.strategy)
    _callback_list(trainer, feed, [], 1)
    trainer.model.stop_training = False
    steps, times, used = compiled_steps(trainer, feed), [], []
    for number, (start, inputs, targets) in enumerate(feed.calls(0, 0)):
        began, busy = time.perf_counter(), time.process_time()
        steps(inputs, targets, 1, start)
        times.append((time.perf_counter() - began) / len(targets))
        used.append((time.process_time() - busy) / len(targets))
        if number == CALLS - 2:
            break
    weights = sum(int(np.prod(w.shape)) for w in trainer.model.trainable_variables)
    saved = arrays_of(trainer, [], Progress())
    size = sum(np.asarray(v).nbytes for v in saved.values())
    return {
        "ms": 1000 * min(times[2:]),
        "cpu_ms": 1000 * float(np.median(used[2:])),
        "weights": weights,
        "checkpoint_bytes": size,
        "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _cross_entropy(labels: Any, logits: Any) -> Any:
    import tensorflow as tf

    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def images() -> Any:
    """Return 28x28 noise in mapped shards."""
    from pipeline.config.load import load
    from pipeline.data.dataset import open_dataset
    from tests.conftest import prepare_data

    folder = Path(tempfile.mkdtemp(prefix="edgeline_bench_"))
    (folder / "data").mkdir()
    generator = np.random.default_rng(1)
    x = generator.integers(0, 256, (IMAGES, 28, 28, 1), np.uint8)
    np.savez(folder / "noise.npz", x=x, y=generator.integers(0, 10, IMAGES))
    (folder / "noise.yaml").write_text(
        "name: noise\ntask: classification\nmodel: {kind: mlp}\n"
        "data: {source: {kind: npz, path: noise.npz, inputs: [x], label: y}}\n"
    )
    prepare_data(load(folder / "noise.yaml", []), folder / "data", folder)
    return open_dataset(folder / "data")


def main() -> None:
    """Print what was measured."""
    from pipeline.launch.workers import launch

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-m", "tests.bench.workers"]
        for name, workers in (("one", 1), ("two", 2)):
            out = Path(folder, name)
            out.mkdir()
            run = [*command, str(out)]
            assert launch(run, workers=workers, logs=out / "logs", restarts=0) == 0
        one = json.loads(Path(folder, "one", "0.json").read_text())
        two = [json.loads(Path(folder, "two", f"{i}.json").read_text()) for i in range(2)]
    for net, alone in one.items():
        both = [found[net] for found in two]
        print(net, alone, both)
    dataset = images()
    positions = np.random.default_rng(1).permutation(dataset.split("train"))
    began = time.perf_counter()
    dataset.read(positions)
    rate = len(positions) / (time.perf_counter() - began)
    print(f"reads {rate:.0f} images/s, {rate * dataset.sample_bytes / 1e6:.0f} MB/s, in any order")
    began = time.perf_counter()
    np.random.Generator(np.random.Philox(1)).permutation(ORDERED)
    seconds = time.perf_counter() - began
    print(
        f"orders {ORDERED / 1e6:.0f} million samples in {seconds:.2f} s, {ORDERED * 8 / 1e6:.0f} MB"
    )


if __name__ == "__main__":
    measure(sys.argv[1]) if len(sys.argv) > 1 else main()
