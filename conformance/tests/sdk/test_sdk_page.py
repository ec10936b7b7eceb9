"""The page about judging an SDK says what the protocol's schema says, and what it prints is true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rochallor_conformance.cases.documents import read_schema
from rochallor_conformance.contract.places import contract_folder
from rochallor_conformance.sdk.capabilities import OF_OPERATION, WORKER
from rochallor_conformance.sdk.client import COMMANDS
from rochallor_conformance.sdk.messages import wrong

PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "judge-an-sdk.md").read_text()
PARTS: dict[str, Any] = read_schema(contract_folder(), "driver")["$defs"]
CLAIMS = PARTS["manifest"]["properties"]["capabilities"]["items"]["enum"]


def rows(table: str) -> list[str]:
    """Return the first column of a table of the page."""
    text = PAGE.split(f"<!-- table: {table} -->")[1].split("\n\n")[0]
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


def test_the_page_has_every_command() -> None:
    """The table of commands is that of the schema, and of the harness."""
    named = [each["$ref"].removeprefix("#/$defs/") for each in PARTS["command"]["oneOf"]]
    assert rows("commands") == named == list(COMMANDS)


def test_the_page_has_every_capability(book) -> None:
    """The table of capabilities is that of the schema; each is asked for by a case."""
    assert rows("capabilities") == CLAIMS
    asked = {name for case in book.cases for name in case.requires} | {WORKER, *OF_OPERATION.values()}
    assert set(CLAIMS) <= asked


def test_the_messages_on_the_page_are_messages() -> None:
    """The command and the answer that the page shows are what the schema allows."""
    command, answer = (json.loads(line) for line in PAGE.split("```json\n")[1].split("```")[0].splitlines())
    assert wrong(command, "command") == ""
    assert wrong(answer, "said") == ""


def test_every_operation_of_an_sdk_has_a_case(book) -> None:
    """Each operation that an SDK can claim is called by a case that judges SDKs."""
    called = {step.call for case in book.cases if "sdk" in case.targets for _, step in case.steps if not step.by}
    assert set(OF_OPERATION) <= called
