"""The page about Kubernetes: its manifest fits together, and fits the worker that it starts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from workflow_sdk.runner import runner

DOCS = Path(__file__).parents[1]
PAGE = (DOCS / "how-to" / "deploy-on-kubernetes.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


@pytest.fixture
def pod():
    return yaml.safe_load(block("yaml"))["spec"]["template"]


@pytest.fixture
def options(pod):
    (worker,) = pod["spec"]["containers"]
    return dict(re.fullmatch(r"(--[\w-]+)=(.+)", argument).groups() for argument in worker["args"])


def test_selector_finds_its_pods(pod):
    """The Deployment selects the label that its pods have."""
    assert yaml.safe_load(block("yaml"))["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]


def test_probes_ask_the_health_port(pod, options):
    """Each probe, and Prometheus, asks the port that the worker is told to open, on a path that the page explains."""
    (worker,) = pod["spec"]["containers"]
    (port,) = worker["ports"]
    annotated = pod["metadata"]["annotations"]["prometheus.io/port"]
    assert str(port["containerPort"]) == options["--health-port"] == annotated
    asked = [worker[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert {each["port"] for each in asked} == {port["name"]}
    assert {each["path"] for each in asked} <= set(re.findall(r"^\| `(/\w+)` \|", PAGE, re.MULTILINE))


def test_token_is_where_the_secret_is_mounted(pod, options):
    """The file of `--token-file` is a key of the mounted secret, which the page creates."""
    (worker,) = pod["spec"]["containers"]
    (mount,), (volume,) = worker["volumeMounts"], pod["spec"]["volumes"]
    name, key = re.findall(r"create secret generic (\S+) --from-file=(\w+)=", PAGE)[0]
    assert (mount["name"], volume["secret"]["secretName"]) == (volume["name"], name)
    assert options["--token-file"] == f"{mount['mountPath']}/{key}"


def test_a_pod_has_time_to_drain(pod):
    """The grace period is longer than a held poll and the runner's own patience, which the page names."""
    held, patience = runner.DEFAULT_LONG_POLL_MS // 1000, int(runner.DEFAULT_SHUTDOWN_SECONDS)
    assert f"up to {held} seconds" in PAGE
    assert f"up to {patience} seconds" in PAGE
    assert f"{runner.DEFAULT_PARALLELISM} without it" in PAGE
    assert pod["spec"]["terminationGracePeriodSeconds"] > held + patience


def test_the_image_starts_the_tutorial_s_registry():
    """The registry that the image names is the one that the tutorial's file has."""
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.*)$", block("dockerfile"), re.MULTILINE)
    module, name = json.loads(entrypoint)[-1].split(":")
    tutorial = (DOCS / "tutorial" / "first-worker.md").read_text(encoding="utf-8")
    assert f"`{module.replace('.', '/')}.py`" in tutorial
    assert f"\n{name} = HandlerRegistry()" in tutorial


def test_the_worker_s_command_takes_these_options(pod, options):
    """Entrypoint, arguments and environment are what `workflow-worker` understands."""
    command_line = pytest.importorskip("workflow_sdk.cli.options", reason="the command is not there yet")
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.*)$", block("dockerfile"), re.MULTILINE)
    (worker,) = pod["spec"]["containers"]
    environment = {each["name"]: "shop-worker-1" for each in worker["env"]}
    command, settings = command_line.parse([*json.loads(entrypoint)[1:], *worker["args"]], environment)
    assert (command, settings.worker_id) == ("run", "shop-worker-1")
    assert (settings.engine, str(settings.health_port)) == (options["--engine"], options["--health-port"])
