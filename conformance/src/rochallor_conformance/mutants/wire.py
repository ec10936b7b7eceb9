"""Defects of what goes over the wire: bodies, headers, pages, statuses, words."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

ERRORS: Final = "transports.rest.errors"
QUERY: Final = "transports.rest.query"
BODIES: Final = "transports.rest.bodies"
READING: Final = "transports.rest.reading"
ROUTES: Final = "transports.rest.routes"

PATCHES: Final[dict[str, Patch]] = {
    "allow-header-missing": (Edit(ERRORS, "if isinstance(error, MethodNotAllowed):", "if False:"),),
    "message-reason-differ": (Edit(ERRORS, '"reason": error.message}', '"reason": error.code}'),),
    "bad-page-accepted": (
        Edit("shell.checks", "if page < 0 or page_size < 0:", "if False:"),
        Edit(
            QUERY,
            "if _NUMBER.fullmatch(given) is None or",
            "if _NUMBER.fullmatch(given) is None:\n        return 0\n    if",
        ),
    ),
    "bad-page-accepted+size": (
        Edit(
            "shell.checks", "min(page_size or settings.default_page_size, settings.max_page_size)", "page_size or 10**6"
        ),
    ),
    "content-type-ignored": (Edit(READING, 'if body and media != b"application/json":', "if False:"),),
    "content-type-too-strict": (
        Edit(READING, 'if kind and kind != b"application/json" and not kind.endswith(b"+json"):', "if kind:"),
    ),
    "content-type-too-strict+needed": (
        Edit(READING, 'if kind and kind != b"application/json"', 'if kind != b"application/json"'),
    ),
    "doors-disagree": (
        Edit("transports.grpc.instances", "since=timestamp(view.since)", "since=timestamp(view.due_at)"),
    ),
    "local-times": (
        Edit(
            "shell.views", 'return f"{_second(second)}.{ms:03d}Z"', 'return f"{_second(second + 7200)}.{ms:03d}+02:00"'
        ),
    ),
    "malformed-json-500": (
        Edit(BODIES, "raise explain(error, body) from None", "raise RuntimeError from None"),
        Edit("transports.rest.malformed", "raise explain(error, body) from None", "raise RuntimeError from None"),
    ),
    "nul-accepted": (Edit("shell.checks", 'if "\\x00" in text:', "if False:"),),
    "nul-accepted+failures": (
        Edit(
            "core.reports",
            'message = command.message.replace("\\x00", "") or',
            'assert "\\x00" not in command.message\n    message = command.message or',
        ),
    ),
    "null-lists": (
        Edit(
            "transports.rest.answers",
            "",
            'encode = lambda value, right=encode: right(value).replace(b"[]", b"null")',
        ),
    ),
    "null-not-absent": (Edit("core.definition.fields", "elif content is not None and is_a(", "elif is_a("),),
    "null-not-absent+in-requests": (
        Edit(BODIES, "definition_version: Int32 | None = None", "definition_version: Int32 = 0"),
        Edit(BODIES, "business_key: str | None = None", 'business_key: str = ""'),
    ),
    "path-not-decoded": (Edit(QUERY, 'if b"%" in raw:', "if False:"),),
    "plain-text-router-errors": (
        Edit(
            "transports.rest.app",
            "await self._reception.refuse(error, UNMATCHED, scope, send)",
            "plain = [(b'content-type', b'text/plain')]\n"
            "        await send({'type': 'http.response.start', 'status': 404, 'headers': plain})\n"
            "        await send({'type': 'http.response.body', 'body': error.message.encode()})",
        ),
    ),
    "plain-text-router-errors+no-service-routes": (
        Edit(ROUTES, '    Route("GET", "/v1/openapi.json", "getOpenapi", service.openapi),\n', ""),
        Edit(ROUTES, '    Route("GET", "/healthz", "healthz", service.healthz),\n', ""),
        Edit(ROUTES, '    Route("GET", "/readyz", "readyz", service.readyz),\n', ""),
    ),
    "sql-text-in-errors": (
        Edit(
            "shell.engine",
            "return NotFound(f\"no instance has the id '{instance_id}'\")",
            "return NotFound(f\"sqlite3.OperationalError: SELECT * FROM instance WHERE id = '{instance_id}'\")",
        ),
    ),
    "unknown-enum-crash": (
        Edit("transports.grpc.enums", "raise BadRequest(f", "raise KeyError(number) from BadRequest(f"),
    ),
    "unknown-enum-crash+words": (
        Edit("shell.checks", "raise BadRequest(f\"{name} '{text[:64]}'", 'raise KeyError(f"{name}'),
    ),
    "unknown-enum-crash+step-types": (
        Edit("core.definition.validate", 'findings.error("STEP_TYPE_VALID",', 'raise KeyError("STEP_TYPE_VALID",'),
    ),
    "unknown-request-fields-refused": (
        Edit(
            BODIES,
            'class StartBody(Body, rename="camel", kw_only=True):',
            'class StartBody(Body, rename="camel", kw_only=True, forbid_unknown_fields=True):',
        ),
    ),
    "etag-missing": (Edit("transports.rest.answers", '((b"etag", b\'"%d"\' % view.revision),)', "()"),),
    "etag-missing+stuck": (Edit("shell.answers", "revision=instance.revision", "revision=1"),),
    "etag-missing+same": (Edit("transports.rest.answers", "b'\"%d\"' % view.revision", "b'\"1\"'"),),
    "if-match-ignored": (
        Edit(
            "core.lifecycle", "if expected is not None and expected != instance.revision and not allowed:", "if False:"
        ),
    ),
    "if-match-ignored+refused": (
        Edit(
            "core.lifecycle",
            "if expected is not None and expected != instance.revision and not allowed:",
            "if expected:",
        ),
    ),
    "sql-text-in-errors+of-starts": (
        Edit(
            "shell.desk",
            "no definition has the id '{definition_id}'; upload it first",
            "SELECT version FROM definition WHERE id = '{definition_id}': no rows",
        ),
    ),
    "null-lists+absent-fields": (
        Edit(
            "shell.views",
            'class View(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True, gc=False):',
            'class View(msgspec.Struct, rename="camel", omit_defaults=False, kw_only=True, gc=False):',
        ),
    ),
}
