"""Write docs/reference/*.md from what the program itself knows: resources, reasons and commands (`make reference`).

A test writes them again and compares, so that they cannot go stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kaos.api.crds import KINDS, crd
from kaos.api.names import REASONS

Object = dict[str, Any]
WIDTH = 100
HEAD = "<!-- Written by `make reference` from the program; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """File name -> text."""
    found = {f"{model.__name__.lower()}.md": HEAD + "\n".join(_resource(crd(model))) + "\n" for model in KINDS}
    found["reasons.md"] = HEAD + "\n".join(_reasons()) + "\n"
    found["commands.md"] = HEAD + "\n".join(_commands()) + "\n"
    return found


# Resources.


def _resource(definition: Object) -> Iterator[str]:
    names, version = definition["spec"]["names"], definition["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"# {names['kind']}\n"
    yield f"{schema['description']} `{definition['spec']['group']}/{version['name']}`, namespaced; for kubectl also"
    yield f"{', '.join(f'`{name}`' for name in names['shortNames'])}, and `kaos` for all kinds.\n"
    for part in ("spec", "status"):
        yield f"## {part}\n"
        yield "| field | type | default | |"
        yield "|---|---|---|---|"
        yield from _fields(schema["properties"][part], "")
        yield ""
    yield "## Rules\n"
    for owner in (schema, *_below(schema["properties"]["spec"])):
        for rule in owner.get("x-kubernetes-validations") or ():
            yield f"- {rule['message']}"


def _fields(schema: Object, prefix: str) -> Iterator[str]:
    required = schema.get("required") or ()
    for name, field in schema["properties"].items():
        where = f"{prefix}{name}"
        default = f"`{field['default']}`" if "default" in field else "required" if name in required else ""
        yield f"| `{where}` | {_type(field)} | {default} | {_cell(field.get('description', ''))} |"
        inner = field.get("items", field)
        if inner.get("properties"):
            yield from _fields(inner, f"{where}{'[]' if 'items' in field else ''}.")


def _type(field: Object) -> str:
    if field.get("enum"):
        return " \\| ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if field.get("x-kubernetes-preserve-unknown-fields"):
        return "object, as Kubernetes defines it"
    return {"string": "text", "integer": "number", "boolean": "true or false"}.get(field["type"], field["type"])


def _below(schema: Object) -> Iterator[Object]:
    yield schema
    for field in (schema.get("properties") or {}).values():
        yield from _below(field.get("items", field))


# Reasons.


def _reasons() -> Iterator[str]:
    yield "# Reasons\n"
    yield "Why a resource is as it is: `status.reason`, and the `reason` of its conditions. The message beside it names"
    yield "the object, the cause and the cure.\n"
    yield "| reason | phase | meaning | cure |"
    yield "|---|---|---|---|"
    for reason, told in sorted(REASONS.items()):
        yield f"| `{reason}` | {told.phase} | {_cell(told.meaning)} | {_cell(told.cure)} |"


# Commands.


def _commands() -> Iterator[str]:
    import click

    from kaos.cli.main import root

    yield "# Commands\n"
    yield "`kaos COMMAND --help` prints the same.\n"
    context = click.Context(root, info_name="kaos", **(root.context_settings | {"terminal_width": WIDTH}))
    yield from _command(root, context)


def _command(command: Any, context: Any) -> Iterator[str]:
    import click

    yield f"## {context.command_path}\n"
    yield "```text"
    yield command.get_help(context).strip()
    yield "```\n"
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is None or found.hidden:
            continue
        yield from _command(found, click.Context(found, info_name=name, parent=context, terminal_width=WIDTH))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (target / name).write_text(text)


if __name__ == "__main__":
    main()
