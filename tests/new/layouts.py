"""Sets of data in the form in which people and tools have them, small, and what `new` proposes.

`python -m tests.new.layouts` prints the table.
"""

import json
import tarfile
import tempfile
import wave
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.config.folder_schema import Listing
from pipeline.config.load import load
from pipeline.errors import ConfigError
from pipeline.new.write import write_config

RNG = np.random.default_rng(0)
KINDS = ("cat", "dog", "owl")
RATE = 8000


@dataclass(frozen=True)
class Layout:
    """A set, and what `edgeline new` must make of it."""

    name: str
    make: Callable[[Path], Path]
    """Writes it into a folder, and returns what --data names."""
    kind: str = ""
    task: str = "classification"
    by: str = "stratified"
    says: str = ""
    """Words of the message, where a message is right."""
    source: dict[str, Any] = field(default_factory=dict)
    """Further fields of data.source; paths end so."""


def picture(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(level, level + 60, (8, 8, 3)).astype(np.uint8)).save(path)


def pictures(root: Path, *parts: str, per: int = 8, name: str = "{}.png") -> Path:
    """Write class folders into each part of a folder."""
    for part in parts or (".",):
        for kind in KINDS:
            for i in range(per):
                picture(root / part / kind / name.format(i))
    return root


def sound(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(RNG.integers(-999, 999, RATE // 4, np.int16).tobytes())


def rows(path: Path, head: str, lines: list[str], delimiter: str = ",") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(([head] if head else []) + lines) + "\n"
    path.write_text(text.replace("|", delimiter))
    return path


def facts(count: int = 240, last: str = "{y}") -> list[str]:
    """Return rows of two numbers and a class; {i} counts the rows, {p} ten parts of them."""
    x = RNG.normal(size=(count, 2)).round(3)
    form = "{a}|{b}|" + last
    return [
        form.format(a=a, b=b, y=("no", "yes")[i % 2], i=i, p=i * 10 // count)
        for i, (a, b) in enumerate(x)
    ]


def words(count: int = 240, form: str = "{t}|{y}") -> list[str]:
    vocabulary = ["red", "blue", "green", "fast", "slow", "call", "now", "prize", "win", "home"]
    return [
        form.format(
            t=" ".join(vocabulary[k] for k in RNG.integers(0, 10, 6)) + f" {i}x",
            y=("ham", "spam")[i % 2],
            p=("train", "test")[i % 4 == 3],
        )
        for i in range(count)
    ]


def walk(count: int = 400, form: str = "{d}|{v}") -> list[str]:
    return [
        form.format(
            d=f"2026-01-{1 + i // 24:02d} {i % 24:02d}:00:00", v=round(float(np.sin(i / 4)), 3),
            day=f"{1 + i // 24:02d}.01.2026", hour=f"{i % 24:02d}:00:00", y=int(i % 24 > 18),
        )
        for i in range(count)
    ]  # fmt: skip


def motion(path: Path) -> None:
    lines = [",".join(map(str, row)) for row in RNG.normal(size=(60, 3)).round(3)]
    rows(path, "x,y,z", lines)


def listed(root: Path, head: str, form: str, *, absolute: bool = False) -> Path:
    lines = []
    for i in range(24):
        path = root / "images" / f"img_{i}.png"
        picture(path)
        shown = str(path) if absolute else f"images/img_{i}.png"
        part = ("train", "train", "val", "test")[i % 4]
        lines.append(form.format(f=shown, n=path.name, y=KINDS[i % 3], g=f"p{i // 4}", s=part))
    return rows(root / "labels.csv", head, lines)


def listed_in_parts(root: Path) -> Path:
    """Write flat folders of parts, each with a list of one column of 0 and 1 a class."""
    for part in ("train", "valid", "test"):
        lines = []
        for i in range(12):
            picture(root / part / f"{part}_{i}.png")
            hot = ",".join(str(int(i % 3 == k)) for k in range(3))
            lines.append(f"{part}_{i}.png,{hot}")
        rows(root / part / "_classes.csv", "filename,cat,dog,owl", lines)
    return root


def packed(root: Path, suffix: str) -> Path:
    pictures(root / "pets")
    target = root / f"pets{suffix}"
    if suffix == ".zip":
        with zipfile.ZipFile(target, "w") as archive:
            for path in sorted((root / "pets").rglob("*.png")):
                archive.write(path, path.relative_to(root))
    else:
        with tarfile.open(target, "w:gz") as archive:
            archive.add(root / "pets", "pets")
    return target


def intel(root: Path) -> Path:
    pictures(root, "seg_train/seg_train", "seg_test/seg_test")
    for i in range(4):
        picture(root / "seg_pred" / "seg_pred" / f"{i}.png")
    return root


def dogs_vs_cats(root: Path) -> Path:
    for i in range(12):
        picture(root / "train" / f"{KINDS[i % 2]}.{i}.png")
    return root / "train"


def mvtec(root: Path) -> Path:
    for part, kind in (("train", "good"), ("test", "good"), ("test", "broken")):
        for i in range(8):
            picture(root / "bottle" / part / kind / f"{i}.png")
    picture(root / "bottle" / "ground_truth" / "broken" / "0_mask.png")
    return root / "bottle"


def coco(root: Path) -> Path:
    picture(root / "train" / "a.png")
    boxes = {"images": [], "annotations": [], "categories": []}
    (root / "train" / "_annotations.coco.json").write_text(json.dumps(boxes))
    return root


def yolo(root: Path) -> Path:
    for part in ("train", "val"):
        picture(root / "images" / part / "a.png")
        rows(root / "labels" / part / "a.txt", "", ["0 0.5 0.5 0.2 0.2"])
    (root / "data.yaml").write_text("train: images/train\nnames: [cat]\n")
    return root


def voc(root: Path) -> Path:
    picture(root / "JPEGImages" / "a.png")
    (root / "Annotations").mkdir()
    (root / "Annotations" / "a.xml").write_text(
        "<annotation><object><bndbox/></object></annotation>".replace("/>", ">")
    )
    return root


def looped(root: Path) -> Path:
    pictures(root / "set")
    (root / "set" / "cat" / "again").symlink_to(root / "set", target_is_directory=True)
    return root / "set"


def formats(root: Path) -> Path:
    for name in ("images", "masks"):
        for i in range(6):
            picture(root / name / f"{i}.png")
    return root


def commands(root: Path) -> Path:
    for word in ("yes", "no"):
        for i in range(10):
            sound(root / word / f"{i}.wav")
    sound(root / "_background_noise_" / "hum.wav")
    rows(root / "testing_list.txt", "", [f"{w}/{i}.wav" for w in ("yes", "no") for i in (8, 9)])
    rows(root / "validation_list.txt", "", ["yes/7.wav", "no/7.wav"])
    return root


def urbansound(root: Path) -> Path:
    lines = []
    for i in range(40):
        sound(root / "audio" / f"fold{1 + i % 10}" / f"{i}.wav")
        lines.append(f"{i}.wav,{1 + i % 10},{i % 2},{KINDS[i % 2]}")
    rows(root / "metadata" / "UrbanSound8K.csv", "slice_file_name,fold,classID,class", lines)
    return root


def esc50(root: Path) -> Path:
    lines = []
    for i in range(30):
        sound(root / "audio" / f"1-{i}.wav")
        lines.append(f"1-{i}.wav,{1 + i % 5},{i % 2},{KINDS[i % 2]}")
    rows(root / "meta" / "esc50.csv", "filename,fold,target,category", lines)
    return root


def edge_impulse(root: Path) -> Path:
    files = []
    for part in ("training", "testing"):
        for i in range(8):
            sound(root / part / f"{KINDS[i % 2]}.{i}.wav")
            label = {"type": "label", "label": KINDS[i % 2]}
            files.append(
                {"path": f"{part}/{KINDS[i % 2]}.{i}.wav", "category": part, "label": label}
            )
    (root / "info.labels").write_text(json.dumps({"version": 1, "files": files}))
    return root


def gestures(root: Path) -> Path:
    for kind in KINDS:
        for i in range(8):
            motion(root / kind / f"{i}.csv")
    return root


def sensor_parts(root: Path) -> Path:
    for part in ("train", "test"):
        for i in range(6):
            rows(root / part / f"m{i}.csv", "time,value", [w.replace("|", ",") for w in walk(60)])
    return root


def long_format(root: Path) -> Path:
    lines = []
    for user in range(6):
        for activity in ("walk", "sit"):
            for i in range(60):
                at = 100_000 * user + 10_000 * (activity == "sit") + 50 * i
                x = ",".join(map(str, RNG.normal(size=3).round(3)))
                lines.append(f"{user},{activity},{at},{x}")
    return rows(root / "har.csv", "user,activity,timestamp,x,y,z", lines)


def two_files(root: Path, head: str, lines: Callable[[], list[str]], test: str = "test") -> Path:
    for part in ("train", test):
        rows(root / f"{part}.csv", head, lines())
    return root


def kaggle(root: Path) -> Path:
    rows(root / "train.csv", "a|b|target", facts())
    rows(root / "test.csv", "a|b", facts(last="x"))
    rows(root / "test.csv", "a|b", [line.rpartition("|")[0] for line in facts()])
    rows(root / "sample_submission.csv", "id|target", ["1|0", "2|0"])
    return root


def uci(root: Path) -> Path:
    rows(root / "adult.data", "", facts())
    rows(root / "adult.test", "", facts(last="{y}."))
    (root / "adult.names").write_text("| about\nage: continuous.\npay: continuous.\n")
    return root


def parquet(root: Path) -> Path:
    import pyarrow
    from pyarrow.parquet import write_table

    columns = {"a": RNG.normal(size=99), "b": RNG.normal(size=99), "label": ["u", "v", "w"] * 33}
    write_table(pyarrow.table(columns), root / "t.parquet")
    return root / "t.parquet"


def spam(root: Path) -> Path:
    lines = ["v1,v2,,,", *(f'{y},"{t} é",,,' for y, t in (w.split("|")[::-1] for w in words()))]
    (root / "spam.csv").write_bytes(("\n".join(lines) + "\n").encode("latin-1"))
    return root / "spam.csv"


def arrays(root: Path, shape: tuple[int, ...], **more: Any) -> Path:
    labels = np.arange(60) % 3
    images = RNG.integers(0, 256, (60, *shape)).astype(np.uint8)
    np.savez(root / "a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return root / "a.npz"


def mixed(root: Path) -> Path:
    for i in range(8):
        picture(root / "a" / f"{i}.png")
        sound(root / "b" / f"{i}.wav")
    return root


def unreadable(root: Path) -> Path:
    for kind in KINDS:
        for i in range(4):
            (root / kind).mkdir(exist_ok=True)
            (root / kind / f"{i}.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(99))
    return root


IMAGES, SOUNDS, SENSORS, TABLE, TEXT, SERIES = (
    "image_folder", "audio_folder", "series_folder", "csv", "text", "series_csv",
)  # fmt: skip
LAYOUTS = [
    Layout("class folders of pictures", pictures, IMAGES),
    Layout("train/ test/", lambda p: pictures(p, "train", "test"), IMAGES, by="given"),
    Layout("Training/ Testing/", lambda p: pictures(p, "Training", "Testing"), IMAGES, by="given"),
    Layout("Intel: seg_train/seg_train", intel, IMAGES, by="given"),
    Layout(
        "Roboflow: train valid test, .rf. names",
        lambda p: pictures(p, "train", "valid", "test", name="{}_jpg.rf.0a1b2c3d.png"),
        IMAGES, by="given",
    ),
    Layout(
        "Roboflow: _classes.csv in each part", listed_in_parts, IMAGES, by="given",
        source={"listing": Listing(file="_classes.csv")},
    ),
    Layout(
        "Roboflow: copies, no parts",
        lambda p: (pictures(p, per=4, name="{}_jpg.rf.0a1b2c3d.png"),
                   pictures(p, per=4, name="{}_jpg.rf.9a1b2c3d.png"))[1],
        IMAGES, by="group",
    ),
    Layout("cats and dogs: cat.0.png", dogs_vs_cats, IMAGES),
    Layout("a CSV list beside pictures", lambda p: listed(p, "file,label", "{f},{y}"), IMAGES),
    Layout("a folder with a CSV list",
           lambda p: listed(p, "filename,class", "{n},{y}").parent, IMAGES,
           source={"path": "labels.csv"}),
    Layout("a list of absolute paths",
           lambda p: listed(p, "path,label", "{f},{y}", absolute=True), IMAGES),
    Layout("a list with split", lambda p: listed(p, "file,label,split", "{f},{y},{s}"), IMAGES,
           by="given"),
    Layout("a list with patients", lambda p: listed(p, "file,label,patient_id", "{f},{y},{g}"),
           IMAGES, by="group"),
    Layout("MVTec", mvtec, IMAGES, task="anomaly", by="given"),
    Layout("COCO export", coco, says="COCO"),
    Layout("YOLO export", yolo, says="YOLO"),
    Layout("VOC export", voc, says="VOC"),
    Layout("images/ and masks/", formats, says="images, masks"),
    Layout("zip of class folders", lambda p: packed(p, ".zip"), IMAGES),
    Layout("tar.gz of class folders", lambda p: packed(p, ".tar.gz"), IMAGES),
    Layout("a loop of links", looped, IMAGES),
    Layout("fold1 to fold5",
           lambda p: pictures(p, *(f"fold{k}" for k in range(1, 6)), per=3), IMAGES, by="group"),
    Layout("HEIC as .jpg", unreadable, says="12 pictures, none can be opened"),
    Layout("Speech Commands", commands, SOUNDS, by="given", source={"silence": 0.1}),
    Layout("UrbanSound8K", urbansound, SOUNDS, by="group"),
    Layout("ESC-50", esc50, SOUNDS, by="group"),
    Layout("Edge Impulse, sound", edge_impulse, SOUNDS, by="given"),
    Layout("class folders of recordings of sensors", gestures, SENSORS),
    Layout("WISDM: a file of users and activities", long_format, SERIES, by="group",
           source={"group": "user", "label": "activity"}),
    Layout("a series to be forecast", lambda p: rows(p / "s.csv", "time|value", walk()), SERIES,
           task="forecasting", by="time"),
    Layout("Date;Time in two columns",
           lambda p: rows(p / "s.csv", "Date|Time|value", walk(form="{day}|{hour}|{v}"), ";"),
           SERIES, task="forecasting", by="time", source={"time_of_day": "Time"}),
    Layout("a series with an anomaly column",
           lambda p: rows(p / "s.csv", "time|value|anomaly", walk(form="{d}|{v}|{y}")), SERIES,
           by="time", source={"label": "anomaly", "values": ("value",)}),
    Layout("folders of parts of series", sensor_parts, SERIES, task="forecasting", by="given",
           source={"test_path": "test/**/*.csv"}),
    Layout("a table", lambda p: rows(p / "t.csv", "a|b|label", facts()), TABLE),
    Layout("train.csv and test.csv", lambda p: two_files(p, "a|b|label", facts), TABLE, by="given",
           source={"test_path": "test.csv"}),
    Layout("Kaggle: test.csv without the target", kaggle, TABLE, source={"test_path": None}),
    Layout("a split column",
           lambda p: rows(p / "t.csv", "a|b|split|label",
                          [f.replace("|0|", "|test|") if "|0|" in f
                           else f.rpartition("|")[0].rpartition("|")[0] + "|train|"
                           + f.rpartition("|")[2] for f in facts(last="{p}|{y}")]),
           TABLE, by="given", source={"split": "split"}),
    Layout("a patient column",
           lambda p: rows(p / "t.csv", "a|b|patient|label", facts(last="{p}|{y}")), TABLE,
           by="group", source={"group": "patient"}),
    Layout("UCI: .data, .test, .names", uci, TABLE, by="given",
           source={"columns": ("age", "pay", "label"), "strip": " ."}),
    Layout("semicolons and decimal commas",
           lambda p: rows(p / "t.csv", "a|b|label",
                          [line.replace(".", ",") for line in facts()], ";"),
           TABLE, source={"delimiter": ";"}),
    Layout("an id column",
           lambda p: rows(p / "t.csv", "a|b|customer_id|label", facts(last="k{i}|{y}")), TABLE,
           source={"drop": ("customer_id",), "group": None}),
    Layout("Parquet", parquet, TABLE),
    Layout("R's row names",
           lambda p: rows(p / "t.csv", "a|b|label", [f"{i}|{f}" for i, f in enumerate(facts())]),
           TABLE),
    Layout("SMS: a label, a tab, a text",
           lambda p: rows(p / "sms.tsv", "", words(form="{y}|{t}"), "\t"), TEXT),
    Layout("Kaggle's spam.csv", spam, TEXT, source={"encoding": "latin-1"}),
    Layout("train.csv and dev.csv of texts", lambda p: two_files(p, "text|label", words, "dev"),
           TEXT, by="given", source={"validation_path": "dev.csv"}),
    Layout("texts with a split column",
           lambda p: rows(p / "t.csv", "text|label|split", words(form="{t}|{y}|{p}")), TEXT,
           by="given", source={"split": "split"}),
    Layout("MNIST's .npz", lambda p: arrays(p, (28, 28)), "npz", by="given"),
    Layout("arrays (N, C, H, W)", lambda p: arrays(p, (3, 16, 16)), "npz", by="given"),
    Layout("an empty folder", lambda p: p, says="no files"),
    Layout("pictures beside sounds", mixed, says="pictures and recordings"),
]  # fmt: skip


def proposal(layout: Layout, folder: Path) -> tuple[Any, str]:
    """Return the config that `new` writes, or None and its message."""
    (folder / "data").mkdir()
    data = layout.make(folder / "data")
    try:
        write_config(folder / "new.yaml", data, None)
    except ConfigError as error:
        return None, str(error)
    return load(folder / "new.yaml"), ""


def main() -> None:
    """Print the table: layout, what is proposed, or the message."""
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            config, message = proposal(layout, Path(folder))
        what = message.replace(folder, "")[:110]
        if config is not None:
            source = config.data.source
            named = [
                f"{key}={str(value).rpartition('data/')[2]}"
                for key in ("validation_path", "test_path", "split", "group", "label_pattern")
                if (value := getattr(source, key, None))
            ]
            what = f"{config.task}, {source.kind}, by: {config.data.split.by} {' '.join(named)}"
        print(f"| {layout.name} | {what} |")


if __name__ == "__main__":
    main()
