"""From settings to a model of Pydantic AI."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fanfold.llm.errors import ModelUnusable
from fanfold.llm.settings import ModelSettings
from fanfold.redact import redact

if TYPE_CHECKING:
    from pydantic_ai.models import Model as AiModel

EXTRA = "run: pip install 'fanfold[llm]'"


def provided(settings: ModelSettings, key: str | None) -> AiModel:
    """The model that the settings name; nothing is sent yet.

    Raises:
        ModelUnusable: a package or a key is missing, or nobody knows the model.
    """
    try:
        from pydantic_ai.exceptions import UserError  # noqa: PLC0415 an extra, imported when used
    except ImportError as error:
        raise ModelUnusable("asking a model needs Pydantic AI, which isn't installed", hint=EXTRA) from error
    try:
        return _known(settings.model, key) if settings.base_url is None else _served(settings, key)
    except ImportError as error:
        raise ModelUnusable(
            f"{settings.model} needs a package that isn't installed: {error}",
            hint=EXTRA if settings.base_url else _package(settings.model),
        ) from error
    except (UserError, ValueError) as error:
        if variable := re.search(r"\b[A-Z][A-Z0-9_]*_API_KEY\b", str(error)):
            raise ModelUnusable(
                f"there is no key for {settings.model}",
                hint=f'export {variable[0]}, or say where it is: api_key = {{ env = "NAME" }}',
            ) from error
        raise ModelUnusable(
            f"{settings.model} can't be asked: {redact(str(error))}",
            hint='name a model as "openai:gpt-5", and its key as api_key = { env = "NAME" }',
        ) from error


def _known(name: str, key: str | None) -> AiModel:
    from pydantic_ai.models import infer_model  # noqa: PLC0415 an extra, imported when used
    from pydantic_ai.providers import infer_provider, infer_provider_class  # noqa: PLC0415 the same

    def with_key(provider: str) -> Any:
        make: Any = infer_provider_class(provider)
        try:
            return make(api_key=key)
        except TypeError:
            raise ValueError(f"the provider {provider} takes no key from settings, but from its environment") from None

    return infer_model(name, infer_provider if key is None else with_key)


def _served(settings: ModelSettings, key: str | None) -> AiModel:
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415 an extra, imported when used
    from pydantic_ai.profiles.openai import OpenAIModelProfile  # noqa: PLC0415 the same
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider  # noqa: PLC0415 the same

    # The names of models may have colons of their own: "qwen3:8b".
    name = settings.model.removeprefix("openai:").removeprefix("openai-chat:")
    assert settings.base_url is not None  # noqa: S101 it is what brought us here
    return OpenAIChatModel(
        name,
        provider=OpenAICompatibleProvider("openai-compatible", base_url=settings.base_url, api_key=key),
        profile=OpenAIModelProfile(
            # Who is asked in words alone is asked with nothing that a server may not know.
            supports_json_object_output=False,
            # Or else an answer that breaks off between two pieces would pass for one that is complete.
            openai_chat_streaming_requires_finish_reason=True,
        ),
    )


def _package(model: str) -> str:
    return f"run: pip install 'pydantic-ai-slim[{model.partition(':')[0]}]'"
