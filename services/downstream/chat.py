"""Chat completions with an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from services.common.engine.errors import EngineError
from services.common.engine.interface import DeltaStream, GenerationRequest, GenerationResult, ServedEngine
from services.common.openai.errors import OpenAIError
from services.downstream.conversion import ReplyHead, completion, picture_urls, to_generation
from services.downstream.errors import from_engine
from services.downstream.picture_fetcher import PictureFetcher
from services.downstream.schemas import ChatCompletionRequest
from services.downstream.settings import DownstreamSettings
from services.downstream.streaming import events


class ChatService:
    """OpenAI's chat API for one model.

    Args:
        engine: Runs the model.
        fetcher: Fetches pictures that are named by address.
        settings: The service's settings.
        created: The service's start, in seconds since 1970.
    """

    def __init__(
        self, engine: ServedEngine, fetcher: PictureFetcher, settings: DownstreamSettings, created: int
    ) -> None:
        self._engine = engine
        self._fetcher = fetcher
        self._settings = settings
        self._created = created

    @property
    def healthy(self) -> bool:
        """Whether requests are answered."""
        return self._engine.healthy

    def model_document(self) -> dict[str, Any]:
        """Describe the model as /v1/models does; max_model_len is vLLM's addition."""
        return {
            "id": self._settings.model,
            "object": "model",
            "created": self._created,
            "owned_by": "trustvqa",
            "max_model_len": self._engine.max_model_len,
        }

    def check_model(self, name: str) -> None:
        """Raise OpenAIError unless the model is served."""
        if name != self._settings.model:
            raise OpenAIError(
                404,
                f"The model `{name[:200]}` does not exist. This server has `{self._settings.model}`.",
                param="model",
                code="model_not_found",
            )

    async def complete(self, request: ChatCompletionRequest, client: str) -> dict[str, Any]:
        """Answer a request that is not streamed.

        Args:
            request: The request.
            client: Who asks.

        Raises:
            OpenAIError: If it cannot be answered.
        """
        result = await self.run(request, client)
        return completion(ReplyHead(self._settings.model), result, request.forced_tool, logprobs=bool(request.logprobs))

    async def stream(self, request: ChatCompletionRequest, client: str) -> AsyncIterator[str]:
        """Begin a streamed answer; what is wrong with the request is raised here, before the first event.

        Args:
            request: The request.
            client: Who asks.

        Raises:
            OpenAIError: If it cannot be answered.
        """
        stream = await self.begin(request, client)
        options = request.stream_options
        return events(
            stream,
            ReplyHead(self._settings.model),
            request.n or 1,
            request.forced_tool,
            logprobs=bool(request.logprobs),
            include_usage=bool(options and options.include_usage),
        )

    async def run(self, request: ChatCompletionRequest, client: str) -> GenerationResult:
        """Generate all of a request's texts; raises what `complete` does."""
        wanted = await self._translate(request, client)
        try:
            return await self._engine.complete(wanted)
        except EngineError as error:
            raise from_engine(error) from error

    async def begin(self, request: ChatCompletionRequest, client: str) -> DeltaStream:
        """Begin to generate a request's texts; raises what `stream` does."""
        wanted = await self._translate(request, client)
        try:
            return await self._engine.submit(wanted)
        except EngineError as error:
            raise from_engine(error) from error

    async def _translate(self, request: ChatCompletionRequest, client: str) -> GenerationRequest:
        self.check_model(request.model)
        settings = self._settings
        if (request.n or 1) > settings.max_n:
            raise OpenAIError(
                400, f"Invalid value for 'n': at most {settings.max_n}.", param="n", code="integer_above_max_value"
            )
        urls = picture_urls(request)
        if len(urls) > self._engine.max_pictures:
            most = self._engine.max_pictures
            raise OpenAIError(
                400, f"This model takes at most {most} images a request.", param="messages", code="too_many_images"
            )
        pictures = await asyncio.gather(*(self._fetcher.fetch(url) for url in urls))
        return to_generation(request, pictures, settings.deadline_s, client)
