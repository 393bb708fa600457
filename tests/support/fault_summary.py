"""One line at the end of the run: how many cases the fault matrix had."""

from __future__ import annotations

from support.fault_pool import OUTCOMES, PROPERTY


def pytest_terminal_summary(terminalreporter) -> None:
    """Count the cases of all tests of all processes."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, ())]
    properties = [pair for report in reports if report.when == "call" for pair in report.user_properties]
    counts = [sum(column) for column in zip(*(value for name, value in properties if name == PROPERTY))]
    if counts:
        parts = ", ".join(f"{count} {outcome}" for count, outcome in zip(counts, OUTCOMES))
        terminalreporter.write_line(f"{PROPERTY}: {sum(counts)} cases: {parts}")
