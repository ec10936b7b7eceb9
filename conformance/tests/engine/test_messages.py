"""The same values over both transports."""

from __future__ import annotations

import pytest
from rochallor_conformance.contract.operations import operations
from rochallor_conformance.transports.exchange import Inexpressible
from rochallor_conformance.transports.messages import to_message, to_rest
from rochallor_conformance.transports.rest import split
from rochallor_proto import engine_pb2

RULE = {"when": {"z": "a", "b": "c"}, "outputs": {"y": 1, "x": None}}
DEFINITION = {
    "id": "d",
    "name": "D",
    "metadata": {"x": 1.5, "y": [1, None]},
    "steps": [
        {"id": "c", "name": "C", "type": "DECISION", "conditionalNextSteps": {"z > 1": "e", "a > 1": "e"}},
        {"id": "t", "type": "DECISION_TABLE", "decisionTable": {"rules": [RULE]}},
        {"id": "e", "type": "END"},
    ],
}


def test_a_definition_goes_over_grpc_and_back() -> None:
    """What is said in JSON comes back from the message, in the author's order."""
    message = to_message({"definition": DEFINITION}, engine_pb2.UploadDefinitionRequest())
    back = to_rest(engine_pb2.GetDefinitionResponse(definition=message.definition))
    assert {**back, "version": 1} == {**DEFINITION, "version": 1}
    assert list(back["steps"][0]["conditionalNextSteps"]) == ["z > 1", "a > 1"]
    assert list(back["steps"][1]["decisionTable"]["rules"][0]["outputs"]) == ["y", "x"]


def test_defaults_are_spelled_out_where_rest_requires_them() -> None:
    """An empty list, 0 and false are values where REST always has them, and left out elsewhere."""
    assert to_rest(engine_pb2.PollJobsResponse()) == {"jobs": []}
    assert to_rest(engine_pb2.AwaitInstanceResponse())["reached"] is False
    assert "businessKey" not in to_rest(engine_pb2.WorkflowInstance(id="i"))


def test_an_unknown_word_is_an_unknown_number() -> None:
    """A word that an enum does not have is sent as a number that it does not have."""
    assert to_message({"status": "DREAMING"}, engine_pb2.ListInstancesRequest()).status == 99


def test_what_cannot_be_said_is_an_error() -> None:
    """A field that the message does not have, or a value it cannot carry, is never dropped in silence."""
    with pytest.raises(Inexpressible, match="no field for 'colour'"):
        to_message({"colour": 1}, engine_pb2.ListInstancesRequest())
    with pytest.raises(Inexpressible, match="page cannot carry 'abc'"):
        to_message({"page": "abc"}, engine_pb2.ListInstancesRequest())


def test_rest_arguments_go_where_the_contract_says() -> None:
    """Path, query, header and body each get their arguments, encoded."""
    cancel = split(operations()["cancelInstance"], {"id": "a::b/c", "If-Match": 7, "reason": "r"})
    assert cancel == ("/v1/instances/a%3A%3Ab%2Fc/cancel", {}, {"if-match": '"7"'}, {"reason": "r"})
    waiting = split(operations()["awaitInstance"], {"id": "i", "until": ["WAITING", "FAILED"], "waitMs": 5})
    assert waiting[1] == {"until": ["WAITING", "FAILED"], "waitMs": ["5"]}


@pytest.mark.parametrize("name", [name for name, each in operations().items() if each.rpc])
def test_every_operation_with_an_rpc_has_its_messages(name: str) -> None:
    """The descriptor has the messages of every rpc that the mapping names."""
    operation = operations()[name]
    assert operation.request_type().DESCRIPTOR.name == f"{operation.rpc}Request"
    assert operation.response_type().DESCRIPTOR.name in (f"{operation.rpc}Response", "InstanceEvent")
