"""How quick the report's live figure is in a headless browser: `python tests/page_speed.py`.

Interactive: seconds from the request for the page until the figure can be used. Images: new places
of the slider shown a second while it is dragged without a pause; each is three images. Certainty:
milliseconds from a move of the slider until the judge's readings of the new place are shown.
"""

import statistics

import browsing
from playwright.sync_api import Page

from problemset import workspace

DRAG = """async (seconds) => {
  const root = document.getElementById("live"), slider = document.getElementById("live-t");
  let shown = 0, place = 0;
  const watch = new MutationObserver((changes) => { shown += changes.length; });
  watch.observe(root, { attributeFilter: ["data-shown"] });
  const began = performance.now();
  while (performance.now() - began < 1000 * seconds) {
    slider.value = place = (place + 7) % 1000;
    slider.dispatchEvent(new Event("input"));
    await new Promise(requestAnimationFrame);
  }
  return 1000 * shown / (performance.now() - began);
}"""
MOVE = """async (place) => {
  const root = document.getElementById("live"), slider = document.getElementById("live-t");
  const began = performance.now();
  slider.value = place;
  slider.dispatchEvent(new Event("input"));
  while (root.dataset.read !== String(place)) await new Promise((resolve) => setTimeout(resolve));
  return performance.now() - began;
}"""


def measure(page: Page, seconds: float = 3) -> dict[str, float]:
    """Measure on a page that was just opened."""
    page.locator("#live[data-ready]").wait_for()
    ready = page.evaluate("Number(document.getElementById('live').dataset.ready) / 1000")
    page.locator("#live[data-strips=done]").wait_for()
    page.locator("#live[data-asked]").wait_for()
    page.locator("#live-t").scroll_into_view_if_needed()
    images = page.evaluate(DRAG, seconds)
    waits = []
    for place in range(50, 1000, 95):
        page.wait_for_timeout(200)
        waits.append(page.evaluate(MOVE, place))
    return {
        "interactive_seconds": ready,
        "images_a_second": images,
        "certainty_milliseconds": statistics.median(waits),
        "slowest_certainty_milliseconds": max(waits),
    }


def main() -> None:
    """Print the measurements."""
    options = {**browsing.WIDE, "reduced_motion": "reduce"}
    file = workspace.build_dir() / "report.html"
    with browsing.running() as browser, browsing.opened(browser, file, **options) as opened:
        for name, value in measure(opened.page).items():
            print(f"{name:32}{value:8.1f}")


if __name__ == "__main__":
    main()
