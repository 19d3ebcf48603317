"""Fixtures that several rooms' tests share: random networks, transformers as their oracle, and the default model's file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# The networks here are tiny, and the workers' thread pools on few cores would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("phiforge", deadline=None)  # a slow shared core is no bug
settings.register_profile("ci", deadline=None, derandomize=True)  # a change is judged by the same examples each time
settings.load_profile("ci" if os.environ.get("CI") else "phiforge")


@pytest.fixture(scope="session")
def network() -> Callable[..., Any]:
    """network(config, seed=0): a random fp32 network, in eval mode, whose differences would show.

    Matrices are drawn ten times wider than the family's 0.02: attention then has clear favourites, and a wrong key,
    position or factor moves the logits by far more than rounding does.
    """

    def make(config: Any, seed: int = 0) -> Any:
        import torch
        from msgspec.structs import replace

        from phiforge.model.phi3 import Phi3

        generator = torch.Generator().manual_seed(seed)
        model = Phi3(replace(config, init_std=0.2)).init_weights(generator).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("norm.weight"):  # ones would hide a norm that forgets its weight
                parameter.data.uniform_(0.5, 1.5, generator=generator)
        return model

    return make


@pytest.fixture(scope="session")
def oracle() -> Callable[[Any], Any]:
    """oracle(model): the same weights in transformers' own network, put there without phiforge.model.checkpoint."""

    def make(model: Any) -> Any:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        from phiforge.model.config import config_to_hf

        config, fields = model.config, config_to_hf(model.config)
        theirs = AutoModelForCausalLM.from_config(AutoConfig.for_model(fields.pop("model_type"), **fields))
        q, kv = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
        weights: dict[str, torch.Tensor] = {}
        for name, tensor in model.state_dict().items():
            name = name if name.startswith("lm_head") else f"model.{name}"
            parts, rows = [name], [len(tensor)]
            if config.architecture == "llama" and "qkv_proj" in name:
                parts, rows = [name.replace("qkv_proj", f"{p}_proj") for p in "qkv"], [q, kv, kv]
            if config.architecture == "llama" and "gate_up_proj" in name:
                parts, rows = [name.replace("gate_up_proj", f"{p}_proj") for p in ("gate", "up")], [config.d_ff] * 2
            weights.update(zip(parts, tensor.split(rows), strict=True))
        theirs.load_state_dict(weights)  # strict: every name on both sides
        return theirs.to(model.embed_tokens.weight.dtype).eval()

    return make


@pytest.fixture(scope="session")
def default_gguf() -> Path:
    """The default model's GGUF: $PHIFORGE_TEST_GGUF, or the pulled one; without either the test skips."""
    if named := os.environ.get("PHIFORGE_TEST_GGUF"):
        return Path(named)
    from phiforge.store import models

    try:
        return Path(models.find("smollm2-135m-instruct").path)
    except models.NotInstalled:
        pytest.skip("the default model is not here: `phiforge pull smollm2-135m-instruct`")


@pytest.fixture(scope="session")
def served(default_gguf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The default model behind a real server on loopback: its `url`, and the `server`."""
    from serving import running, server_of_file

    with running(server_of_file(default_gguf, tmp_path_factory.mktemp("home"))) as there:
        yield there


@pytest.fixture
def recipe(tmp_path: Path, network: Callable[..., Any]) -> Callable[..., Path]:
    """recipe(**changes): the path of a recipe of one SFT stage over thirty rows and a random network."""
    from small_recipe import writer

    return writer(tmp_path, network)


@pytest.fixture
def server() -> Iterator[Any]:
    """A stand-in for another company's endpoint."""
    from endpoint import Server

    server = Server()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def opened(server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """opened(url=server.url, **options): models behind the stand-in, closed in the end."""
    from phiforge.lm import remote

    monkeypatch.delenv("PHIFORGE_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(remote, "FIRST_WAIT_S", 0.01)
    models: list[Any] = []

    def build(url: str = server.url, **options: Any) -> Any:
        models.append(remote.RemoteModel(url, "phi-4", **options))
        return models[-1]

    yield build
    for model in models:
        model.close()


@pytest.fixture
def remote(opened: Callable[..., Any]) -> Any:
    """A model behind the stand-in, with a key."""
    from endpoint import KEY

    return opened(api_key=KEY)
