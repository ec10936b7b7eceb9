"""Defects of uploads: what is checked, what is kept, and which version it becomes."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

VALIDATE: Final = "core.definition.validate"
COMPILE: Final = "core.definition.compile"
CANONICAL: Final = "core.definition.canonical"
STORE: Final = "shell.definitions"

PATCHES: Final[dict[str, Patch]] = {
    "validation-off": (Edit(VALIDATE, "for rule in WHOLE_RULES:", "for rule in ():"),),
    "validation-off+of-steps": (Edit(VALIDATE, "for check in STEP_RULES:", "for check in ():"),),
    "validation-off+of-types": (
        Edit("core.definition.fields", 'findings.error("FIELD_TYPE", at,', 'print("FIELD_TYPE", at,'),
        Edit(VALIDATE, "S.SERVICE_TASK: (job_type, retry_count),", "S.SERVICE_TASK: (),"),
    ),
    "graph-rules-off": (
        Edit(
            VALIDATE,
            "    references_resolve,\n    gateways_name_joins,\n    joins_have_gateways,\n"
            "    graph.all_reachable,\n    graph.end_reachable,\n",
            "",
        ),
    ),
    "graph-rules-off+of-steps": (
        Edit(VALIDATE, "for check in () if step.type is None else TYPE_RULES[step.type]:", "for check in ():"),
    ),
    "table-rules-off": (
        Edit(
            VALIDATE,
            '        needs_next("DECISION_TABLE_HAS_NEXT"),\n        tables.has_rules,\n        tables.hit_policy,\n',
            "",
        ),
    ),
    "timer-rules-off": (Edit(VALIDATE, "step_type, own_fields, boundaries)", "step_type, own_fields)"),),
    "timer-rules-off+of-durations": (
        Edit(
            COMPILE,
            'self.findings.error(code, part.where(name), f"{error}. Correct {name}.")',
            'return parse_duration("PT1S")',
        ),
    ),
    "timer-rules-off+of-targets": (
        Edit(VALIDATE, 'findings.error("BOUNDARY_TARGET_RESOLVES", ref.at, message)', "continue"),
    ),
    "unknown-field-accepted": (
        Edit("core.definition.fields", 'findings.error("UNKNOWN_FIELD", where,', 'print("UNKNOWN_FIELD", where,'),
    ),
    "expressions-unparsed-at-upload": (
        Edit(
            COMPILE,
            'self.findings.error("EXPR_SYNTAX", at, str(error))',
            'return compile_expression("never_parsed")',
        ),
    ),
    "expressions-unparsed-at-upload+of-values": (
        Edit(
            COMPILE,
            'self.findings.error("EXPR_SYNTAX", entry.at, str(error))',
            'return Computed(compile_expression("never_parsed"))',
        ),
    ),
    "first-problem-only": (
        Edit(STORE, "details=_details(parsed.problems))", "details=_details(parsed.problems[:1]))"),
    ),
    "warnings-refuse": (
        Edit(
            "core.definition.problems",
            "self._warnings.append(Problem(code, pointer, message))",
            "self._problems.append(Problem(code, pointer, message))",
        ),
    ),
    "warnings-refuse+dropped": (
        Edit(STORE, "warnings = [*parsed.warnings, *await _chain_warnings(tx, uploaded)]", "warnings = []"),
    ),
    "same-content-new-version": (
        Edit(CANONICAL, "if canonical(latest, ordered=ordered) != canonical(uploaded, ordered=ordered):", "if True:"),
    ),
    "same-content-new-version+of-layout": (
        Edit(
            CANONICAL,
            'form["metadata"] = {key: value for key, value in (definition.metadata or {}).items() if key != LAYOUT}',
            'form["metadata"] = definition.metadata or {}',
        ),
    ),
    "same-content-new-version+of-bare-maps": (
        Edit(CANONICAL, "return pairs if ordered else sorted(", "return pairs if columns else sorted("),
    ),
    "version-not-counted": (
        Edit(STORE, "version = latest.version + 1 if latest else 1", "version = latest.version + 1 if latest else 2"),
    ),
    "version-not-counted+replaced": (
        Edit(STORE, "if change is Change.CONTENT or latest is None:", "if latest is None:"),
        Edit(STORE, "elif change is Change.LAYOUT:", "elif change is not Change.NONE:"),
        Edit(STORE, "source=with_layout(self.compiled(latest), uploaded).source", "source=uploaded.source"),
    ),
    "version-not-counted+order-forgotten": (Edit(CANONICAL, "return pairs if ordered else sorted(", "return sorted("),),
    "unknown-version-is-latest": (
        Edit(
            "shell.engine",
            "stored = await self.store.reads.definition(definition_id, version)",
            "stored = await self.store.reads.definition(definition_id, None)",
        ),
    ),
    "unknown-version-is-latest+of-starts": (
        Edit(
            "shell.desk",
            "number = version or self.loaded.latest.get(definition_id)",
            "latest = await self.tx.latest_definition(definition_id)\n        number = latest and latest.version",
        ),
    ),
    "keyword-ignored": (Edit("stores.memory.reads", "folded = keyword.lower()", 'folded = ""'),),
    "keyword-ignored+old-versions": (
        Edit(
            "stores.memory.reads",
            "newest = sorted(self._newest().values())",
            "newest = sorted(self._tables.definitions.values())",
        ),
    ),
    "job-type-default-missing": (
        Edit(
            COMPILE,
            'job_type=part.text("jobType") or (outlined.id if is_job else ""),',
            'job_type=part.text("jobType"),',
        ),
    ),
    "grpc-upload-drops-metadata": (Edit("transports.grpc.definitions", '    struct("metadata"),\n', ""),),
    "grpc-upload-drops-metadata+schemas": (Edit("transports.grpc.definitions", '    struct("input_schema"),\n', ""),),
    "grpc-upload-drops-boundary-events": (
        Edit("transports.grpc.definitions", '    many("boundary_events", "boundaryEvents", BOUNDARY_EVENT),\n', ""),
    ),
    "validation-off+of-tables-of-old": (Edit(VALIDATE, "        tables.legacy_fields,\n", ""),),
    "validation-off+of-schemas": (
        Edit(
            COMPILE, "self.findings.error(code, part.where(name) + pointer(*problem.path), problem.message)", "continue"
        ),
    ),
    "job-type-default-missing+empty-accepted": (
        Edit(VALIDATE, "S.SERVICE_TASK: (job_type, retry_count),", "S.SERVICE_TASK: (retry_count,),"),
    ),
}
