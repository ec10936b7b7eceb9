"""What a configuration leads to, and what it must not lead to."""

import pytest
from rochallor.config import Config, ConfigError
from rochallor.serve import plan
from rochallor.stores.postgres import PostgresStore
from rochallor.stores.sqlite import SqliteStore

STORED = {"sqlite_path": ":memory:"}


def test_without_a_place_for_state_there_is_no_engine():
    """The refusal says what to set."""
    with pytest.raises(ConfigError, match=r"WE_SQLITE_PATH=\./rochallor\.db"):
        plan(Config())


def test_a_path_makes_an_embedded_engine():
    """WE_SQLITE_PATH is enough."""
    assert isinstance(plan(Config(**STORED)).store, SqliteStore)


def test_a_dsn_makes_an_engine_on_postgresql_with_the_databases_time():
    """WE_POSTGRES_DSN is enough, wins over a path, and its database's clock is everybody's."""
    planned = plan(Config(**STORED, postgres_dsn="postgresql://me@db/x?sslmode=prefer&nonsense=1"))
    assert isinstance(planned.store, PostgresStore)
    assert planned.clock is planned.store.clock
    assert any("nonsense" in warning for warning in planned.warnings)


def test_a_dsn_that_means_nothing_is_refused_in_a_sentence():
    """What is wrong with a DSN is said without repeating its password."""
    with pytest.raises(ConfigError, match=r"^WE_POSTGRES_DSN: ") as refused:
        plan(Config(postgres_dsn="postgresql://me:hunter2@db:port/x"))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"dispatch_mode": "kafka_outbox"}, "WE_DISPATCH_MODE"),
        ({"workers": 2}, "WE_WORKERS"),
    ],
)
def test_what_cannot_be_honoured_is_refused(settings, variable):
    """A setting that this version does not know how to keep stops the start; above all a matter of security."""
    with pytest.raises(ConfigError, match=rf"^{variable} is set, but .*(unset it|set WE_POSTGRES_DSN too)"):
        plan(Config(**STORED, **settings))


@pytest.mark.parametrize(
    ("settings", "host", "warned"),
    [
        ({}, "127.0.0.1", False),
        ({"host": "localhost"}, "localhost", False),
        ({"host": "::1"}, "::1", False),
        ({"host": "127.0.0.2"}, "127.0.0.2", False),
        ({"insecure": True}, "0.0.0.0", True),
        ({"insecure": True, "host": "10.1.2.3"}, "10.1.2.3", True),
        ({"insecure": True, "host": "127.0.0.1"}, "127.0.0.1", False),
        ({"auth_tokens_file": "t", "tls_cert": "c"}, "0.0.0.0", False),
        ({"auth_tokens_file": "t"}, "0.0.0.0", True),
        ({"auth_tokens_file": "t", "host": "10.1.2.3"}, "10.1.2.3", True),
        ({"auth_tokens_file": "t", "host": "127.0.0.1"}, "127.0.0.1", False),
    ],
)
def test_only_this_machine_is_let_in_unless_asked(settings, host, warned):
    """Without tokens the engine is for this machine; opening it needs a word and brings a warning."""
    planned = plan(Config(**STORED, **settings))
    assert (planned.host, bool(planned.warnings)) == (host, warned)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "engine.example", "::"])
def test_a_host_for_others_needs_the_word(host):
    """An address that others reach is refused while nobody needs a token."""
    with pytest.raises(ConfigError, match=r"WE_INSECURE=true"):
        plan(Config(**STORED, host=host))


def test_origins_are_a_list():
    """WE_CORS_ORIGINS is separated by commas."""
    assert plan(Config(**STORED, cors_origins="https://a.example, https://b.example,")).cors_origins == (
        "https://a.example",
        "https://b.example",
    )
