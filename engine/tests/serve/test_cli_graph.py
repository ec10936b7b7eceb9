"""`definition graph`: one list of edges, three pictures."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from click.testing import CliRunner
from rochallor.cli import rochallor as command
from rochallor.cli.graph import PICTURES, dot, mermaid, tree
from rochallor.core.definition import parse_definition

FLOW = {
    "id": "flow",
    "name": "Flow",
    "autoStartNextWorkflow": True,
    "nextWorkflowId": "after",
    "steps": [
        {"id": "fork", "name": "Fork", "type": "PARALLEL_GATEWAY", "parallelNextSteps": ["a", "b"], "joinStep": "join"},
        {"id": "a", "name": "A", "type": "SERVICE_TASK", "jobType": "do.a", "nextStep": "join"},
        {
            "id": "b",
            "name": 'Say "no" <b>',
            "type": "USER_TASK",
            "nextStep": "join",
            "boundaryEvents": [{"type": "TIMER", "duration": "PT1H", "interrupting": False, "targetStepId": "nag"}],
        },
        {"id": "nag", "name": "Nag", "type": "SERVICE_TASK", "nextStep": "join"},
        {"id": "join", "name": "Join", "type": "JOIN_GATEWAY", "nextStep": "choose"},
        {
            "id": "choose",
            "name": "Choose",
            "type": "DECISION",
            "conditionalNextSteps": {"n > 1": "a", "true": "end"},
        },
        {"id": "end", "name": "End", "type": "END"},
    ],
}
TREE = """\
flow
└─ fork  PARALLEL_GATEWAY
   ├─ a  SERVICE_TASK do.a
   │  └─ join  JOIN_GATEWAY
   │     └─ choose  DECISION
   │        ├─ n > 1 → a ↑
   │        └─ true → end  END
   └─ b  USER_TASK
      ├─ join ↑
      └─ also after PT1H → nag  SERVICE_TASK nag
         └─ join ↑
⇒ then starts after"""


def parsed(definition):
    found = parse_definition(json.dumps(definition).encode())
    assert found.definition, found.problems
    return found.definition


def call(*arguments, **options):
    return CliRunner().invoke(command, ["definition", "graph", *arguments], **options)


def test_tree_shows_every_step_once_and_loops_as_a_name():
    """Steps stand below what leads to them; a step that was shown already is named with an arrow up."""
    assert tree(parsed(FLOW)) == TREE


def test_mermaid_and_dot_have_the_same_edges():
    """Every edge of one picture is in the other, dashed where a timer takes it."""
    flow = parsed(FLOW)
    ids = {f"s{number}": step.id for number, step in enumerate(flow.steps)}
    drawn = re.findall(r"^  (s\d+) (-->|-\.->)(?:\|.*\|)? (s\d+)$", mermaid(flow), re.MULTILINE)
    in_mermaid = [(ids[source], arrow == "-.->", ids[target]) for source, arrow, target in drawn]
    drawn = re.findall(r'^  "(\w+)" -> "(\w+)" \[label=".*"(, style=dashed)?\];$', dot(flow), re.MULTILINE)
    assert in_mermaid == [(source, bool(dashed), target) for source, target, dashed in drawn]
    assert len(drawn) == 9


def test_names_cannot_break_a_picture():
    """Quotes and angle brackets of a name are text in Mermaid and in DOT."""
    assert '["Say #quot;no#quot; #lt;b#gt;"' in mermaid(parsed(FLOW)).replace("[/", "[")
    assert r'label="Say \"no\" <b>"' in dot(parsed(FLOW))


def test_two_thousand_steps_in_a_row_are_drawn():
    """The largest definition that is accepted makes a picture, not a stack overflow."""
    steps = [
        {"id": f"s{n}", "name": "S", "type": "TRANSFORMATION", "transformations": {"x": 1}, "nextStep": f"s{n + 1}"}
        for n in range(1_999)
    ]
    long = parsed({"id": "long", "name": "L", "steps": [*steps, {"id": "s1999", "name": "E", "type": "END"}]})
    assert [picture(long).count("s1999") > 0 for picture in PICTURES.values()] == [True] * 3


@pytest.mark.parametrize(("form", "beginning"), [("tree", "flow"), ("mermaid", "flowchart TD"), ("dot", "digraph")])
def test_file_and_standard_input_are_drawn(tmp_path, form, beginning):
    """A file, or `-`, is drawn without an engine."""
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(FLOW))
    from_file, from_pipe = call(str(file), "--format", form), call("-", "--format", form, input=json.dumps(FLOW))
    assert from_file.stdout.startswith(beginning)
    assert from_pipe.stdout == from_file.stdout


def test_into_a_pipe_it_is_mermaid(tmp_path):
    """Without a terminal the picture is one that other programs draw."""
    file = tmp_path / "flow.json"
    file.write_text(json.dumps(FLOW))
    assert call(str(file)).stdout.startswith("flowchart TD\n")


async def test_definition_of_an_engine_is_drawn(start_server, hello):
    """An id is looked up at the engine, with its version in the picture."""
    server = await start_server()
    await server.engine.upload_definition(json.dumps(hello).encode())
    url = ("--engine", server.addresses.rest)
    drawn = await asyncio.to_thread(call, "hello", "--format", "tree", *url)
    assert drawn.stdout.startswith("hello v1\n└─ greet  SERVICE_TASK greet\n")
    unknown = await asyncio.to_thread(call, "nobody", *url)
    assert (unknown.exit_code, "definition list" in unknown.stderr) == (1, True)


@pytest.mark.parametrize(
    ("content", "exit_code", "sentence"),
    [
        (b'{"id": "x"}', 1, "Try next: rochallor definition lint"),
        (b"\xff\xfe\x00", 1, "Try next: rochallor definition lint"),
        (b"[" * 100_000, 1, "Try next: rochallor definition lint"),
        (None, 2, "cannot be read"),
    ],
)
def test_what_is_no_definition_is_a_sentence(tmp_path, content, exit_code, sentence):
    """A broken, binary, deeply nested or missing file ends with what to do, never with a traceback."""
    file = tmp_path / "flow.json"
    if content is not None:
        file.write_bytes(content)
    ended = call(str(file))
    assert (ended.exit_code, sentence in ended.stderr) == (exit_code, True)
