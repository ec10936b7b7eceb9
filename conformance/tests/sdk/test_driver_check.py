"""`driver check` names what a driver does wrong, whatever it is, and lets a right one pass."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from rochallor_conformance.cli import code_of
from rochallor_conformance.sdk.check import CHECKS, check_driver, hello, says_bye, unknown_command

SOME = [row for row in CHECKS if row[2] in (hello, unknown_command, says_bye)]


def problems(manifest, checks=SOME) -> list[str]:
    return [each.problem for each in asyncio.run(check_driver(manifest, checks, answer_s=2)) if each.problem]


@pytest.mark.slow
def test_our_driver_keeps_its_promises(ours) -> None:
    """The driver of the Python SDK passes every check over both transports."""
    found = asyncio.run(check_driver(ours))
    assert [each for each in found if each.problem] == []
    assert len(found) >= len(CHECKS)


def test_a_right_driver_passes(wrong) -> None:
    """A driver that claims nothing passes what can be tried, and the rest is said to be unclaimed."""
    found = asyncio.run(check_driver(wrong("")))
    assert [each.problem for each in found].count("") == 4
    assert [each.problem for each in found if each.problem] == []
    assert {each.why_not.split(":")[0] for each in found if each.problem is None} == {"not claimed"}


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("other-protocol", "'wf-driver/1' was expected"),
        ("pretends", "answers the unknown command `dance` with {}; say kind `unsupported`"),
        ("hangs", "did not answer dance within 2 s"),
        ("crashes", "ended with 1 without being told to; its last words: I cannot dance"),
        ("prints", "printed a line that is no JSON: 'dancing'; print what is for people to stderr"),
        ("lies", "printed what wf-driver/1 does not know"),
        ("goes-deep", "printed a line in which values are nested deeper than 200 levels"),
        ("goes-rather-deep", "printed a line in which values are nested deeper than 200 levels"),
        ("never-ends-a-line", "printed a line of more than 16777216 bytes; no message is so long"),
        ("answers-twice", "answered number 2 twice"),
        ("exits-with-3", "exits with 3 after bye; exit with 0"),
    ],
)
def test_what_a_driver_does_wrong_is_said(wrong, how, words) -> None:
    """Each way to be wrong has its own sentence, which says what to do."""
    assert any(words in problem for problem in problems(wrong(how)))


def test_half_a_character_is_no_reason_to_stumble(wrong) -> None:
    """A lone surrogate in what a driver says is taken as the character for what is none."""
    assert problems(wrong("half-a-character")) == []


def test_a_program_that_is_not_there_is_named(tmp_path: Path, capsys) -> None:
    """A command that cannot be started ends the check with 3 and its name."""
    path = tmp_path / "driver.toml"
    path.write_text('name = "x"\ncommand = ["no-such-program"]\ntransports = ["rest"]\ncapabilities = []\n')
    assert code_of(["driver", "check", str(path)]) == 3
    assert "the driver does not start: no-such-program" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name =", "is no TOML"),
        ('name = "x"', "'command' is a required property"),
        ('name = "x"\ncommand = ["y"]\ntransports = ["soap"]\ncapabilities = []', "/transports/0: 'soap'"),
        ('name = "x"\ncommand = ["y"]\ntransports = ["rest"]\ncapabilities = ["magic"]', "/capabilities/0: 'magic'"),
    ],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, capsys, text, words) -> None:
    """A driver.toml that is wrong ends with 4 and says where."""
    (tmp_path / "driver.toml").write_text(text)
    assert code_of(["driver", "check", str(tmp_path)]) == 4
    assert words in capsys.readouterr().err


def test_a_driver_that_does_not_exit_is_named_and_killed(wrong, monkeypatch) -> None:
    """A driver that stays after bye is named; it and its children are gone afterwards."""
    monkeypatch.setattr("rochallor_conformance.sdk.check.EXIT_S", 0.3)
    monkeypatch.setattr("rochallor_conformance.sdk.client.END_S", 0.3)
    assert any("still runs 0.3 s after bye" in problem for problem in problems(wrong("stays")))
