"""Connection strings: both of libpq's forms, what is kept of them, what is dropped, and what is never shown."""

from __future__ import annotations

import pytest
from rochallor.stores.postgres.dsn import parse_dsn

READ = [
    ("postgresql://ann:pw@db:6543/flows", {"user": "ann", "password": "pw", "host": ["db"], "port": [6543]}),
    ("postgres://db", {"host": ["db"]}),
    ("postgresql:///flows?host=/var/run/pg", {"host": ["/var/run/pg"], "database": "flows"}),
    ("postgresql://%2Fvar%2Frun/flows", {"host": ["/var/run"], "database": "flows"}),
    ("postgresql://a%40b:p%2Fw%3A@db/f", {"user": "a@b", "password": "p/w:"}),
    ("postgresql://[::1]:5433/f", {"host": ["::1"], "port": [5433]}),
    ("postgresql://one:1,two:2/f", {"host": ["one", "two"], "port": [1, 2]}),
    ("postgresql://db/f?user=bea&password=x+%2By", {"user": "bea", "password": "x++y"}),
    ("postgresql://ann@db/f?host=other", {"host": ["other"]}),
    ("host=db port=6543 dbname=flows user=ann password=pw", {"host": ["db"], "port": [6543], "database": "flows"}),
    ("host = db   dbname\t=\tf", {"host": ["db"], "database": "f"}),
    (r"password='it\'s a secret' user=''", {"password": "it's a secret", "user": ""}),
    (r"password=a\ b", {"password": "a b"}),
    ("host=one,two port=5", {"host": ["one", "two"], "port": [5, 5]}),
    ("host=name hostaddr=10.0.0.1", {"host": ["10.0.0.1"]}),
    ("host=db application_name=flows", {"server_settings": {"application_name": "flows"}}),
    ("host=db options='-c search_path=wf'", {"server_settings": {"options": "-c search_path=wf"}}),
    (
        "host=db sslmode=verify-full sslrootcert='/a b.pem'",
        {"dsn": "postgresql://?sslmode=verify-full&sslrootcert=%2Fa+b.pem"},
    ),
    ("host=db target_session_attrs=read-write", {"target_session_attrs": "read-write"}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "expected"), READ)
def test_string_says_where_and_who(text, expected):
    """Each form gives the arguments that libpq would have understood."""
    arguments = parse_dsn(text).arguments
    assert {key: arguments.get(key) for key in expected} == expected


@pytest.mark.parametrize("text", ["host=db pool_max_conns=5", "postgresql://db/f?pool_max_conns=5&sslmode=disable"])
def test_unknown_key_is_dropped_with_a_warning(text):
    """A key of another driver is ignored, and said to be."""
    parsed = parse_dsn(text)
    assert "pool_max_conns" not in str(parsed.arguments)
    assert [warning for warning in parsed.warnings if "`pool_max_conns`" in warning]


def test_connect_timeout_is_in_seconds():
    """`connect_timeout` bounds how long a connection may take."""
    assert parse_dsn("host=db connect_timeout=7").connect_timeout_s == 7.0
    assert parse_dsn("host=db").connect_timeout_s is None


@pytest.mark.parametrize(
    "text",
    ["secret", "host", "host=db secret", "password='secret", "host=db port=secret", "postgresql://secret:x:y@[/f"],
)
def test_nonsense_is_refused_without_repeating_it(text):
    """A string that cannot be read is refused with a sentence that does not contain it: it may hold a password."""
    with pytest.raises(ValueError, match="PostgreSQL connection string") as refusal:
        parse_dsn(text)
    assert "secret" not in str(refusal.value)


def test_repr_shows_no_password():
    """What is logged by accident tells where the database is, not how to get in."""
    text = repr(parse_dsn("postgresql://ann:hunter2@db/f?sslpassword=hunter2"))
    assert "hunter2" not in text
    assert "db" in text
