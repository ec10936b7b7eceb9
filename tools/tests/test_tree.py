"""What tools/tree.py promises about the files of the tree."""

import pytest

from tools import tree


def test_a_module_of_four_hundred_lines_is_long_enough():
    """Up to the limit nothing is said; one line more is a finding that names the module."""
    assert list(tree.too_long("a.py", "x = 1\n" * 400)) == []
    assert [finding.split(":")[0] for finding in tree.too_long("a.py", "x = 1\n" * 401)] == ["a.py"]


def test_a_long_module_may_give_its_reason():
    """A reason at the top of a module lets it be long; an empty one does not."""
    assert list(tree.too_long("a.py", "# Long because: one table.\n" + "x = 1\n" * 500)) == []
    assert list(tree.too_long("a.py", "# Long because:\n" + "x = 1\n" * 500))


@pytest.mark.parametrize("line", ["see /ho" + "me/ann/notes", "/Us" + "ers/ann", "in /somewhere/checkout/engine"])
def test_a_path_of_one_machine_is_found(line):
    """Home directories and the place of the checkout are found, with the number of the line."""
    found = list(tree.machine_paths("a.md", f"fine\n{line}\n", checkout="/somewhere/checkout"))
    assert [finding.split(" ")[0] for finding in found] == ["a.md:2:"]


def test_a_path_of_every_machine_is_no_finding():
    """Paths that mean the same everywhere, and URLs, may be written."""
    text = "/etc/workflow/engine.yaml\nhttps://example.org/home/page\n"
    assert list(tree.machine_paths("a.md", text, checkout="/somewhere/checkout")) == []
