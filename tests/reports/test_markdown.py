from __future__ import annotations

from kdrun.reports.comparison import comparison
from kdrun.reports.markdown import markdown

NOTES = {"name": "night", "command": "kdrun distill tau=4", "created": "2025-01-02", "version": "0.1"}


def _page(rows, **notes: str) -> str:
    return markdown(comparison(rows), NOTES | notes, [0, 1, 2], ["gain.png"])


def test_the_page_holds_command_date_version_seeds_and_picture(runs, read) -> None:
    page = _page(read(runs().point(0)))
    assert page.startswith("# night\n")
    assert "```sh\nkdrun distill tau=4\n```" in page
    assert "Created 2025-01-02 by kdrun 0.1; seeds 0, 1, 2." in page
    assert "](gain.png)" in page


def test_the_table_has_as_many_cells_in_each_row_as_in_its_head(tau_sweep, read) -> None:
    rows = [line for line in _page(read(tau_sweep)).splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in rows} == {10}
    assert "| tau=4 \\* | 91.70 ± 0.60 | +2.90 [2.48, 3.32] | better | 56 | 90.7 |" in "\n".join(rows)


def test_names_are_escaped_and_plain_ones_left_alone(runs, read) -> None:
    page = _page(read(runs().point(0, student="a|b", teacher="wrn_40_2", dataset="_x_ [y](z) <b>*`")))
    assert r"student a\|b, trained" in page
    assert "teacher wrn_40_2, trained" in page
    assert r"\_x\_ \[y\](z) \<b\>\*\`: 1,500" in page


def test_a_command_cannot_close_its_fence(runs, read) -> None:
    assert "````sh\nkdrun ```\n````" in _page(read(runs().point(0)), command="kdrun ```")


def test_marks_and_points_with_the_same_runs_are_explained_below_the_table(twins, read) -> None:
    page = _page(read(twins))
    assert "| better (1) |" in page
    assert (
        "|\n\n(1) not shown to beat label smoothing, which alone may explain the gain\\\n"
        "tau=2: the same runs as tau=1\n\n"
    ) in page


def test_training_time_is_defined_as_a_share_of_its_group(runs, read) -> None:
    assert "this is a run's share of the wall time of its group" in _page(read(runs().point(0)))
