"""Settings: where they come from, what they may be, and what is said when they are wrong."""

from pathlib import Path

import pytest
from rochallor.config import SETTINGS, Config, ConfigError, load_config

NOWHERE = Path("/nonexistent/engine.yaml")
README = Path(__file__).parents[2] / "README.md"


def load(environ, file=None):
    return load_config(environ, file, default_file=NOWHERE)


@pytest.mark.parametrize(
    ("variable", "text", "field", "value"),
    [
        ("WE_REST_PORT", "0", "rest_port", 0),
        ("WE_REST_PORT", "65535", "rest_port", 65535),
        ("WE_SQLITE_PATH", ":memory:", "sqlite_path", ":memory:"),
        ("WE_LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("WE_LOG_FORMAT", "json", "log_format", "json"),
        ("WE_AUDIT_LOG_ENABLED", "false", "audit_log_enabled", False),
        ("WE_AUDIT_LOG_ENABLED", "0", "audit_log_enabled", False),
        ("WE_EXPRESSION_COERCION_ENABLED", "Yes", "expression_coercion_enabled", True),
        ("WE_KAFKA_SASL_MECHANISM", "scram-sha-512", "kafka_sasl_mechanism", "SCRAM-SHA-512"),
        ("DB_MAX_CONNS", "8", "db_max_conns", 8),
        ("WE_HOST", "", "host", None),
    ],
)
def test_a_variable_sets_its_setting(variable, text, field, value):
    """A setting is read from its variable; an empty variable counts as unset."""
    assert getattr(load({variable: text}).config, field) == value


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("WE_REST_PORT", "http", "a whole number from 0 to 65535"),
        ("WE_REST_PORT", "70000", "a whole number from 0 to 65535"),
        ("WE_GRPC_PORT", "-1", "a whole number from 0 to 65535"),
        ("WE_LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("WE_LOG_FORMAT", "xml", "console or json"),
        ("WE_BUSINESS_KEY_UNIQUE", "maybe", "true or false"),
        ("WE_MAX_DELIVERIES", "0", "a whole number from 1 to 1000000"),
        ("WE_DISPATCH_MODE", "kafka", "polling or kafka_outbox"),
    ],
)
def test_a_bad_value_stops_the_start_with_a_sentence(variable, text, allowed):
    """What cannot be is refused by name, with what it was and what it may be."""
    with pytest.raises(ConfigError, match=rf"^{variable} cannot be '{text}': it must be {allowed}$"):
        load({variable: text})


def test_all_bad_values_are_told_at_once():
    """One start names every setting that is wrong."""
    with pytest.raises(ConfigError) as caught:
        load({"WE_REST_PORT": "x", "WE_LOG_LEVEL": "y"})
    assert [line.split()[0] for line in str(caught.value).splitlines()] == ["WE_REST_PORT", "WE_LOG_LEVEL"]


def test_the_environment_wins_over_the_file(tmp_path):
    """The YAML file is below the environment and above the defaults."""
    file = tmp_path / "engine.yaml"
    file.write_text("rest_port: 1111\ngrpc_port: 2222\naudit_log_enabled: false\ndb_max_conns: 3\n")
    config = load({"WE_REST_PORT": "3333"}, file).config
    assert config == Config(rest_port=3333, grpc_port=2222, audit_log_enabled=False, db_max_conns=3)


def test_a_bad_value_in_the_file_names_both(tmp_path):
    """Somebody who wrote YAML is told the name they wrote."""
    file = tmp_path / "engine.yaml"
    file.write_text("rest_port: [1]\n")
    with pytest.raises(ConfigError, match=r"WE_REST_PORT \(rest_port in the YAML file\) cannot be"):
        load({}, file)


@pytest.mark.parametrize(
    ("text", "sentence"), [("- 1", "must hold lines such as"), ("a: [", "is not YAML"), (None, "cannot be read")]
)
def test_a_broken_file_is_refused(tmp_path, text, sentence):
    """A file that was named must be there and make sense."""
    file = tmp_path / "engine.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load({}, file)


def test_the_default_file_may_be_absent():
    """Without a file there are the defaults."""
    assert load({}).config == Config()


def test_an_empty_file_sets_nothing(tmp_path):
    """An empty file is a file without settings."""
    file = tmp_path / "engine.yaml"
    file.write_text("# nothing yet\n")
    assert load({}, file).config == Config()


def test_what_no_setting_knows_is_warned_about(tmp_path):
    """A typing error in a name does not pass in silence, wherever it was made."""
    file = tmp_path / "engine.yaml"
    file.write_text("rest_prot: 1\n")
    warnings = load({"WE_REST_PROT": "1", "WE_TEST_POSTGRES_DSN": "x", "HOME": "y"}, file).warnings
    assert [sentence.partition(",")[0] for sentence in warnings] == [
        "WE_REST_PROT is set",
        "the configuration file sets rest_prot",
    ]


def test_secrets_stay_out_of_texts():
    """A configuration can be printed without giving passwords away."""
    config = load({"WE_POSTGRES_DSN": "postgresql://me:hunter2@db/x", "WE_KAFKA_SASL_PASSWORD": "hunter3"}).config
    assert config.postgres_dsn.endswith("@db/x")
    assert "hunter" not in repr(config)


def test_a_password_in_the_file_is_refused(tmp_path):
    """What is for the environment only is not read from a file, and not shown."""
    file = tmp_path / "engine.yaml"
    file.write_text("kafka_sasl_password: hunter3\n")
    with pytest.raises(ConfigError, match="WE_KAFKA_SASL_PASSWORD is a secret") as caught:
        load({}, file)
    assert "hunter3" not in str(caught.value)


def test_the_engine_gets_what_was_set():
    """Settings that change what the engine does arrive in the engine."""
    environ = {"WE_MAX_DELIVERIES": "3", "WE_EXPRESSION_COERCION_ENABLED": "true", "WE_AUDIT_LOG_ENABLED": "false"}
    settings = load(environ).config.settings
    assert (settings.max_deliveries, settings.expression_coercion, settings.audit_enabled) == (3, True, False)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_every_setting_is_documented(setting):
    """The README's table has the row that the code's table has."""
    default = "" if setting.default in {None, ""} else f"`{setting.default!s}`"
    if isinstance(setting.default, bool):
        default = default.lower()
    row = f"| `{setting.variable}` | {default} | {setting.kind.allowed} | {setting.meaning} |"
    assert row in README.read_text(encoding="utf-8")
