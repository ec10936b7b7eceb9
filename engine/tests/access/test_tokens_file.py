"""The tokens file: what it may say, how it is refused, and how it is read again."""

from __future__ import annotations

import json
import logging

import pytest
import yaml
from rochallor.access import TokensError, TokensFile, hash_of, mint, read_tokens
from rochallor.access.file import LOOK_EVERY_MS
from rochallor.core.errors import Unauthorized

SECRET = mint(7)
GOOD = {"name": "ci", "role": "worker", "hash": hash_of(SECRET)}


def told(*entries):
    return read_tokens(yaml.safe_dump(list(entries), sort_keys=False))


def test_yaml_and_json_say_the_same():
    """An entry in YAML, in JSON, in JSON with tabs: the same caller."""
    texts = (yaml.safe_dump([GOOD]), json.dumps([GOOD]), json.dumps([GOOD], indent="\t"))
    assert len({read_tokens(text).caller_of(SECRET.encode(), 0) for text in texts}) == 1


def test_an_entry_says_who_may_what():
    """Name, role and job types come out as they were written."""
    caller = told({**GOOD, "jobTypes": ["score", "mail"]}).caller_of(SECRET.encode(), 0)
    assert (caller.name, caller.role, caller.job_types) == ("ci", "worker", {"score", "mail"})


def test_null_is_absent():
    """Optional fields may be null."""
    assert told({**GOOD, "jobTypes": None, "expires": None}).caller_of(SECRET.encode(), 0).job_types is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, r"line 4 \(entry 2\): name must be 1 to 64"),
        ({"name": "a\nb"}, r"entry 2\): name must be"),
        ({"role": "root"}, r"\(entry 2\), 'ci': role must be one of admin, operator, worker, reader"),
        ({"role": None}, "role must be one of"),
        ({"hash": SECRET}, "hash must be sha256: and 64 hexadecimal digits, as `rochallor token new` prints it"),
        ({"hash": "sha256:" + SECRET}, "hash must be sha256:"),
        ({"hash": "scrypt:1:2:" + SECRET}, "hash must be sha256:"),
        ({"hash": [SECRET]}, "hash must be a text"),
        ({"expires": "tomorrow"}, "expires must be a time with its zone, such as"),
        ({"expires": "2027-01-31"}, "expires must be a time with its zone"),
        ({"jobTypes": "score"}, "jobTypes must be a list"),
        ({"jobTypes": []}, "jobTypes must be a list"),
        ({"jobTypes": [""]}, "jobTypes must be a list"),
        ({"role": "reader", "jobTypes": ["score"]}, "jobTypes is for workers only"),
        ({"token": SECRET}, r"line 7 has a field that is none of name, role, hash, jobTypes, expires"),
        ({SECRET: 1}, "has a field that is none of"),
        ({"hash": GOOD["hash"]}, r"entry 2\): an entry before has the same hash"),
    ],
)
def test_a_wrong_entry_is_named_and_not_quoted(change, sentence):
    """The sentence has line, entry and reason; nothing that may be a secret is repeated."""
    other = {"name": "ci", "role": "worker", "hash": hash_of("other")}
    with pytest.raises(TokensError, match=sentence) as caught:
        told(GOOD, {**other, **change})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("missing", ["name", "role", "hash"])
def test_name_role_and_hash_are_needed(missing):
    """An entry that lacks one is refused by name of the field."""
    with pytest.raises(TokensError, match=f"{missing} is missing"):
        told({key: value for key, value in GOOD.items() if key != missing})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must hold a list of tokens, at least one"),
        ("[]", "must hold a list"),
        ("tokens: []", "must hold a list"),
        ("- name: [", "line 1 is neither YAML nor JSON"),
        (f"- hash: *{SECRET}", "line 1 is neither YAML nor JSON"),
        (f"- {SECRET}", r"line 1 \(entry 1\): an entry has the fields name, role and hash"),
        ("[" * 100_000, "nested too deeply|neither YAML nor JSON"),
    ],
)
def test_what_is_no_list_of_tokens_is_refused(text, sentence):
    """The sentence says what the file must hold, and nothing of what it holds."""
    with pytest.raises(TokensError, match=sentence) as caught:
        read_tokens(text)
    assert SECRET not in str(caught.value)


def test_a_field_cannot_be_said_twice():
    """YAML allows a key twice and takes the last; here that would hide a role."""
    with pytest.raises(TokensError, match="role is there twice"):
        read_tokens(yaml.safe_dump([GOOD]) + "  role: admin\n")


def test_nothing_prints_a_hash():
    """A book and its tokens tell neither secrets nor hashes when they are printed."""
    book = told(GOOD)
    (token,) = book._by_digest.values()
    assert repr(book) == "<TokenBook of 1>"
    assert token.digest.hex() not in repr(token)
    assert repr(token.digest) not in repr(token)


def is_known(file, clock):
    try:
        file.book(clock.now_ms()).caller_of(SECRET.encode(), clock.now_ms())
    except Unauthorized:
        return False
    return True


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tokens.yaml"
    path.write_text(yaml.safe_dump([GOOD]))
    return path


@pytest.fixture
def other():
    """The text of a file in which the token is not."""
    return yaml.safe_dump([{"name": "other", "role": "reader", "hash": hash_of("other")}])


def test_a_new_file_counts_within_a_second(path, clock, other):
    """The file is looked at once a second at most; what changed counts then, in both directions."""
    file = TokensFile(path, clock.now_ms)
    path.write_text(other)
    assert is_known(file, clock)
    clock.ms += LOOK_EVERY_MS
    assert not is_known(file, clock)


def test_sighup_need_not_wait(path, clock, other):
    """`reload` reads the file at once."""
    file = TokensFile(path, clock.now_ms)
    path.write_text(other)
    file.reload()
    assert not is_known(file, clock)


def test_a_clock_set_back_does_not_stop_the_looking(path, clock, other):
    """After the clock jumped back an hour, a change is still noticed."""
    file = TokensFile(path, clock.now_ms)
    path.write_text(other)
    clock.ms -= 3_600_000
    assert not is_known(file, clock)


@pytest.mark.parametrize("broken", ["- name: [", "", None])
def test_a_broken_file_keeps_the_tokens(path, clock, broken, caplog):
    """A slip of the editor, or a file that is gone, leaves the tokens as they were, and one line says so."""
    file = TokensFile(path, clock.now_ms)
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    with caplog.at_level(logging.ERROR, "rochallor.access"):
        for _ in range(3):
            clock.ms += LOOK_EVERY_MS
            assert is_known(file, clock)
    assert [record.getMessage()[:51] for record in caplog.records] == [
        "the tokens file cannot be used, the tokens from bef"
    ]


def test_a_mended_file_counts_again(path, clock, other):
    """After a broken file, the next good one is taken."""
    file = TokensFile(path, clock.now_ms)
    for text in ("- name: [", other):
        path.write_text(text)
        clock.ms += LOOK_EVERY_MS
        file.book(clock.now_ms())
    assert not is_known(file, clock)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda _: None, "it cannot be read: No such file"),
        (lambda path: path.mkdir(), "it cannot be read: Is a directory"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "it is not UTF-8"),
        (lambda path: path.write_text(" " * (5 << 20)), "it is larger than 4194304 bytes"),
    ],
)
def test_an_unreadable_file_stops_the_start(tmp_path, clock, make, sentence):
    """Without tokens there is no start; the sentence says why the file cannot be used."""
    path = tmp_path / "missing.yaml"
    make(path)
    with pytest.raises(TokensError, match=sentence):
        TokensFile(path, clock.now_ms)
