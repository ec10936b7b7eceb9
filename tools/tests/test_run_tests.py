"""What tools/run_tests.py makes of the reports."""

from tools import run_tests

REPORT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


def test_the_last_line_sums_all_runs(tmp_path):
    """Passed is what neither failed nor was skipped, over all environments; errors count as failures."""
    (tmp_path / "a.xml").write_text(REPORT.format(10, 1, 1, 2))
    (tmp_path / "b.xml").write_text(REPORT.format(5, 0, 0, 0))
    lines = run_tests.summary({"core": tmp_path / "a.xml", "tests": tmp_path / "b.xml"}).splitlines()
    assert lines[0].strip() == "core: 6 passed, 2 failed, 2 skipped"
    assert lines[-1] == "11 passed, 2 failed, 2 skipped"


def test_a_python_that_is_not_there_is_not_found():
    """A version that no machine has gives None, not a command that fails later."""
    assert run_tests.find_python("2.99") is None
