"""The score table: one line an item of the rubric, printed after everything else.

A test that covers an item carries its mark, `@pytest.mark.item("2d")`. An item is passed when it
has at least one such test and all of them passed; a skipped one leaves it not tested.
"""

from collections.abc import Generator, Sequence

import pytest

from problemset.rubric import Item

FAILED, NOT_TESTED, PASSED = "failed", "not tested", "passed"


class ScoreTable:
    """A pytest plugin that watches the marked tests and prints the table last."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.items_of: dict[str, list[str]] = {}
        """Test to the items it covers."""
        self.outcomes: dict[str, str] = {}
        """Test to its worst outcome so far."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        known = {item.id for item in self.items}
        for test in items:
            covered = [str(name) for mark in test.iter_markers("item") for name in mark.args]
            for name in covered:
                if name not in known:
                    raise pytest.UsageError(f"{test.nodeid}: the rubric has no item {name!r}")
            if covered:
                self.items_of[test.nodeid] = covered

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid not in self.items_of:
            return
        worst = self.outcomes.get(report.nodeid, PASSED)
        found = {"failed": FAILED, "skipped": NOT_TESTED}.get(report.outcome, PASSED)
        order = (FAILED, NOT_TESTED, PASSED)
        self.outcomes[report.nodeid] = min(worst, found, key=order.index)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        result = yield
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self.items_of and not session.config.option.collectonly:
            reporter.write("\n" + self.table() + "\n")
        return result

    def results(self, item: str) -> list[str]:
        """The outcomes of an item's tests; one that was stopped before it ran is not tested."""
        tests = [test for test, covered in self.items_of.items() if item in covered]
        return [self.outcomes.get(test, NOT_TESTED) for test in tests]

    def state(self, item: str) -> str:
        """Passed, failed or not tested."""
        found = self.results(item)
        if FAILED in found:
            return FAILED
        return PASSED if found and set(found) == {PASSED} else NOT_TESTED

    def table(self) -> str:
        """One line an item, in the rubric's order, and the points of those that are passed."""
        lines = ["item  result      points  checks  title"]
        lines += [
            f"{item.id:<4}  {self.state(item.id):<10}  {item.points:>6}  "
            f"{len(self.results(item.id)):>6}  {item.title}"
            for item in self.items
        ]
        reached = sum(item.points for item in self.items if self.state(item.id) == PASSED)
        total = sum(item.points for item in self.items)
        return "\n".join([*lines, f"score {reached} of {total} points"])


def register(config: pytest.Config, items: Sequence[Item]) -> None:
    """Add the mark and the table to a run."""
    config.addinivalue_line("markers", "item(id): covers an item of rubric.yml, such as 2d")
    config.pluginmanager.register(ScoreTable(items), "score-table")
