"""The page about workers on Kafka says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from workflow_sdk.kafka import deliveries, intake
from workflow_sdk.runner.kafka_runner import KafkaRunner

PAGE = (Path(__file__).parents[1] / "how-to" / "kafka-workers.md").read_text(encoding="utf-8")


def test_its_snippets_run():
    """Together they make a worker, which is not started."""
    names: dict = {"__name__": "page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "kafka-workers.md", "exec"), names)
    assert isinstance(names["with_dead_letters"](None), KafkaRunner)


def test_its_settings_are_the_code_s():
    """The table has every setting, and the topic and the group are named as they are."""
    confluent = pytest.importorskip("workflow_sdk.kafka.confluent", reason="needs workflow-sdk[kafka]")
    settings = {name: str(value) for name, value in confluent.DEFAULTS.items()}
    assert dict(re.findall(r"^\| `([a-z.]+)` \| `([\w-]+)` \|$", PAGE, re.MULTILINE)) == settings
    assert f"`{intake.TOPIC_PREFIX}<jobType>`" in PAGE
    assert f"`{confluent.GROUP_PREFIX}<jobType>`" in PAGE


def test_its_figures_are_the_code_s():
    """Five seconds, twice, and ten minutes."""
    assert f"again after {deliveries.AGAIN_SECONDS:g} seconds" in PAGE
    assert f"under way {intake.LET_GO_SECONDS:g} seconds" in PAGE
    assert deliveries.GIVE_UP_SECONDS == 600
    assert "internal errors for ten minutes" in PAGE
