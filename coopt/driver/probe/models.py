"""The models of a probe: in this process, or as tutors behind an endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from coopt.core.config.schema import Config
from coopt.core.errors import ConfigError
from coopt.core.secrets import shown_url
from coopt.domains.base import Domain
from coopt.graph.topology import REWRITES
from coopt.lm.bases import base_directory, check_model_files
from coopt.lm.engines.base import Engine
from coopt.lm.policy import Policy, load_policy
from coopt.methods.tutors.base import ModelTutor, Speaker
from coopt.methods.tutors.endpoint import EndpointSpeaker, check_client
from coopt.methods.tutors.local import LocalSpeaker


@dataclass(frozen=True)
class Probed:
    """A model as it was named on the command line. ``label``: m1, m2, ..., as tables name it."""

    label: str
    name: str
    config: Config

    @property
    def endpoint(self) -> tuple[str, str] | None:
        """Address and the model's name there, of ``http://HOST/v1#MODEL``."""
        url, _, model = self.name.partition("#")
        return (url, model) if url.startswith(("http://", "https://")) else None

    @property
    def shown(self) -> str:
        """Without what an address may hold of secrets."""
        return f"{shown_url(self.endpoint[0])}#{self.endpoint[1]}" if self.endpoint else self.name

    @cached_property
    def policy(self) -> Policy:
        """Its weights, loaded once."""
        config = self.config
        directory = base_directory(self.name)
        return load_policy(directory, dtype=config.model.dtype, device=config.run.device, trained=False)

    def tutor(self, engine: Engine, domains: Mapping[str, Domain]) -> ModelTutor:
        """It as a tutor, as in training."""
        config = self.config
        limit = config.sampling.max_feedback_tokens
        solution = max(limit, config.sampling.max_response_tokens)
        return ModelTutor(self._speaker(engine), domains, config.feedback.style, limit, solution_tokens=solution)

    def _speaker(self, engine: Engine) -> Speaker:
        temperature = self.config.sampling.feedback_temperature
        if self.endpoint:
            return EndpointSpeaker(self.label, *self.endpoint, self.config.critics, temperature)
        return LocalSpeaker(lambda: self.policy, engine, temperature)


def models_of(names: Sequence[str], config: Config) -> list[Probed]:
    """The models by name, each once looked at. Raises ``ConfigError`` or ``ModelError`` before anything is loaded."""
    if config.feedback.style in REWRITES:
        raise ConfigError(
            f"feedback.style = {config.feedback.style}: coopt probe asks for critiques. Take anchored or naive."
        )
    models = [Probed(f"m{k}", name, config) for k, name in enumerate(names, start=1)]
    if all(m.endpoint for m in models):
        raise ConfigError(
            "coopt probe needs a model in this process: give a model directory (or scimini, smollm2-135m). An endpoint"
            " can only be its tutor."
        )
    for model in models:
        if model.endpoint is None:
            check_model_files(base_directory(model.name))
        elif not shown_url(model.endpoint[0]) or not model.endpoint[1]:
            raise ConfigError(f"{model.label}: an endpoint is http(s)://HOST[:PORT]/PATH#MODEL, with the model's name.")
        else:
            check_client(model.label)
    return models
