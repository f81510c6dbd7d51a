"""The explorer's page in a browser."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kdrun.explorer.page import page as page_of
from kdrun.explorer.rows import class_rows, example_rows
from kdrun.explorer.tables import percent, signed
from kdrun.explorer.view import View

LONG = ("a rather long name of a class", "anameofaclassthatnowherehasaplacetobreakandgoeson", *map(str, range(8)))


def _press_until(page: Any, knob: str, value: float) -> None:
    """Moves a slider from the keyboard until its output says a number."""
    page.locator(f"#{knob}").focus()
    page.keyboard.press("Home")
    while float(page.locator(f"#{knob}-now").inner_text()) < value:
        page.keyboard.press("ArrowRight")


def _cells(page: Any, table: str) -> list[str]:
    texts: list[str] = page.locator(f"#{table} tbody td").all_inner_texts()
    return [text.strip() for text in texts]


def _by_lines(columns: list[list[str]]) -> list[str]:
    return [text for line in zip(*columns, strict=True) for text in line]


def _expected(view: View, tau: float, alpha: float, number: int = 0) -> dict[str, list[str]]:
    turned, row = replace(view, tau=tau, alpha=alpha), view.chosen[number].row
    facts, classes = list(example_rows(turned, row)), list(class_rows(turned, row))
    of = {fact["network"]: [one for one in classes if one["network"] == fact["network"]] for fact in facts}
    return {
        "shares": _by_lines([[percent(one["probability"]) for one in rows] for rows in of.values()]),
        "pulls": _by_lines([[signed(-one["gradient"]) for one in rows] for rows in list(of.values())[1:]]),
        "facts": _by_lines(
            [
                [
                    fact["top_class"],
                    percent(fact["confidence"]),
                    percent(fact["outside_top_class"]),
                    f"{fact['entropy_nats']:.3f}",
                    f"{fact['entropy_bits']:.3f}",
                ]
                for fact in facts
            ]
        ),
    }


@pytest.mark.parametrize(("tau", "alpha"), [(4, 0.7), (0.5, 0), (1, 0.35), (20, 1)])
def test_the_sliders_change_the_numbers_to_those_computed_in_python(
    show: Any, make_view: Any, tau: float, alpha: float
) -> None:
    view = make_view()
    page = show(view).page
    page.locator("#tell").check()
    _press_until(page, "tau", tau)
    _press_until(page, "alpha", alpha)
    for table, expected in _expected(view, tau, alpha).items():
        assert [text.replace("\u2212", "-") for text in _cells(page, table)] == expected, table
    shown = [f"{100 * mean:.1f}" for means in view.similarity(tau).tolist() for mean in means]
    assert _cells(page, "alike") == shown


def test_alpha_and_tau_begin_as_asked_even_between_the_stops(show: Any, make_view: Any) -> None:
    view = make_view(tau=3.3, alpha=0.123)
    page = show(view).page
    page.locator("#tell").check()
    assert _cells(page, "pulls") == [text.replace("-", "\u2212") for text in _expected(view, 3.3, 0.123)["pulls"]]


def test_the_quiz_asks_before_it_tells_and_counts(show: Any, make_view: Any) -> None:
    view = make_view()
    page = show(view).page
    assert not page.locator("#told").is_visible()
    logits, label = (one[view.chosen[0].row] for one in (view.teacher.logits, view.answers.test.labels))
    right = next(k for k in logits.argsort(descending=True).tolist() if k != int(label))
    wrong = logits.argmin().item()
    assert page.locator("#answers button").all_inner_texts() == [
        name for k, name in enumerate(view.names) if k != int(label)
    ]
    page.get_by_role("button", name=view.names[wrong], exact=True).focus()
    page.keyboard.press("Enter")
    assert page.locator("#verdict").inner_text().startswith(f"Not {view.names[wrong]} (")
    assert f"leans to {view.names[right]} ({percent(_share(view, right))} % at tau 4" in _verdict(page)
    assert page.locator("#told").is_visible()
    page.get_by_role("button", name=view.names[right], exact=True).press("Enter")
    assert _verdict(page).startswith(f"Yes: {view.names[right]}")
    assert page.locator("#score").inner_text() == "0 of 1 guessed"  # the first answer counts


def _verdict(page: Any) -> str:
    text: str = page.locator("#verdict").inner_text()
    return text


def _share(view: View, number: int) -> float:
    row = view.chosen[0].row
    rows = [one for one in class_rows(view, row) if one["network"] == "teacher"]
    return float(rows[number]["probability"])


def test_pictures_are_chosen_from_the_keyboard(show: Any, make_view: Any) -> None:
    view = make_view()
    page = show(view).page
    page.locator("#tell").check()
    page.locator('[name="example"]').first.focus()
    page.keyboard.press("ArrowRight")
    assert f"Test example {1000 + view.chosen[1].row}." in page.locator("#which").inner_text()
    assert _cells(page, "shares") == _expected(view, 4, 0.7, number=1)["shares"]
    page.locator("#next").press("Enter")
    assert f"Test example {1000 + view.chosen[2].row}." in page.locator("#which").inner_text()
    assert page.locator('[name="example"]:checked').get_attribute("value") == "2"


def test_names_are_shown_as_text(show: Any, make_view: Any) -> None:
    view = make_view()
    page = show(view).page
    page.locator("#tell").check()
    assert [text.removesuffix(" label") for text in page.locator("#shares tbody th").all_inner_texts()] == [*view.names]
    assert page.locator("#alike thead th").all_inner_texts() == [*view.names]
    assert "mlp<script>alert(2)</script>" in page.title()
    assert "<b>run</b>" in page.locator("footer").inner_text()


def test_a_teacher_alone_has_neither_alpha_nor_pull(show: Any, make_view: Any) -> None:
    view = make_view(student=None)
    page = show(view).page
    page.locator("#tell").check()
    assert page.locator("#alpha, #pulls").count() == 0
    assert _cells(page, "shares") == _expected(view, 4, 0.7)["shares"]


def test_a_missing_baseline_is_said(show: Any, make_view: Any) -> None:
    page = show(make_view(has_baseline=False)).page
    assert "no baseline" in page.locator(".notice").last.inner_text()
    assert page.locator("#shares thead th").all_inner_texts() == ["class", "teacher", "student"]


def test_of_many_classes_the_likeliest_have_lines_and_the_rest_one(show: Any, make_view: Any) -> None:
    view = make_view(names=tuple(f"class {number}" for number in range(60)), tau=6.5)
    page = show(view).page
    page.locator("#tell").check()
    assert page.locator("#shares tbody tr").count() == 13
    shares = [float(text.removeprefix("<")) for text in _cells(page, "shares")[::3]]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert page.locator("#answers button").count() == 5
    assert page.locator("#alike-tau").inner_text() == "6.5"
    page.locator("#tau").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert float(page.locator("#alike-tau").inner_text()) in view.kept_taus


def test_the_matrix_of_too_many_classes_is_left_out(show: Any, make_view: Any) -> None:
    page = show(make_view(names=tuple(map(str, range(400))))).page
    page.locator("#tell").check()
    _press_until(page, "tau", 8)
    assert page.locator("#alike").count() == 0
    assert page.get_by_text("Left out of the page").is_visible()


@pytest.mark.parametrize("names", [LONG, tuple(f"class {number}" for number in range(60))], ids=["long", "many"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_is_wider_than_a_phone_nor_hard_to_read(
    show: Any, make_view: Any, dark: bool, names: tuple[str, ...]
) -> None:
    shown = show(make_view(names=names, channels=3), phone=True, dark=dark)
    shown.page.locator("#answers button").first.click()
    assert shown.overflow() == 0
    assert shown.violations() == []


def test_on_paper_the_numbers_stand_without_the_quiz(show: Any, make_view: Any) -> None:
    page = show(make_view()).page
    page.emulate_media(media="print")
    assert page.locator("#told").is_visible()
    assert not page.locator(".quiz, .gallery").first.is_visible()


def test_a_page_with_ten_classes_stays_small(make_view: Any) -> None:
    assert len(page_of(make_view(names=tuple(map(str, range(10)))), "kdrun explain")) < 200_000
