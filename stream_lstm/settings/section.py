"""What all sections of the tree have in common, and how they say that settings cannot hold together."""

from pydantic import BaseModel, ConfigDict


class Conflict(ValueError):
    """Settings that cannot hold together. `names` are the settings concerned."""

    def __init__(self, message: str, *names: str) -> None:
        super().__init__(message)
        self.names = names


class Section(BaseModel):
    """What all sections have in common: frozen, nothing unknown, described by the text under each field."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
