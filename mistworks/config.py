"""Frozen, validated configuration: unknown keys are refused, and each error is one sentence."""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mistworks.errors import MistworksError


class FrozenConfig(BaseModel):
    """Base of every configuration object: immutable, hashable, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def parse(cls, values: Mapping[str, Any] | str) -> Self:
        """Create the configuration from a mapping or from JSON text.

        Raises:
            MistworksError: a key is unknown, missing or out of its range; the message names each.
        """
        try:
            if isinstance(values, str):
                return cls.model_validate_json(values)
            return cls.model_validate(values)
        except ValidationError as error:
            raise MistworksError(f"{cls.__name__}: {describe(error)}") from None

    def canonical_json(self) -> str:
        """Return JSON that is equal if and only if configurations are: sorted keys, no white space."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def describe(error: ValidationError) -> str:
    """Return one sentence per fault: its place, what was expected, and what it got."""
    return "; ".join(_describe_fault(fault) for fault in error.errors(include_url=False))


def _describe_fault(fault: Any) -> str:
    where = ".".join(_printable(str(part)) for part in fault["loc"]) or "the configuration"
    match fault["type"]:
        case "extra_forbidden":
            return f"{where} is not a known key; remove it or correct its spelling"
        case "missing":
            return f"{where} is missing; add it"
        case "union_tag_invalid":
            tags, tag = fault["ctx"]["expected_tags"], fault["ctx"]["tag"]
            return f"{where} is {tag!r}, which is unknown; choose one of {tags}"
        case "union_tag_not_found":
            return f"{where} lacks the key {fault['ctx']['discriminator']}, which says what it is; add it"
        case "json_invalid":
            return f"{where}: {_lower_first(fault['msg'])}; correct the JSON"
        case "value_error":
            return f"{where}: {fault['ctx']['error']}"
        case _:
            return f"{where}: {_lower_first(fault['msg'])}, got {fault['input']!r}"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _printable(key: str) -> str:
    return key if key.isprintable() else ascii(key)


__all__ = ["FrozenConfig", "describe"]
