"""A workflow definition as a Python value: made of steps, checked, drawn, and written as the engine's JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from workflow_sdk.definition.mermaid import to_mermaid
from workflow_sdk.definition.parts import Json, Schema
from workflow_sdk.definition.problems import Problem
from workflow_sdk.definition.rules import problems_of
from workflow_sdk.definition.rules.outline import read_outline
from workflow_sdk.definition.served import problems_of_service
from workflow_sdk.definition.steps import Step, title
from workflow_sdk.json_types import is_list, is_object

if TYPE_CHECKING:
    from workflow_sdk.handler.registry import HandlerRegistry


class Workflow:
    """A definition: its steps in order, the first of which is where an instance begins.

    >>> from workflow_sdk.definition import Timer, Workflow, decision, end, service_task, user_task
    >>> loan = Workflow(
    ...     "LOS::loan",
    ...     service_task("score", job_type="credit-score", next_step="decide"),
    ...     decision("decide", {"score > 700": "approved", "score > 500": "review", "true": "rejected"}),
    ...     user_task("review", next_step="approved", timers=[Timer("P2D", "rejected", interrupting=True)]),
    ...     end("approved"),
    ...     end("rejected"),
    ... )
    >>> loan.problems()
    []
    >>> loan.job_types()
    ['credit-score']

    `client.upload_definition(loan.to_dict())` sends it.

    Args:
        id: names the definition: 1 to 256 of `A-Z a-z 0-9 _ : -`.
        steps: the steps, or lists of steps.
        name: for people; made from the id when left out.
        description: for people.
        input_schema: what the variables of a start must look like.
        next_workflow: the workflow, or its id, that starts when an END is reached.
        auto_start_next_workflow: whether it really does; False keeps the link for later.
        metadata: data of your own, kept as it is.

    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the contract's word
        *steps: Step | Iterable[Step],
        name: str = "",
        description: str = "",
        input_schema: Schema | None = None,
        next_workflow: str | Workflow | None = None,
        auto_start_next_workflow: bool = True,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        flat = [step for each in steps for step in ([each] if isinstance(each, Step) else each)]
        fields = {
            "id": id,
            "name": name or title(id),
            "description": description or None,
            "autoStartNextWorkflow": True if next_workflow and auto_start_next_workflow else None,
            "nextWorkflowId": next_workflow.id if isinstance(next_workflow, Workflow) else next_workflow,
            "input_schema": input_schema and input_schema.to_dict(),
            "metadata": metadata,
            "steps": [step.to_dict() for step in flat],
        }
        self._document: Json = deepcopy({key: value for key, value in fields.items() if value is not None})

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Workflow:
        """Return the workflow that a JSON document describes, whether or not it keeps the rules.

        >>> Workflow.from_dict({"id": "w", "name": "W", "steps": []}).problems()[0].code
        'STEPS_NONEMPTY'
        """
        workflow = cls.__new__(cls)
        workflow._document = deepcopy(dict(document))  # noqa: SLF001 - a second way to make one of its own
        return workflow

    @property
    def id(self) -> str:
        """The definition's id."""
        return str(self._document.get("id") or "")

    @property
    def steps(self) -> list[Step]:
        """The steps in order; what is no step in a document that breaks the rules is left out."""
        steps = self._document.get("steps")
        return [Step(step) for step in steps if is_object(step)] if is_list(steps) else []

    def job_types(self) -> list[str]:
        """Return the job types that its SERVICE_TASKs ask for, each once, in order."""
        return list(dict.fromkeys(step.job_type for step in self.steps if step.type == "SERVICE_TASK"))

    def to_dict(self) -> Json:
        """Return the JSON that `upload_definition` takes; the caller's own."""
        return deepcopy(self._document)

    def to_json(self, *, indent: int | None = None) -> str:
        """Return the JSON text, for a file or `rochallor definition push`."""
        separators = (",", ":") if indent is None else None
        return json.dumps(self._document, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)

    def to_mermaid(self) -> str:
        """Return a Mermaid flowchart of it, which GitHub and most editors draw."""
        return to_mermaid(read_outline(self._document))

    def problems(self) -> list[Problem]:
        """Return everything that the engine would refuse or warn of, all at once; empty is good.

        `workflow_sdk.definition.rules` says what only an engine can know.
        """
        return [replace(problem, definition_id=self.id) for problem in problems_of(self._document)]

    def check(self, registry: HandlerRegistry, *, elsewhere: Iterable[str] = ()) -> list[Problem]:
        """Return `problems()`, and what does not fit between this workflow and a worker's handlers.

        See `workflow_sdk.definition.check` for several workflows that one worker serves.
        """
        return check(registry, self, elsewhere=elsewhere)

    def __eq__(self, other: object) -> bool:
        # As text, because the order of conditions and columns means something.
        return isinstance(other, Workflow) and json.dumps(self._document) == json.dumps(other._document)

    __hash__ = None  # type: ignore[assignment]  # its document is a dict

    def __repr__(self) -> str:
        return f"<Workflow {self.id!r} with {len(self.steps)} steps>"


def check(registry: HandlerRegistry, *workflows: Workflow, elsewhere: Iterable[str] = ()) -> list[Problem]:
    """Return the problems of all workflows, and where workflows and handlers miss each other.

    `JOB_TYPE_UNSERVED` is an error: a step would wait for ever. `HANDLER_UNUSED` is a warning: a slip in a name, or
    what is left of a step.

    Args:
        registry: the worker's handlers.
        workflows: everything the worker is meant to serve.
        elsewhere: job types that other workers serve.

    """
    found = [problem for workflow in workflows for problem in workflow.problems()]
    served = {workflow.id: workflow.steps for workflow in workflows}
    return [*found, *problems_of_service(registry.job_types(), served, set(elsewhere))]
