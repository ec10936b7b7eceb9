"""An instance in the hand, lists without pages and watching, on all four clients against the engine itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from workflow_sdk.client.ends import InstanceCancelled, InstanceFailed, StillRunning
from workflow_sdk.client.face import Client
from workflow_sdk.client.pages import pages
from workflow_sdk.errors import NotFound

if TYPE_CHECKING:
    from rochallor_stub import EngineStub

ASK = {
    "id": "ask",
    "name": "Ask",
    "steps": [
        {"id": "hold", "name": "Hold", "type": "WAIT", "nextStep": "sign"},
        {"id": "sign", "name": "Sign", "type": "USER_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}
WORK = {
    "id": "work",
    "name": "Work",
    "steps": [
        {"id": "do", "name": "Do", "type": "SERVICE_TASK", "nextStep": "end"},
        {"id": "end", "name": "End", "type": "END"},
    ],
}


@pytest.fixture(autouse=True)
def _definitions(client: Client) -> None:
    client.upload_definition(ASK)
    client.upload_definition(WORK)


def test_instance_is_taken_through_its_steps(client: Client) -> None:
    """Signal and task completion set variables, and the result is what came of them."""
    handle = client.start("ask", {"a": 1})
    handle.signal("hold", {"b": 2})
    handle.complete_task("sign", {"c": 3}, completed_by="ada")
    assert handle.result(timeout=5) == {"a": 1, "b": 2, "c": 3}
    assert handle.status() == "COMPLETED"
    assert [step["stepId"] for step in handle.history()] == ["hold", "sign", "end"]
    assert "ada" in {entry["actor"] for entry in handle.audit()}


def test_cancelled_instance_has_no_result(client: Client) -> None:
    """The error says what became of it and why."""
    handle = client.start("ask")
    handle.cancel("changed my mind")
    with pytest.raises(InstanceCancelled, match="is CANCELLED: changed my mind") as caught:
        handle.result()
    assert caught.value.status == "CANCELLED"


def test_failed_instance_can_be_retried(client: Client) -> None:
    """After the failure of its only try the handle runs the step again, with corrected variables."""
    handle = client.start("work", {"n": 0})
    (job,) = client.poll_jobs("w", ["do"])
    client.fail_job(job["id"], "w", "cannot divide", retryable=False)
    with pytest.raises(InstanceFailed, match="cannot divide"):
        handle.result()
    handle.retry("do", {"n": 2})
    (job,) = client.poll_jobs("w", ["do"])
    client.complete_job(job["id"], "w", {"done": True})
    assert handle.result() == {"n": 2, "done": True}


def test_result_waits_no_longer_than_asked(client: Client) -> None:
    """The time is up: the error says where the instance is, and is a TimeoutError."""
    with pytest.raises(TimeoutError, match="at hold after 0 s") as caught:
        client.start("ask").result(timeout=0)
    assert isinstance(caught.value, StillRunning)


def test_version_and_key_of_a_start_arrive(client: Client) -> None:
    """What is named beside the variables is what is started."""
    handle = client.start("ask", version=1, business_key="k-7")
    assert (handle.get()["definitionVersion"], handle.get()["businessKey"]) == (1, "k-7")


def test_handle_of_an_instance_that_is_known_by_its_id(client: Client) -> None:
    """Nobody is asked before something is wanted of it."""
    with pytest.raises(NotFound):
        client.instance("01JZZZZZZZZZZZZZZZZZZZZZZZ").get()


def test_lists_come_without_pages(client: Client) -> None:
    """More instances than fit on a page are all yielded, once."""
    ids = {client.start("ask").id for _ in range(101)}
    found = [item["id"] for item in client.iter_instances("ask", "WAITING")]
    assert (len(found), set(found)) == (101, ids)
    assert list(client.iter_user_tasks()) == []
    client.instance(found[0]).signal("hold")
    assert [task["instanceId"] for task in client.iter_user_tasks(status="OPEN")] == [found[0]]
    assert {item["id"] for item in client.iter_definitions()} == {"ask", "work"}


def test_items_that_a_new_one_pushed_on_are_yielded_once() -> None:
    """Between two pages something is added in front, so the last item of one page is the first of the next."""
    listed = {0: ["c", "b"], 1: ["b", "a"], 2: []}

    def page(number: int) -> dict[str, Any]:
        return {"items": [{"id": each} for each in listed[number]], "pageSize": 2, "total": 4}

    assert [item["id"] for item in pages(page)] == ["c", "b", "a"]


def test_watcher_is_told_every_change(client: Client) -> None:
    """From the start to the end, each revision once, and the stream ends by itself."""
    handle = client.start("ask")
    handle.signal("hold")
    handle.complete_task("sign")
    events = list(handle.watch())
    assert [event["revision"] for event in events] == [1, 2, 3]
    assert [event["status"] for event in events] == ["WAITING", "WAITING", "COMPLETED"]
    assert list(handle.watch(after=2)) == events[2:]


def test_watcher_waits_for_what_is_yet_to_happen(client: Client, stub: EngineStub) -> None:
    """A watch that began before the change sees it."""
    handle = client.start("ask")
    told = threading.Thread(target=stub_signal, args=(stub, handle.id))
    told.start()
    assert list(handle.watch())[-1]["status"] == "COMPLETED"
    told.join()


def stub_signal(stub: EngineStub, instance_id: str) -> None:
    """Take the instance to its end from elsewhere."""
    from workflow_sdk.client.rest import RestEngineClient  # noqa: PLC0415 - after the skip of the fixture

    with RestEngineClient(stub.url) as other:
        other.signal_wait(instance_id, "hold")
        other.complete_user_task_step(instance_id, "sign")


def test_watching_what_is_not_there_is_an_error(client: Client) -> None:
    """The answer is the engine's."""
    with pytest.raises(NotFound):
        list(client.watch_instance("01JZZZZZZZZZZZZZZZZZZZZZZZ"))
