"""The page in a real browser: it sorts, explains itself, asks nothing of the network, and everybody can read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Shown, opened

from kdrun.reports.write import write_report

GAIN, VERDICT = "gain, points", "verdict"


@pytest.fixture(scope="module")
def file(runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every picture, a notice, and a name that would be markup."""
    built = runs()
    for number, (tau, gain) in enumerate([(1, 0.002), (4, 0.029), (8, 0.031)]):
        told = {"teacher": "<b onmouseover=alert(1)>big</b>", "overrides": f"tau={tau}", "tau": tau}
        built.point(number, gain, validation=0.9 - abs(number - 1) / 100, **told)
        built.point(number + 3, gain / 2, validation=0.8, alpha=0.3, **told | {"overrides": f"tau={tau} alpha=0.3"})
    folder = built.write_details(built.write(tmp_path_factory.mktemp("page"), rows=999))
    write_report(folder)
    return folder / "report.html"


@pytest.fixture
def shown(browser: Any, file: Path) -> Iterator[Shown]:
    with opened(browser, file) as page:
        yield page
        assert page.troubles == []
        assert page.asked == []


def _column(shown: Shown, number: int) -> list[str]:
    """Texts of a column of the rows that are sorted."""
    return shown.page.locator(f"main table >> nth=0 >> tbody >> nth=1 >> tr > :nth-child({number})").all_inner_texts()


def _order(shown: Shown, head: str) -> str | None:
    return shown.page.locator("th[scope=col]", has_text=head).first.get_attribute("aria-sort")


def test_a_head_sorts_by_its_numbers_and_back(shown: Shown) -> None:
    assert _column(shown, 1)[:2] == ["label smoothing", "tau=1"]
    button = shown.page.get_by_role("button", name=GAIN, exact=False).first
    button.click()
    assert _order(shown, GAIN) == "descending"
    assert [text.split()[0] for text in _column(shown, 3)] == [
        "+3.10",
        "+2.90",
        "+1.55",
        "+1.45",
        "+0.40",
        "+0.20",
        "+0.10",
    ]
    button.click()
    assert _order(shown, GAIN) == "ascending"
    assert _column(shown, 3)[0].startswith("+0.10")


def test_another_head_takes_over_and_cells_without_a_value_stay_last(shown: Shown) -> None:
    shown.page.get_by_role("button", name=GAIN, exact=False).first.click()
    shown.page.evaluate("document.querySelectorAll('tbody')[1].rows[0].cells[5].dataset.value = ''")
    agreement = shown.page.get_by_role("button", name="agreement", exact=False).first
    agreement.click()
    assert (_order(shown, GAIN), _order(shown, "agreement")) == (None, "descending")
    last = _column(shown, 1)[-1]
    agreement.click()
    assert _column(shown, 1)[-1] == last == "tau=8"


def test_teacher_and_baseline_stay_above(shown: Shown) -> None:
    shown.page.get_by_role("button", name=VERDICT, exact=True).click()
    references = shown.page.locator("main table >> nth=0 >> tbody >> nth=0 >> th").all_inner_texts()
    assert references == ["teacher <b onmouseover=alert(1)>big</b>", "baseline (labels)"]
    assert _column(shown, 4)[:2] == ["better", "better"]
    assert _column(shown, 4)[-1] == "not resolved"


def test_the_keyboard_sorts(shown: Shown) -> None:
    page = shown.page
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(
            "document.activeElement.matches('.sort') && document.activeElement.innerText.startsWith('gain')"
        ):
            break
    page.keyboard.press("Enter")
    assert _order(shown, GAIN) == "descending"
    page.keyboard.press("Space")
    assert _order(shown, GAIN) == "ascending"


def _meaning(shown: Shown) -> Any:
    return shown.page.locator("#means-gain")


def test_a_definition_comes_with_the_focus_and_goes_with_escape(shown: Shown) -> None:
    page = shown.page
    assert not _meaning(shown).is_visible()
    page.get_by_role("button", name=GAIN, exact=False).first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("What gain")
    _meaning(shown).wait_for(state="visible")
    assert "in percentage points" in _meaning(shown).inner_text()
    page.keyboard.press("Escape")
    _meaning(shown).wait_for(state="hidden")


def test_a_definition_comes_with_the_mouse_stays_under_it_and_goes(shown: Shown) -> None:
    shown.page.locator("[popovertarget=means-gain]").first.hover()
    _meaning(shown).wait_for(state="visible")
    _meaning(shown).hover()
    shown.page.wait_for_timeout(300)
    assert _meaning(shown).is_visible()
    shown.page.locator("h1").hover()
    _meaning(shown).wait_for(state="hidden")


def test_a_definition_comes_with_a_tap_even_without_scripts(browser: Any, file: Path) -> None:
    for scripts in (True, False):
        context = browser.new_context(
            java_script_enabled=scripts, has_touch=True, viewport={"width": 390, "height": 844}
        )
        page = context.new_page()
        page.goto(file.as_uri())
        page.locator("[popovertarget=means-accuracy]").first.tap()
        page.locator("#means-accuracy").wait_for(state="visible")
        context.close()


def test_a_definition_stands_within_the_window(browser: Any, file: Path) -> None:
    with opened(browser, file, phone=True) as shown:
        button = shown.page.locator("[popovertarget=means-seconds]").first
        button.scroll_into_view_if_needed()
        button.focus()
        button.click()
        box = shown.page.locator("#means-seconds").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_read_it(browser: Any, file: Path, dark: bool, phone: bool) -> None:
    with opened(browser, file, dark=dark, phone=phone) as shown:
        assert shown.violations() == []
        assert shown.overflow() == 0
        assert shown.troubles == shown.asked == []


def test_light_and_dark_are_different_papers(browser: Any, file: Path) -> None:
    papers = []
    for dark in (False, True):
        with opened(browser, file, dark=dark) as shown:
            papers.append(shown.page.evaluate("getComputedStyle(document.body).backgroundColor"))
            ink = shown.page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
            assert ink == shown.page.evaluate("getComputedStyle(document.body).color")
    assert papers == ["rgb(255, 255, 255)", "rgb(20, 24, 31)"]


def test_paper_is_white_and_shows_the_whole_table(browser: Any, file: Path) -> None:
    with opened(browser, file, dark=True) as shown:
        shown.page.set_viewport_size({"width": 680, "height": 900})
        shown.page.emulate_media(media="print")
        assert shown.page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 34, 48)"
        assert shown.overflow() == 0
        assert not shown.page.locator(".define").first.is_visible()


def test_a_page_that_asks_for_something_is_found_out(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "asking.html"
    path.write_text(
        '<!doctype html><title>x</title><img alt="" src="https://example.com/x.png"><script>console.log(1)</script>'
    )
    with opened(browser, path) as shown:
        assert shown.asked == ["https://example.com/x.png"]
        assert shown.troubles
        assert shown.violations()
