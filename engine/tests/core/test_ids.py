"""Ids: a job's says which instance, execution and delivery it is of; nothing that was never an id is read as one."""

import pytest
from rochallor.core.ids import JobRef, parse_job_id, step_execution_id, ulid

INSTANCE = "01JZZZZZZZZZZZZZZZZZZZZZZZ"


def test_ulid_of_known_values():
    """A ULID is 48 bits of time and 80 of chance in Crockford's base 32."""
    assert ulid(0, 0) == "0" * 26
    assert ulid(2**48 - 1, 2**80 - 1) == "7" + "Z" * 25
    assert ulid(1469918176385, 0) == "01ARYZ6S41" + "0" * 16
    assert ulid(0, 0b11111_00001) == "0" * 24 + "Z1"


def test_ulid_takes_only_the_chance_it_needs():
    """Chance beyond 80 bits does not spill into the time."""
    assert ulid(0, 2**80 | 5) == ulid(0, 5)


def test_ulids_sort_by_time():
    """A later instance's id sorts behind an earlier one's, whatever chance says."""
    assert ulid(1000, 2**80 - 1) < ulid(1001, 0)


def test_ids_inside_an_instance():
    """Step executions and jobs are named after their instance."""
    assert step_execution_id(INSTANCE, 3) == f"{INSTANCE}-3"
    assert str(JobRef(INSTANCE, 3, 2)) == f"{INSTANCE}-3-2"


@pytest.mark.parametrize(
    "ref", [JobRef(INSTANCE, 1, 1), JobRef(INSTANCE, 120, 10), JobRef(INSTANCE, 999_999_999_999, 9)]
)
def test_job_ids_come_back(ref):
    """A job id is read back as what it was made from."""
    assert parse_job_id(str(ref)) == ref


@pytest.mark.parametrize(
    "text",
    [
        "",
        INSTANCE,
        f"{INSTANCE}-1",
        f"{INSTANCE}-1-1-1",
        f"{INSTANCE}-1-",
        f"{INSTANCE}--1",
        f"{INSTANCE}-0-1",
        f"{INSTANCE}-1-0",
        f"{INSTANCE}-01-1",
        f"{INSTANCE}-1-+1",
        f"{INSTANCE}-1- 1",
        f"{INSTANCE}-1-x",
        f"{INSTANCE}-1-²",
        f"{INSTANCE}-1-\N{ARABIC-INDIC DIGIT ONE}",
        f"{INSTANCE}-1-{10**12}",
        f"{INSTANCE}0-1-1",
        f"{INSTANCE[1:]}-1-1",
        "a-1-1",
        "\0" * 26 + "-1-1",
        "\ud800" * 26 + "-1-1",
        f"{INSTANCE.lower()}-1-1",
    ],
)
def test_what_is_no_job_id(text):
    """A text that was never a job id is told at once."""
    assert parse_job_id(text) is None
