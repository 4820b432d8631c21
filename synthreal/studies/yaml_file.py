"""YAML whose names stay as they are written."""

from pathlib import Path
from typing import Any

import yaml

from synthreal.errors import ConfigError

_TEXT, _INT, _MERGE = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "merge"))


class _Loader(yaml.SafeLoader):
    """Takes keys as text, and 1:15 too: YAML 1.1 makes False of the key `no`, and 75 of 1:15, a number to base 60."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Returns a mapping whose keys are text; see `SafeLoader`."""
        for key, _ in node.value:
            if key.tag != _MERGE:
                key.tag = _TEXT
        return super().construct_mapping(node, deep)

    def construct_yaml_int(self, node: yaml.ScalarNode) -> Any:
        """Returns a whole number, or the text of a ratio such as 1:15."""
        return node.value if ":" in node.value else super().construct_yaml_int(node)


_Loader.add_constructor(_INT, _Loader.construct_yaml_int)


def read_yaml(path: Path) -> object:
    """Returns the content of a YAML file; keys, and values such as 1:15, are text as it is written.

    Raises:
        ConfigError: If the file is no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no YAML: {error}") from error
