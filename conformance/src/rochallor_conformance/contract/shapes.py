"""Is a message of the shape the contract says? JSON Schema over the OpenAPI document, one check per pointer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from rochallor_proto import contract

from rochallor_conformance.contract.operations import message_map

ROOT = "urn:rochallor:openapi"
SHOWN = 300


def shape_problems(pointer: str, value: Any, *, over_grpc: bool = False, base_only: bool = False) -> Iterator[str]:
    """Yield a sentence for each way in which a value is not what the schema at `pointer` says.

    A body that came over gRPC may lack what only REST has; an engine that speaks only the base contract may lack what
    is ours.
    """
    forgiven = (_rest_only() if over_grpc else frozenset()) | (ours() if base_only else frozenset())
    for error in _validator(pointer).iter_errors(value):
        for leaf in _leaves(error):
            if leaf.validator == "required" and _missing(leaf) <= forgiven:
                continue
            yield f"/{'/'.join(map(str, leaf.absolute_path))}: {leaf.message[:SHOWN]}"


@cache
def _validator(pointer: str) -> Draft202012Validator:
    registry: Any = Registry().with_resource(ROOT, DRAFT202012.create_resource(contract("openapi")))
    schema = {"$ref": f"{ROOT}#{pointer}"}
    return Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    if error.context and error.validator not in ("anyOf", "oneOf"):
        for each in error.context:
            yield from _leaves(each)
    else:
        yield error


def _missing(error: ValidationError) -> frozenset[str]:
    required: Any = error.validator_value
    return frozenset(name for name in required if f"'{name}' is a required property" == error.message)


@cache
def _rest_only() -> frozenset[str]:
    rows = (field for entry in message_map().values() for field in entry["fields"])
    return frozenset(field["rest"] for field in rows if field["kind"] == "rest-only") | {"uploadedAt"}


@cache
def ours() -> frozenset[str]:
    """Return the fields that an engine of the base contract may lack."""
    schemas = contract("openapi")["components"]["schemas"].values()
    return frozenset(
        name
        for schema in schemas
        for name, field in schema.get("properties", {}).items()
        if isinstance(field, dict) and field.get("x-ours")
    )
