"""Defects of an instance's life: start, key, merge, history, end, chain, and coming back."""

from __future__ import annotations

from typing import Final

from rochallor_conformance.mutants.patch import Edit, Patch

LIFECYCLE: Final = "core.lifecycle"
APPLY: Final = "core.apply"
ANSWERS: Final = "shell.answers"
READS: Final = "stores.memory.reads"

PATCHES: Final[dict[str, Patch]] = {
    "deep-merge": (
        Edit(APPLY, "instance.variables.update(event.output)", "_merge(instance.variables, event.output)"),
        Edit(
            APPLY,
            "",
            """
import msgspec

def _merge(old, new):
    for name, raw in new.items():
        before, now = (msgspec.json.decode(each) if each else None for each in (old.get(name), raw))
        nested = isinstance(before, dict) and isinstance(now, dict)
        old[name] = msgspec.Raw(msgspec.json.encode({**before, **now})) if nested else raw
""",
        ),
    ),
    "lost-update": (
        Edit(
            APPLY,
            "    instance.last_seq = event.seq",
            "    _SEEN[event.seq] = dict(instance.variables)\n    instance.last_seq = event.seq",
        ),
        Edit(
            APPLY,
            "instance.variables.update(event.output)",
            "instance.variables = {**_SEEN.get(event.seq, {}), **event.output}",
        ),
        Edit(APPLY, "", "_SEEN = {}"),
    ),
    "completion-ignored": (
        Edit(
            "core.reports",
            "finish(run, step, done, command.variables, by=command.worker_id)",
            "finish(run, step, done, {}, by=command.worker_id)",
        ),
    ),
    "unknown-definition-500": (
        Edit("shell.desk", 'raise NotFound(f"no definition has', 'raise RuntimeError(f"no definition has'),
    ),
    "cancel-unknown-500": (
        Edit("shell.desk", 'raise NotFound(f"no instance has', 'raise RuntimeError(f"no instance has'),
        Edit("shell.engine", 'return NotFound(f"no instance has', 'return RuntimeError(f"no instance has'),
        Edit("shell.live", 'raise NotFound(f"no instance has', 'raise RuntimeError(f"no instance has'),
    ),
    "cancel-unknown-500+step": (
        Edit(LIFECYCLE, "has no {noun} '{step_id}'\")", "has no {noun} '{step_id}'\") from RuntimeError()"),
        Edit(
            LIFECYCLE, "raise NotFound(f\"definition '{run.instance", "raise RuntimeError(f\"definition '{run.instance"
        ),
        Edit(LIFECYCLE, 'raise NotFound(f"user task', 'raise RuntimeError(f"user task'),
    ),
    "cancel-terminal-500": (
        Edit(
            LIFECYCLE,
            "    _check_in_flight(run.instance)\n    run.emit(",
            "    assert not run.instance.status.terminal\n    run.emit(",
        ),
    ),
    "cancel-reason-lost": (Edit(LIFECYCLE, "ev.InstanceCancelled(command.reason", 'ev.InstanceCancelled(""'),),
    "cancel-reason-lost+default": (Edit(LIFECYCLE, 'or "cancelled")', 'or "stopped")'),),
    "definition-error-500": (Edit("core.enter", "run.fail(entered, str(failure))", "raise"),),
    "definition-error-500+of-routes": (Edit("core.routing", "run.fail(done, str(failure), output=output)", "raise"),),
    "history-go-field-names": (
        Edit(
            "transports.rest.instances",
            "",
            """
async def _renamed(engine, call, _right=history):
    import msgspec
    answer = await _right(engine, call)
    body = msgspec.json.decode(answer.body)
    for item in body["items"]:
        for name in list(item):
            item[name[0].upper() + name[1:].replace("Id", "ID")] = item.pop(name)
    return answer._replace(body=msgspec.json.encode(body))

history = _renamed
""",
        ),
    ),
    "history-unordered": (Edit("shell.history", "return list(items.values())", "return list(items.values())[::-1]"),),
    "history-unordered+without-outputs": (Edit("shell.history", "if event.output:", "if False:"),),
    "attempts-not-counted": (Edit("core.run", "attempt=self.instance.visits.get(step.id, 0) + 1", "attempt=1"),),
    "audit-without-actor": (Edit("shell.history", "actor=committed.actor", 'actor=""'),),
    "abandoned-steps-cancelled": (Edit("shell.history", '"ABANDONED": "RUNNING"', '"ABANDONED": "CANCELLED"'),),
    "dead-end-hangs": (Edit("core.run", "self.emit(ev.InstanceCompleted())", "pass"),),
    "end-leaves-others-open": (Edit("core.run", 'self.close_rest("ABANDONED")', "self.queue.clear()"),),
    "input-schema-ignored": (Edit(LIFECYCLE, "    _check_input(definition, command)\n", ""),),
    "input-schema-ignored+too-strict": (
        Edit("core.io_schema", "or (value is None and name not in self.required)", ""),
    ),
    "instance-follows-latest": (
        Edit(
            "shell.desk",
            "definition = await self._definitions.pinned(self.tx, instance.definition_id, instance.definition_version)",
            "latest = await self.tx.latest_definition(instance.definition_id)\n"
            "        definition = self._definitions.compiled(latest)",
        ),
    ),
    "instance-ids-reused": (
        Edit(
            "shell.engine",
            "return instance_view(outcome.instance)",
            "self.first = getattr(self, 'first', None) or instance_view(outcome.instance)\n        return self.first",
        ),
    ),
    "start-always-active": (
        Edit(
            "shell.engine",
            "return instance_view(outcome.instance)",
            "view = instance_view(outcome.instance)\n        view.status = 'ACTIVE'\n        return view",
        ),
    ),
    "status-not-recomputed": (Edit(APPLY, "instance.status = InstanceStatus.WAITING", "pass"),),
    "status-filter-ignored": (
        Edit(
            READS,
            "for instance in self._tables.instances.values() if _matches(instance, wanted)]",
            "for instance in self._tables.instances.values()]",
        ),
    ),
    "status-filter-ignored+order": (
        Edit(
            READS,
            "key=lambda instance: (-instance.started_at_ms, instance.id)",
            "key=lambda instance: (instance.started_at_ms, instance.id)",
        ),
    ),
    "status-filter-ignored+page": (
        Edit(
            READS,
            "instance.id))\n        return found[offset : offset + limit], len(found)",
            "instance.id))\n        return found[:limit], len(found)",
        ),
    ),
    "key-not-released": (
        Edit("stores.projections", "if not batch.unique_keys or after.business_key is None:", "if after.id:"),
    ),
    "key-not-unique": (
        Edit("stores.memory.store", "self.unique_keys = unique_keys", "self.unique_keys = False"),
        Edit(LIFECYCLE, "if key is not None and context.key_holder is not None:", "if False:"),
    ),
    "chain-first-version": (
        Edit("shell.work", "await desk.start(self.target, None, start)", "await desk.start(self.target, 1, start)"),
    ),
    "chain-first-version+first-end": (
        Edit(
            "core.run",
            "if self.definition.auto_start_next_workflow and",
            "first = next(step.id for step in self.definition.steps if step.type is StepType.END)\n"
            "        if end_step_id == first and self.definition.auto_start_next_workflow and",
        ),
    ),
    "chain-lost": (
        Edit(
            "shell.work",
            "delay_ms = min(_FIRST_CHAIN_RETRY_MS * 2 ** min(attempts, 10), _LAST_CHAIN_RETRY_MS)",
            "delay_ms = 10**12",
        ),
        Edit("stores.memory.writes", "chain._replace(due_at_ms=min(chain.due_at_ms, now_ms))", "chain"),
    ),
    "chain-on-dead-end": (Edit("core.run", "self.emit(ev.InstanceCompleted())", 'self.end("")'),),
    "chain-on-dead-end+on-cancel": (
        Edit(
            LIFECYCLE,
            'run.close_rest("CANCELLED")',
            'run.close_rest("CANCELLED")\n    if run.definition.next_workflow_id:\n'
            "        run.emit(ev.ChainRequested(run.definition.next_workflow_id))",
        ),
    ),
    "chain-starts-twice": (
        Edit(
            "shell.work",
            "await desk.start(self.target, None, start)",
            "await desk.start(self.target, None, start)\n"
            "            from msgspec.structs import replace\n"
            "            twin = self.child_id[:-1] + 'YZ'[self.child_id.endswith('Y')]\n"
            "            await desk.start(self.target, None, replace(start, instance_id=twin, business_key=None))",
        ),
    ),
    "chain-without-key": (Edit("shell.work", "business_key=parent.business_key,", "business_key=None,"),),
    "manual-retry-any-step": (Edit(LIFECYCLE, "if failed.step_id != command.step_id:", "if False:"),),
    "manual-retry-any-step+any-time": (
        Edit(LIFECYCLE, 'raise Conflict(f"instance {instance.id} is {instance.status.value}; only', 'return print(f"'),
    ),
    "manual-retry-any-step+unknown": (
        Edit(LIFECYCLE, "raise NotFound(f\"definition '{instance.definition_id}' has no step", "print(f\"'"),
    ),
    "manual-retry-keeps-failure": (
        Edit(
            APPLY,
            "instance.completed_at_ms = instance.failure_reason = instance.frozen = None",
            "instance.completed_at_ms = instance.frozen = None",
        ),
    ),
    "manual-retry-keeps-failure+services-only": (
        Edit(
            LIFECYCLE,
            "if failed.step_id != command.step_id:",
            "if failed.step_type is not StepType.SERVICE_TASK or failed.step_id != command.step_id:",
        ),
    ),
    "manual-retry-loses-siblings": (Edit(LIFECYCLE, "if step is not failed:", "if False:"),),
    "watch-loses-events": (
        Edit(
            "shell.live",
            "return self._told(self._ahead.popleft()) if self._ahead else None",
            "told = [self._told(self._ahead.popleft()) for _ in range(min(2, len(self._ahead)))]\n"
            "        return told[-1] if told else None",
        ),
    ),
    "await-never-wakes": (
        Edit(
            "shell.engine",
            "alarm = waits.call_at(deadline, changed.set)",
            "changed = (changed, asyncio.Event())\n                alarm = waits.call_at(deadline, changed[1].set)",
        ),
        Edit("shell.engine", "await changed.wait()", "await changed[1].wait()"),
        Edit("shell.engine", "alarm.cancel()", "alarm.cancel()\n                    changed = changed[0]"),
    ),
    "await-never-wakes+polls": (
        Edit("shell.wakeups", "for job_type, count in ready.items():", "for job_type, count in ():"),
    ),
    "settings-ignored": (
        Edit("shell.definitions", "coercion = self._settings.expression_coercion", "coercion = False"),
        Edit(
            "shell.definitions",
            "stored.source, coercion=self._settings.expression_coercion",
            "stored.source, coercion=False",
        ),
    ),
    "settings-ignored+keys": (
        Edit("stores.memory.store", "self.unique_keys = unique_keys", "self.unique_keys = True"),
    ),
    "settings-ignored+audit": (
        Edit(
            "shell.engine", "return audit_of(record) if self.settings.audit_enabled else []", "return audit_of(record)"
        ),
    ),
    "limits-off": (
        Edit("shell.settings", "max_variables_bytes: int = 2 * MIB", "max_variables_bytes: int = 999 * MIB"),
    ),
    "limits-off+steps": (
        Edit(
            "core.enter", "run.fail(run.open_step(step, token), _over_budget(run, step))", "run.open_step(step, token)"
        ),
        Edit(
            "shell.waiting",
            "    StepType.WAIT: _signal,\n",
            "    StepType.WAIT: _signal,\n    StepType.TRANSFORMATION: _signal,\n    StepType.DECISION: _signal,\n",
        ),
    ),
    "limits-off+bodies": (Edit("shell.settings", "max_body_bytes: int = 4 * MIB", "max_body_bytes: int = 999 * MIB"),),
    "null-variables-dropped": (
        Edit(
            "core.variables",
            "    return variables\n\n\ndef normalised(",
            "    return {name: raw for name, raw in variables.items() if bytes(raw) != b'null'}\n\n\ndef normalised(",
        ),
    ),
    "null-variables-dropped+mangled": (
        Edit(
            "core.variables",
            'data = bytes(raw).strip() if raw is not None else b""',
            'data = bytes(raw or b"").replace(b"\\\\u0000", b"").decode().encode("ascii", "replace").strip()',
        ),
    ),
    "chain-lost+altogether": (
        Edit("core.run", "if self.definition.auto_start_next_workflow and", "if self.context is None and"),
    ),
    "limits-off+definitions": (
        Edit("core.definition.parse", "if len(raw) > limits.max_bytes:", "if False:"),
        Edit("transports.rest.definitions", "call.raw(engine.settings.max_definition_bytes)", "call.raw()"),
    ),
    "await-never-wakes+at-once": (
        Edit("shell.engine", "if reached or waits.time() >= deadline", "if waits.time() >= deadline"),
    ),
    "await-never-wakes+polls-never-end": (
        Edit(
            "shell.wakeups",
            "self._waits.call_at(poll.deadline, self._give_up, poll)",
            "self._waits.call_at(poll.deadline + 10**6, self._give_up, poll)",
        ),
    ),
    "input-schema-ignored+other-spelling": (
        Edit(
            "core.definition.tidy",
            "if value is not None and key not in NOT_KEPT",
            "if value is not None and key not in NOT_KEPT and key not in ALIASES",
        ),
        Edit(
            "core.definition.fields",
            "        name = ALIASES.get(key, key) if",
            "        if key in ALIASES:\n            continue\n        name = ALIASES.get(key, key) if",
        ),
    ),
}
