"""Objects as the YAML that a person would write."""

from __future__ import annotations

from typing import Any


def yaml_text(value: Any) -> str:
    """YAML as a person would write it: fields in their order, programs as blocks."""
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))  # fmt: skip
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000)
