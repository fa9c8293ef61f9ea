"""A report page in headless Chromium: no network, no errors, by keyboard, in the dark, on a phone; hostile texts stay
texts. ``make browser`` installs what is needed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from coopt.core.text import visible
from coopt.reports.html.live import write_live
from coopt.reports.html.page import write_page
from coopt.runs.results import stored_results
from tests.unit.reported_runs import HOSTILE, write_run
from tests.unit.small_runs import write_run as small_run

pytestmark = [pytest.mark.heavy, pytest.mark.slow]
Browser = webdriver.Chrome


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the report of a run with hostile texts."""
    folder = tmp_path_factory.mktemp("report")
    opened = write_run(folder / "run")
    write_page(opened.run, opened.results, folder / "report.html")
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Browser, page: str) -> Browser:
    """A desktop window, in the light, with the page freshly opened."""
    _look(chromium, "light", 1200)
    for kind in ("browser", "performance"):
        chromium.get_log(kind)  # what came before
    chromium.get(page)
    _drawn(chromium, "light")
    return chromium


def _look(browser: Browser, scheme: str, width: int) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def _until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.1)
    return found


def _drawn(browser: Browser, scheme: str) -> None:
    _until(lambda: browser.execute_script("return document.body.dataset.drawn") == scheme)


def _all(browser: Browser, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
    found: list[str] = browser.execute_script(script, selector)
    return found


def test_it_draws_everything_without_network_and_errors(browser: Browser) -> None:
    charts, drawn = len(_all(browser, ".chart")), len(_all(browser, ".chart svg"))
    assert charts == drawn == 1 + 2 + 2 + 2 + 2 + 1 + 1
    names = browser.execute_script("return [...document.querySelectorAll('.chart')].map((c) => c.ariaLabel)")
    assert all(names)
    assert len(set(names)) == charts
    assert browser.get_log("browser") == []
    messages = [json.loads(line["message"])["message"] for line in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert asked
    assert all(url.startswith("file:///") and url.endswith("report.html") for url in asked)


def test_hostile_texts_are_shown_and_nothing_of_them_runs(browser: Browser) -> None:
    assert browser.execute_script("return window.hacked") is None
    shown: set[str] = set()
    for _ in range(3):
        shown |= set(_all(browser, "article pre"))
        later = browser.find_element(By.ID, "later")
        if later.is_enabled():
            later.send_keys(Keys.ENTER)
    assert set(map(visible, HOSTILE)) <= shown
    browser.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert HOSTILE[0] not in _all(browser, "script:not([type])")
    strange = (
        "return document.querySelectorAll('main :is(img, iframe, script, link), article a, [onload], [onerror]').length"
    )
    assert browser.execute_script(strange) == 0
    assert browser.execute_script("return window.hacked") is None
    assert browser.get_log("browser") == []


def test_a_script_that_slips_in_is_not_run(browser: Browser) -> None:
    """The content security policy is the second wall."""
    browser.execute_script("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.hacked = 1\">')")
    _until(lambda: [line for line in browser.get_log("browser") if "Content Security Policy" in line["message"]])
    assert browser.execute_script("return window.hacked") is None


def test_the_slider_changes_the_graph_by_keyboard(browser: Browser) -> None:
    graph = "document.querySelector('.chart.graph svg').innerHTML"
    assert _all(browser, "#graph-words") == ["Round 1: 1 of 2 edges open."]
    before = browser.execute_script(f"return {graph}")
    browser.find_element(By.ID, "graph-round").send_keys(Keys.ARROW_RIGHT)
    _until(lambda: browser.execute_script(f"return {graph} !== arguments[0]", before))
    assert _all(browser, "#graph-words") == ["Round 2: 2 of 2 edges open."]
    assert _all(browser, "#graph-edges td:nth-child(2)") == ["open", "open"]


def test_a_choice_changes_its_charts(browser: Browser) -> None:
    first = "document.querySelector('[data-section=trajectories] svg').innerHTML"
    before = browser.execute_script(f"return {first}")
    browser.find_element(By.CSS_SELECTOR, "[data-signal=domain]").send_keys("physics")
    _until(lambda: browser.execute_script(f"return {first} !== arguments[0]", before))


def test_filters_narrow_the_transcripts(browser: Browser) -> None:
    def found() -> str:
        return _all(browser, "#found")[0]

    def choose(field: str, words: str) -> None:
        Select(browser.find_element(By.CSS_SELECTOR, f"[data-field={field}]")).select_by_visible_text(words)

    assert found() == "1 to 10 of 27 that match"
    assert _all(browser, "[data-field=edge] option") == ["all", "s1 -> s2", "s2 -> s1"]
    choose("edge", "s1 -> s2")
    _until(lambda: found() == "1 to 8 of 8 that match")
    choose("outcome", "no_match")
    _until(lambda: found() == "1 to 2 of 2 that match")
    choose("edge", "all")
    choose("outcome", "all")
    choose("change", "broken")
    _until(lambda: found() == "1 to 1 of 1 that match")
    assert "first 0" in _all(browser, "article pre")
    choose("change", "all")
    browser.find_element(By.CSS_SELECTOR, "[data-field=text]").send_keys("ONERROR")
    _until(lambda: len(_all(browser, "article")) > 0 and all("onerror" in a for a in _all(browser, "article")))


def test_the_keyboard_reaches_every_control(browser: Browser) -> None:
    wanted = browser.execute_script(
        "return [...document.querySelectorAll('nav a, h2 a, select, input, summary, button:enabled')].length"
    )
    reached: set[str] = set()
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    for _ in range(wanted + 40):
        here = browser.switch_to.active_element
        if here.tag_name in ("a", "select", "input", "summary", "button") and here.get_attribute("class") != "skip":
            reached.add(here.id)
        here.send_keys(Keys.TAB)
    assert len(reached) == wanted


def test_in_the_dark_page_and_charts_change(browser: Browser) -> None:
    colours = (
        "return [getComputedStyle(document.body).backgroundColor,"
        " getComputedStyle(document.querySelector('.chart svg text')).fill]"
    )
    light = browser.execute_script(colours)
    _look(browser, "dark", 1200)
    _drawn(browser, "dark")
    dark = browser.execute_script(colours)
    for before, after, lighter in zip(light, dark, (False, True), strict=True):
        assert (_brightness(after) > _brightness(before)) is lighter


def _brightness(colour: str) -> float:
    return sum(float(part) for part in colour.strip("rgba()").split(",")[:3])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_does_not_scroll_sideways(browser: Browser, page: str, scheme: str) -> None:
    _look(browser, scheme, 375)
    browser.get(page)
    _drawn(browser, scheme)
    browser.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    width, window = browser.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert width <= window == 375
    rights = "return [...document.querySelectorAll('.chart svg')].map((s) => s.getBoundingClientRect().right)"
    assert max(browser.execute_script(rights)) <= 375


def test_of_many_students_each_can_be_chosen(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One chart at a time, with the domain that was chosen before; of quick choices the last one counts."""
    folder = tmp_path_factory.mktemp("many")
    run = small_run(folder / "run", topology="complete", nodes=13, methods=("sdpo",))
    write_page(run, stored_results(run.directory), folder / "many.html")
    _look(chromium, "light", 1200)
    chromium.get_log("browser")
    chromium.get((folder / "many.html").as_uri())
    _drawn(chromium, "light")
    drawn = "return document.querySelector('.chart[data-section=trajectories]').outerHTML"
    Select(chromium.find_element(By.CSS_SELECTOR, "[data-signal=domain]")).select_by_visible_text("chemistry")
    student = Select(chromium.find_element(By.CSS_SELECTOR, "[data-figure=trajectories]"))
    student.select_by_visible_text("s4")
    student.select_by_visible_text("s13")
    _until(lambda: "Validation scores of s13 by step" in chromium.execute_script(drawn))
    svg = chromium.execute_script(drawn)
    assert svg.count("<svg") == 1
    assert "domain: chemistry" in svg
    assert "domain: physics" not in svg
    assert chromium.get_log("browser") == []


def test_a_live_page_loads_itself_again_and_keeps_its_readers_place(
    chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("live")
    run = small_run(folder / "run")
    (run.directory / "results.json").unlink()
    write_live(run, folder / "live.html", reload=2)
    _look(chromium, "light", 1200)
    chromium.get_log("browser")
    chromium.get((folder / "live.html").as_uri())
    _drawn(chromium, "light")
    assert len(_all(chromium, ".chart svg")) == len(_all(chromium, ".chart")) > 2
    Select(chromium.find_element(By.CSS_SELECTOR, "[data-signal=domain]")).select_by_visible_text("chemistry")
    chromium.execute_script("document.activeElement.blur(); scrollTo({top: 300, behavior: 'instant'})")
    run.journal().note("resumed")
    write_live(run, folder / "live.html", reload=2)
    chromium.execute_script("window.before = true")
    _until(lambda: chromium.execute_script("return window.before === undefined"))
    _drawn(chromium, "light")
    _until(lambda: chromium.execute_script("return scrollY") == 300)
    assert chromium.execute_script("return document.querySelector('[data-signal=domain]').value") == "chemistry"
    assert chromium.get_log("browser") == []
    write_live(run, folder / "live.html")
    _until(lambda: chromium.execute_script("return document.body.dataset.reload") == "")
