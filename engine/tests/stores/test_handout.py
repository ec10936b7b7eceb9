"""Handing out jobs: round the requests, within their bytes, reading each instance's variables once."""

from __future__ import annotations

from rochallor.core.ids import JobRef
from rochallor.ports import ClaimRequest
from rochallor.stores.handout import Ready, Snapshot, by_types, hand_out, in_turn


def ready(count, instance="i"):
    return [Ready(n, JobRef(f"{instance}{n}", 1, 1), "t", "s", "d", 1, None, 0, 0, 0, None) for n in range(count)]


def wish(max_jobs=10, types=("t",)):
    return ClaimRequest("w", types, max_jobs, 1_000, "token", 100)


def snapshot(variables=b""):
    return Snapshot(variables, 1, None)


def orders(answers):
    return [[int(job.job.instance_id[1:]) for job in jobs] for jobs in answers]


def test_jobs_go_round():
    """Few jobs are spread over the requests instead of heaped on the first."""
    assert orders(hand_out([wish(), wish()], ready(3), lambda _: snapshot(), 0)) == [[0, 2], [1]]


def test_a_served_request_leaves_the_round():
    """Who has as many as asked for gets no more; the others go on."""
    assert orders(hand_out([wish(1), wish(2)], ready(5), lambda _: snapshot(), 0)) == [[0], [1, 2]]


def test_a_request_without_room_leaves_the_round_and_the_job_goes_to_the_next():
    """A job too large for one request is not skipped over but offered to the next."""
    sizes = {"i0": 90, "i1": 10, "i2": 50, "i3": 50}
    answers = hand_out([wish(), wish()], ready(4), lambda instance: snapshot(b"x" * sizes[instance]), 0)
    assert orders(answers) == [[0], [1, 2]]


def test_variables_are_read_once_per_instance_and_not_ahead():
    """Many jobs of one instance cost one read, and nothing is read for jobs nobody takes."""
    asked = []
    jobs = [*(Ready(n, JobRef("same", n, 1), "t", "s", "d", 1, None, 0, 0, 0, None) for n in range(3)), *ready(5)]
    hand_out([wish(4)], jobs, lambda instance: asked.append(instance) or snapshot(), 0)
    assert asked == ["same", "i0"]


def test_requests_for_the_same_types_are_looked_up_together():
    """Order and repetition of types make no difference; a request for no jobs is left out."""
    requests = [wish(types=("a", "b")), wish(types=("a",)), wish(types=("b", "a", "a")), wish(0, types=("c",))]
    assert by_types(requests) == {("a", "b"): [0, 2], ("a",): [1]}


def test_turns_are_those_of_the_round():
    """What is dealt without looking at bytes goes to whom it goes with a look, as long as there is room."""
    for counts in ([3], [1, 2], [2, 5, 1], [4, 4]):
        requests = [wish(count) for count in counts]
        dealt = orders(hand_out(requests, ready(20), lambda _: snapshot(), 0))
        turns = in_turn(requests, 20)
        assert [[place for place, turn in enumerate(turns) if turn == who] for who in range(len(counts))] == dealt


def test_turns_have_an_end():
    """However much is asked for, no more turns are made than can be used."""
    assert in_turn([wish(10**9), wish(10**9)], 5) == [0, 1, 0, 1, 0]
