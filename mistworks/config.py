"""Frozen, validated configuration: unknown keys are refused, and errors name the key at fault."""

import json
import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mistworks.errors import MistworksError

# What pydantic says of a value, without what it says it got.
_SHOULD = re.compile(r"\w+ should (.+?)(?: after validation)?(?:, (?:got|not|unable) .*)?$")
_LONGEST = 80


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
            raise MistworksError(_describe(error, cls.__name__)) from None

    def canonical_json(self) -> str:
        """Return JSON that is equal if and only if configurations are: sorted keys, no white space."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))


def _describe(error: ValidationError, what: str) -> str:
    """Return up to three short sentences per fault: what was expected, what it got, what to do."""
    return " ".join(_describe_fault(fault, what) for fault in error.errors(include_url=False))


def _describe_fault(fault: Any, what: str) -> str:
    where = ".".join(_printable(str(part)) for part in fault["loc"])
    place = f"{where} of {what}" if where else what
    context = fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            return f"Expected only known keys in {what}, got {where}. Remove it or correct its spelling."
        case "missing":
            return f"Expected {where} in {what}, got none. Add it."
        case "union_tag_invalid":
            kind, got, known = context["discriminator"], context["tag"], context["expected_tags"]
            return f"Expected a known {kind} in {place}, got {got!r}. Choose one of {known}."
        case "union_tag_not_found":
            kind = context["discriminator"]
            return f"Expected the key {kind} in {place}, which says what it is, got none. Add it."
        case "json_invalid":
            return f"Expected valid JSON for {what}, got: {context['error']}. Correct it."
        case "value_error":
            return f"{str(context['error']).rstrip('.')} ({place})."
    got = repr(fault["input"])
    got = f"{got[:_LONGEST]}…" if len(got) > _LONGEST else got
    if wanted := _SHOULD.match(fault["msg"]):
        return f"Expected {place} to {wanted[1]}, got {got}. Correct it."
    return f"Expected a valid {place}, got {got}: {_lower_first(fault['msg'])}. Correct it."


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _printable(key: str) -> str:
    return key if key.isprintable() else ascii(key)


__all__ = ["FrozenConfig"]
