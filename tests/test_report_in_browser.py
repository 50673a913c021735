"""report.html in a real browser without a window: Chromium with Playwright, the extra "browser".

Skipped where Playwright or a Chromium is missing: ``pip install ".[browser]"``, then ``playwright install
chromium`` or the system's own.
"""

import os
import shutil

import numpy as np
import pytest

from nets import pictures
from nets.classification.report import Report
from nets.report import write_report
from nets.runs import Run
from nets.samples import draw_samples

api = pytest.importorskip("playwright.sync_api")

EVIL = '<script>document.title = "broken into"; alert(1)</script><img src=x onerror=alert(2)>'

CONTRASTS = """() => {
    const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        const colour = rgb(getComputedStyle(element).backgroundColor);
        return colour.length < 4 || colour[3] > 0 ? colour : behind(element.parentElement);
    };
    const own = element => [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    return [...document.body.querySelectorAll('*')].filter(own).map(element => {
        const style = getComputedStyle(element);
        const ink = element instanceof SVGElement ? style.fill : style.color;
        const [a, b] = [light(rgb(ink)), light(behind(element))].sort((x, y) => y - x);
        return [element.textContent.trim().slice(0, 30), (a + 0.05) / (b + 0.05)];
    });
}"""
"""Contrast of every text with what is behind it, as WCAG 2.1 defines it; 4.5 is legible."""


@pytest.fixture(scope="module")
def browser():
    found = [shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")]
    options = {"args": ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []}
    with api.sync_playwright() as playwright:
        for executable in (None, *filter(None, found)):
            try:
                chromium = playwright.chromium.launch(executable_path=executable, **options)
            except api.Error:
                continue
            yield chromium
            chromium.close()
            return
        pytest.skip("no Chromium: playwright install chromium")


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The page of a run with everything that a page can have, and names that are not kind."""
    run = Run("nist36-cnn", {"epochs": 12, "lr": 0.01, "data": EVIL, "hold_out": 0.0},
              tmp_path_factory.mktemp("report") / "run")
    for epoch in range(1, 13):
        run.log(epoch=epoch, train_loss=2 / epoch, validation_loss=2 / epoch + 0.25,
                train_accuracy=1 - 0.5 / epoch, validation_accuracy=1 - 0.6 / epoch)
    labels = np.arange(8) % 2
    pictures.confusion(run.path("confusion.png"), np.diag([3, 2]), ["cat", EVIL])
    draw_samples(run.path("samples.png"), np.zeros((8, 8, 8)), labels, np.eye(2)[labels], ("cat", "dog"))
    run.path("model.txt").write_text(f"Layer{' ' * 150}Multiply-adds\n{EVIL}\n")
    Report(EVIL).table(("a", "b"), [(EVIL, "1")]).picture("confusion.png", EVIL).write(run.path("report.md"))
    run.finish(best_accuracy=0.95, best_epoch=12, seconds=1.5, interrupted=False, note=EVIL,
               most_confused=[["O", EVIL, 3]])
    return write_report(run.folder)


@pytest.fixture
def page(browser, report):
    """The report, opened; what the browser complains of or asks for fails the test in the end."""
    page, wrong = browser.new_page(viewport={"width": 1100, "height": 900}), []
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: (wrong.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: request.url[:5] in ("file:", "data:") or wrong.append(request.url))
    page.goto(report.as_uri())
    yield page
    page.close()
    assert wrong == []


def test_everything_is_shown(page):
    assert page.title() == "nist36-cnn"
    assert page.locator(".result").first.inner_text().startswith("best validation accuracy 0.9500")
    images = page.evaluate("() => [...document.images].map(image => [image.naturalWidth, image.width])")
    assert len(images) == 2 and all(natural > 100 and shown > 100 for natural, shown in images)
    for section in page.locator("section").all():
        assert section.is_visible() and section.bounding_box()["height"] > 40
    assert page.evaluate("() => document.scripts.length") == 0


def test_links_lead_to_their_sections(page):
    for link in page.locator("nav a").all():
        link.click()
        place = page.evaluate("() => document.querySelector(location.hash).getBoundingClientRect().top")
        assert -1 < place < 900, link.inner_text()


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_nothing_sticks_out(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    outside = page.evaluate("""() => [...document.querySelectorAll('svg text')].filter(text => {
        const [inner, outer] = [text, text.closest('svg')].map(e => e.getBoundingClientRect());
        return inner.left < outer.left - 1 || inner.right > outer.right + 1
            || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
    }).map(text => text.textContent)""")
    assert outside == []


def test_every_text_can_be_read(page):
    found = page.evaluate(CONTRASTS)
    assert len(found) > 50 and {text for text, contrast in found if contrast < 4.5} == set()


def test_lines_can_be_told_apart_in_black_and_white(page):
    lines = page.evaluate("""() => [...document.querySelectorAll('svg.chart')].map(chart =>
        [...chart.querySelectorAll('path[stroke-width="1.8"]')].map(line => [
            getComputedStyle(line).strokeDasharray, line.nextElementSibling.lastElementChild.tagName,
            line.getTotalLength()]))""")
    assert len(lines) == 2
    for chart in lines:
        drawn = [line for line in chart if line[2] > 50]  # the others are the legend's
        assert len(drawn) == 2 and drawn[0][0] != drawn[1][0] and drawn[0][1] != drawn[1][1]


def test_paper(page, tmp_path):
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible() and page.locator("#curves svg").first.is_visible()
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes()[:5] == b"%PDF-"
