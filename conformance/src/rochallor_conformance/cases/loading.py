"""From the files under `cases/` to cases: checked, variants multiplied, shared definitions put in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from rochallor_conformance.cases.documents import DataError, Document, check, read_document, read_schema
from rochallor_conformance.cases.model import Case
from rochallor_conformance.cases.placeholders import Unbound, with_variant

Json = dict[str, Any]
NAMED = {"type": "object", "required": ["id"]}


def load_cases(folder: Path) -> list[Case]:
    """Return every case of a contract folder, in the order of the files' names and of the files.

    Raises:
        DataError: a file is wrong, or two cases have one id.

    """
    schema = read_schema(folder, "case")
    one = {"$ref": "#/$defs/case", "$defs": schema["$defs"]}
    # A variant's values are put in before a case is checked, so the file as a whole is checked without its cases.
    shell = {**schema, "properties": {**schema["properties"], "cases": {"type": "array", "items": NAMED}}}
    found: dict[str, Case] = {}
    for path in sorted((folder / "cases").rglob("*.yaml")):
        for case in _cases_of(read_document(path, shell), one):
            if case.name in found:
                raise DataError(f"{case.place}: the id {case.name} is taken by {found[case.name].place}")
            found[case.name] = case
    return list(found.values())


def _cases_of(document: Document, schema: Json) -> Iterator[Case]:
    shared = {name: completed(name, body) for name, body in document.data.get("definitions", {}).items()}
    for index, raw in enumerate(document.data["cases"]):
        place = f"{document.path.name}:{document.line(('cases', index))}"
        extra = {"area": document.data["area"], "place": place}
        try:
            for variant in _variants(raw):
                check(
                    document,
                    {key: value for key, value in variant.items() if key != "variant"},
                    schema,
                    ("cases", index),
                )
                yield _case(variant, shared, extra)
        except (Unbound, msgspec.ValidationError) as error:
            raise DataError(f"{place} {raw['id']}: {error}") from error


def _variants(raw: Json) -> Iterable[Json]:
    plain = {key: value for key, value in raw.items() if key != "variants"}
    if "variants" not in raw:
        return [plain]
    return [{**with_variant(plain, variant), "variant": variant["id"]} for variant in raw["variants"]]


def _case(raw: Json, shared: dict[str, Json], extra: Json) -> Case:
    given = dict(raw.get("given", {}))
    given["definitions"] = [_definition(each, shared) for each in given.get("definitions", [])]
    if (instance := given.get("instance")) is not None and "definitionId" not in instance:
        given["instance"] = {"definitionId": given["definitions"][0]["id"], **instance}
    return msgspec.convert({**raw, **extra, "given": given}, Case)


def _definition(given: str | Json, shared: dict[str, Json]) -> Json:
    if isinstance(given, str):
        if given not in shared:
            raise Unbound(f"there is no definition {given!r} in this file; there are {', '.join(shared)}")
        return shared[given]
    return completed(str(given.get("id", "inline")).split("-$")[0], given)


def completed(name: str, body: Json) -> Json:
    """Return a definition with the id and the names that its author left out."""
    steps = [
        {"name": step.get("id", ""), **step} if isinstance(step, dict) else step for step in body.get("steps") or []
    ]
    return {"id": f"{name}-${{ns}}", "name": name, **body, "steps": steps}
