"""What people and editors read: the JSON schema of a config, and a config with all its defaults."""

import io
import json
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from pipeline.config.schema import Config


def schema_text() -> str:
    """Return the JSON schema that editors check configs against; configs/schema.json holds it."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def resolved_text(config: Config) -> str:
    """Return a config as YAML with every default written out; it loads to the same config."""
    return as_yaml(config.model_dump(mode="json"))


def as_yaml(settings: Mapping[str, Any]) -> str:
    """Return settings as a config file has them, in their order."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None  # lists of values on one line
    yaml.width = 100
    yaml.sort_base_mapping_type_on_output = False
    out = io.StringIO()
    yaml.dump(dict(settings), out)
    return out.getvalue()
