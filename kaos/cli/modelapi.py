"""`kaos modelapi ...`: model APIs."""

from __future__ import annotations

from kaos.actions.kinds import MODELAPI
from kaos.cli.commands import group
from kaos.cli.verbs import add_verbs


@group(
    "Deploy, inspect and ask model APIs.",
    lazy={
        "deploy": ("kaos.cli.modelapi_deploy:deploy", "Create or change model APIs, from flags or a file."),
        "invoke": ("kaos.cli.modelapi_talk:invoke", "Ask a model one question."),
        "models": ("kaos.cli.modelapi_talk:models", "List the models that are really served."),
        "pull": ("kaos.cli.modelapi_pull:pull", "Pull a model into a hosted model API."),
    },
)
def modelapi() -> None:
    pass


add_verbs(modelapi, MODELAPI)
