"""The explorer for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from kdrun.explorer.rows import Row, class_rows, example_rows, shown_classes
from kdrun.explorer.view import View
from kdrun.explorer.words import TERMS, about, caveats
from kdrun.metrics.softened import most_alike

PAIRS = 6
MATRIX_CLASSES = 12  # as many columns as stand side by side
NEXT = 8


def tables(view: View) -> Group:
    """Networks, one example, alike classes, and what to look at next. Names are shown as text, never as markup."""
    first = view.chosen[0]
    terms = ("outside", "pull", "alike") if view.learners else ("outside", "alike")
    parts = [
        _networks(view),
        *(Text(caveat, style="yellow") for caveat in caveats(view)),
        Text(),
        *_example(view, first.row),
        Text(),
        *_alike(view),
        Text(),
        _next(view),
        Text(),
        *(Text(f"{term.term}: {term.text}", style="dim") for term in TERMS if term.key in terms),
    ]
    return Group(*parts)


def percent(probability: float) -> str:
    """A probability in percent with two decimals."""
    return "<0.01" if 0 < probability < 0.00005 else f"{100 * probability:.2f}"


def signed(number: float) -> str:
    """A number with its sign and three decimals."""
    return "0.000" if abs(number) < 0.0005 else f"{number:+.3f}"


def _networks(view: View) -> Table:
    grid = _grid("network", "accuracy %", "what it is", "run")
    for one in about(view):
        grid.add_row(*map(Text, (one.role, f"{100 * one.accuracy:.2f}", one.title, one.run_id)))
    return grid


def _example(view: View, row: int) -> Iterator[Text | Table]:
    facts = {fact["network"]: fact for fact in example_rows(view, row)}
    first = facts["teacher"]
    yield Text(f"Test example {first['example']}, labelled {_plain(first['label'])}: {view.chosen[0].why.lower()}")
    yield Text(f"tau {view.tau:g}" + (f", alpha {view.alpha:g}" if view.learners else ""), style="dim")
    yield Text()
    pulls = [f"pull on\n{role}" for role in view.learners]
    grid = _grid("class", *(f"{role}\n%" for role in facts), *pulls, text_columns=1)
    for line in _class_lines(view, row):
        grid.add_row(*map(Text, line))
    grid.add_row()
    sums = [_facts(fact) for fact in facts.values()]
    for title in sums[0]:
        grid.add_row(Text(title, style="dim"), *(Text(one[title]) for one in sums))
    yield grid


def _facts(fact: Row) -> dict[str, str]:
    return {
        "top class": _plain(fact["top_class"]),
        "confidence in it, %": percent(fact["confidence"]),
        "dark knowledge visible, %": percent(fact["outside_top_class"]),
        "entropy, nats": f"{fact['entropy_nats']:.3f}",
        "entropy, bits": f"{fact['entropy_bits']:.3f}",
    }


def _class_lines(view: View, row: int) -> Iterator[list[str]]:
    rows: dict[str, list[Row]] = {role: [] for role in view.answers.said}
    for one in class_rows(view, row):
        rows[one["network"]].append(one)
    shown, label = shown_classes(view, row), int(view.answers.test.labels[row])
    for number in shown:
        name = _plain(view.names[number]) + (" (label)" if number == label else "")
        yield [name, *_line(view, rows, [number])]
    if rest := sorted(set(range(len(view.names))) - set(shown)):
        yield [f"the other {len(rest)}", *_line(view, rows, rest)]


def _line(view: View, rows: dict[str, list[Row]], classes: Sequence[int]) -> Iterator[str]:
    for of_network in rows.values():
        yield percent(sum(of_network[number]["probability"] for number in classes))
    for role in view.learners:
        yield signed(-sum(rows[role][number]["gradient"] for number in classes))


def _alike(view: View) -> Iterator[Text | Table]:
    similarity = view.similarity(view.tau)
    names = list(map(_plain, view.names))
    count = f"{len(view.answers.test):,} test examples"
    if len(names) <= MATRIX_CLASSES:
        yield Text(f"Mean softened probability at tau {view.tau:g}, %, over {count}; rows are labels")
        grid = _grid("", *names, text_columns=1)
        for name, means in zip(names, similarity.tolist(), strict=True):
            grid.add_row(Text(name), *(Text("-" if mean != mean else f"{100 * mean:.1f}") for mean in means))
        yield grid
        yield Text()
    yield Text(f"Most alike to the teacher at tau {view.tau:g}, over {count}")
    pairs = _grid("", "%")
    for one, other, mean in most_alike(similarity)[:PAIRS]:
        pairs.add_row(Text(f"{names[one]} and {names[other]}"), Text(percent(mean)))
    yield pairs


def _next(view: View) -> Text:
    ids = [str(int(view.answers.test.ids[one.row])) for one in view.chosen[1 : 1 + NEXT]]
    return Text(f"Other examples worth a look (--example ID): {', '.join(ids)}")


def _grid(*headers: str, text_columns: int = 0) -> Table:
    """A table whose numbers stand to the right: all columns but the first `text_columns`, where that is given."""
    grid = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for number, header in enumerate(headers):
        numeric = "%" in header if not text_columns else number >= text_columns
        grid.add_column(Text(header), justify="right" if numeric else "left", overflow="fold", no_wrap=header == "run")
    return grid


def _plain(name: str) -> str:
    """A name as text for a terminal: control characters become `?`."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)
