"""The files of a source and their classes, however the source says them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.config.folder_schema import FileSource
from pipeline.data.archives import folder_in, is_archive
from pipeline.data.class_folders import Classes, list_classes, with_merged_labels
from pipeline.data.listing import list_files, list_parts
from pipeline.data.recordings import named_classes, with_lists
from pipeline.errors import ConfigError

FOLDER_ALONE = ("label_pattern", "validation_list", "test_list")  # a listing says it itself


def classes_of(source: FileSource, base: Path, suffixes: Sequence[str], *, what: str) -> Classes:
    """Return the files of a folder, an archive or a listing, each with its class and part.

    Args:
        source: says where they are.
        base: folder at which relative paths start.
        suffixes: of files that are samples, lower case, with the dot.
        what: a sample is called, for messages.

    Raises:
        ConfigError: no such folder or file, a wrong layout, an empty class, unknown names.
    """
    path = base / Path(source.path).expanduser()
    if path.is_file() and not is_archive(path):
        asked = [name for name in FOLDER_ALONE if getattr(source, name) is not None]
        if asked:
            raise ConfigError(
                f"data.source.{asked[0]}: {path.name} is a file, whose columns label and split say "
                "that; wanted a folder, or null"
            )
        return with_merged_labels(list_files(path, source.listing, suffixes), source.labels_alike)
    folder = folder_in(path)
    if source.listing.file is not None:
        return with_merged_labels(list_parts(folder, source.listing, suffixes), source.labels_alike)
    if source.label_pattern is not None:
        classes = named_classes(folder, source.label_pattern, suffixes)
    else:
        classes = list_classes(folder, suffixes, what)
    lists = {"validation": source.validation_list, "test": source.test_list}
    classes, found = with_lists(classes, lists)
    classes = replace(classes, findings=(*classes.findings, *found))
    return with_merged_labels(classes, source.labels_alike)
