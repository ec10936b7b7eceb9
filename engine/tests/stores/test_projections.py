"""From events to rows: every event has its place in the table, and a batch carries only what is left to do."""

from __future__ import annotations

from typing import get_args

from rochallor.core import commands as cmd
from rochallor.core import events as ev
from rochallor.core.ids import JobRef
from rochallor.core.model import Lease
from rochallor.stores import projections
from rochallor.stores.projections import instance_of, project, state_text
from rochallor.stores.sqlite.writes import SQL


def groups(*changes, unique_keys=True):
    batch = project(changes, unique_keys=unique_keys)
    return {name: rows for name, rows in batch.statements() if rows}


def completion(world, change, seq=1):
    job = JobRef(change.after.id, seq, 1)
    command = cmd.CompleteJob(instance_id=change.after.id, job=job, worker_id="w")
    return world.change(change.after, command, lease=Lease("w", "t", world.now_ms))


def test_every_event_has_a_row_rule():
    """A new kind of event cannot be forgotten here."""
    assert set(projections._ROWS) == set(get_args(ev.AnyEvent))


def test_every_group_has_its_statement():
    """Each group of rows is named after a statement of the SQL stores."""
    names = [name for name, _ in project([], unique_keys=True).statements()]
    assert set(names) <= set(SQL)


def test_a_start_makes_an_instance_an_event_and_a_job(world):
    """The rows of a plain start are these and no others."""
    assert {name: len(rows) for name, rows in groups(world.started()).items()} == {
        "insert_instance": 1,
        "insert_event": 1,
        "insert_job": 1,
    }


def test_a_completion_replaces_the_job(world):
    """A completed step deletes its job and queues the next; the instance is updated from the revision it had."""
    first = world.started()
    rows = groups(completion(world, first))
    assert rows["delete_job"] == [(first.after.id, 1)]
    assert [row[:3] for row in rows["insert_job"]] == [(first.after.id, 2, 1)]
    assert rows["update_instance"][0][-2:] == (first.after.id, 1)


def test_an_instance_is_written_once_per_batch(world):
    """Three revisions in one batch are three events and one row, born if the first of them is the birth."""
    first = world.started()
    second = completion(world, first)
    third = completion(world, second, seq=2)
    rows = groups(first, second, third)
    assert [row[10] for row in rows["insert_instance"]] == [3]
    assert len(rows["insert_event"]) == 3
    assert not {"update_instance", "insert_job", "delete_job"} & set(rows)
    rows = groups(second, third)
    assert rows["update_instance"][0][-2:] == (first.after.id, 1)
    assert rows["delete_job"] == [(first.after.id, 1)]
    assert "insert_job" not in rows


def test_instances_move_in_the_order_of_their_ids(world):
    """The database locks them in this order; two engines with other orders would wait for each other."""
    changes = [completion(world, world.started()) for _ in range(5)]
    rows = groups(*reversed(changes))["update_instance"]
    assert [row[-2] for row in rows] == sorted(change.after.id for change in changes)


def test_timers_of_a_batch_come_and_go_without_rows(world):
    """A timer scheduled and taken away within a batch needs neither an insert nor a delete."""
    first = world.started("timed")
    rows = groups(first, completion(world, first))
    assert not {"insert_timer", "delete_timer", "delete_step_timers"} & set(rows)
    assert groups(completion(world, first))["delete_step_timers"] == [(first.after.id, 1)]


def test_a_chain_settled_in_its_batch_needs_no_row(world):
    """A request for the next workflow that is fulfilled at once is never written."""
    done = completion(world, world.started("chained"))
    linked = world.change(done.after, cmd.LinkChild(instance_id=done.after.id, child_instance_id=world.new_id()))
    assert "insert_chain" in groups(done)
    assert not {"insert_chain", "delete_chain"} & set(groups(done, linked))


def test_without_unique_keys_no_key_rows(world):
    """Labels are nobody's."""
    first = world.started(business_key="k")
    end = world.change(first.after, cmd.CancelInstance(instance_id=first.after.id))
    assert not {"insert_key", "delete_key"} & {*groups(first, unique_keys=False), *groups(end, unique_keys=False)}


def test_the_state_leaves_the_variables_to_their_own_column(world):
    """State and variables are apart in the row and together again in the instance."""
    instance = world.started(variables=b'{"secret":1}').after
    text = state_text(instance)
    assert "secret" not in text
    assert instance_of(text, b'{"secret":1}') == instance
