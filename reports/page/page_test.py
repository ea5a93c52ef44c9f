"""The report page as a browser sees it: nothing captured runs or is fetched, everything can be read, found, linked to and printed.

    page_test.py REHEARSE

renders the golden documents with that program and opens them in headless Chromium.
"""
import copy
import html
import http.server
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
from browser import Browser  # noqa: E402

REHEARSE = None


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def golden(name):
    return json.loads(text_of(os.path.join(HERE, "..", "golden", name)))


class Listener:
    """An HTTP server that counts what asks for anything at all."""

    def __enter__(self):
        asked = self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                self.send_response(200)
                self.end_headers()

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


# Each way that a text has of becoming more than text. canary() is what the page must never call, URL what it must never ask for.
PAYLOADS = """\"'><script>canary(N)</script><img src=URL/img onerror=canary(N)><svg onload=canary(N)></svg></script><script>canary(N)</script>
</style><style>@import url(URL/css);*{background:url(URL/bg)}</style><link rel=stylesheet href=URL/link><script src=URL/src></script>
<iframe srcdoc="<script>parent.canary(N)</script>"></iframe><iframe src=URL/frame></iframe><object data=URL/object></object>
<base href=URL/base/><form action=URL/form><input autofocus onfocus=canary(N)></form><details open ontoggle=canary(N)></details>
<a href="javascript:canary(N)">x</a>' onmouseover='canary(N)' style='background:url(URL/style)' x=' --><!-- ]]> ${canary(N)} {{canary(N)}}
<video><source src=URL/video onerror=canary(N)></video><template shadowrootmode=open><script>canary(N)</script></template>&lt;script&gt;canary(N)&lt;/script&gt;"""
REFRESH = "<meta http-equiv=refresh content='0;url=URL/refresh'>"


def planted(document, url, payload):
    """The document with the payload in every text but verdicts, which are read as what they are; and how many it was planted in."""
    places = 0

    def walk(value):
        nonlocal places
        if isinstance(value, dict):
            return {key: each if key == "verdict" else walk(each) for key, each in value.items()}
        if isinstance(value, list):
            return [walk(each) for each in value]
        if isinstance(value, str) and value:
            places += 1
            return payload.replace("URL", url).replace("N", str(places))
        return value

    return walk(document), places


# Everything a reader could do to a page, done to each element.
TOUCH_EVERYTHING = """(async () => {
  document.querySelectorAll('details').forEach((element) => { element.open = true; });
  for (const kind of ['mouseover', 'mouseenter', 'mousedown', 'focus', 'toggle', 'input', 'error', 'load'])
    document.querySelectorAll('body *').forEach((element) => element.dispatchEvent(new Event(kind, {bubbles: false})));
  document.querySelectorAll('a').forEach((link) => link.click());
  document.querySelectorAll('form').forEach((form) => form.requestSubmit());
  const words = document.querySelector('input[type=search]');
  if (words) { words.value = '<img src=x onerror=canary(0)>'; words.dispatchEvent(new Event('input', {bubbles: true})); }
  window.dispatchEvent(new Event('beforeprint'));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await new Promise((done) => setTimeout(done, 300));
  return window.ran;
})()"""


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls._folder = tempfile.TemporaryDirectory(prefix="rehearse-page.")
        cls.folder = cls._folder.name
        cls.browser = Browser().__enter__()
        cls.browser.call("Page.addScriptToEvaluateOnNewDocument",
                         source="window.ran = []; window.canary = (n) => { window.ran.push(n); return ''; };")
        cls.failing = cls.rendered(golden("failing.json"), "failing", against=golden("passing.json"))

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        cls._folder.cleanup()

    @classmethod
    def rendered(cls, document, name, against=None):
        """The path of the page that rehearse makes of a document."""
        path = os.path.join(cls.folder, name + ".json")
        extra = []
        for where, what in ((path, document), (path + ".earlier", against)):
            if what is not None:
                with open(where, "w", encoding="utf-8") as file:
                    json.dump(what, file)
        if against is not None:
            extra = ["--against", path + ".earlier"]
        ran = subprocess.run([REHEARSE, "report", path, "-o", os.path.join(cls.folder, name), *extra], capture_output=True, check=False)
        assert ran.returncode in (0, 1, 2), ran.stderr
        return os.path.join(cls.folder, name, "report.html")

    def setUp(self):
        self.browser.script(True)
        self.browser.look()

    def open(self, path, fragment=""):
        self.browser.open("about:blank")
        self.browser.open("file://" + path + fragment)

    # --- what was captured stays text -------------------------------------------------------------------------------------

    def what_happens(self, page, listener, touched=True):
        path = os.path.join(self.folder, "scratch.html")
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
        listener.asked.clear()
        self.open(path)
        wait = "new Promise((done) => setTimeout(() => done(window.ran), 500))"
        ran = self.browser.run(TOUCH_EVERYTHING if touched else wait)
        return ran, list(listener.asked)

    def test_nothing_captured_runs_and_nothing_is_fetched(self):
        with_since = json.loads(text_of(os.path.join(self.folder, "failing", "report.json")))
        self.assertTrue(with_since["since"]["findings"])
        with Listener() as listener:
            document, places = planted(with_since, listener.url, PAYLOADS + REFRESH)
            self.assertGreater(places, 250, "the document has texts of every kind")
            page = text_of(self.rendered(document, "hostile"))
            self.assertGreater(len(set(re.findall(r"canary\((\d+)\)", page))), 200, "and the page shows them")
            self.assertEqual(self.what_happens(page, listener), ([], []))
            self.assertEqual(self.browser.errors(), [], "nothing even tried")
            self.assertEqual(self.browser.requests(), [])
            # Neither protection leans on the other.
            without_policy = re.sub(r"<meta http-equiv=Content-Security-Policy[^>]*>", "", page)
            self.assertEqual(self.what_happens(without_policy, listener), ([], []))

    def test_the_policy_alone_would_stop_it_and_without_both_it_is_noticed(self):
        with Listener() as listener:
            document, _ = planted(golden("failing.json"), listener.url, PAYLOADS)
            page = text_of(self.rendered(document, "hostile-2"))
            head, body = page.split("<main", 1)
            main, script = body.split("</main>", 1)
            unescaped = head + "<main" + html.unescape(main) + "</main>" + script
            self.assertEqual(self.what_happens(unescaped, listener), ([], []))
            self.assertTrue(self.browser.errors(), "the policy says what it refused")
            without_policy = re.sub(r"<meta http-equiv=Content-Security-Policy[^>]*>", "", unescaped)
            ran, asked = self.what_happens(without_policy, listener, touched=False)
            self.assertTrue(ran, "the detector of scripts works")
            for what in ("/img", "/css", "/link", "/src", "/frame"):
                self.assertIn(what, asked, "the detector of requests works")

    # --- it can be seen -------------------------------------------------------------------------------------------------

    def test_it_complains_of_nothing_and_asks_for_nothing(self):
        for name in ("failing.json", "passing.json"):
            self.open(self.rendered(golden(name), "plain"))
            self.assertEqual(self.browser.errors(), [])
            self.assertEqual(self.browser.requests(), [])

    def test_charts_are_drawn_from_the_tables(self):
        self.open(self.failing)
        self.browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        drawn = self.browser.run("""new Promise((done) => setTimeout(() => done(
            [...document.querySelectorAll('figure[data-chart]')].map((f) => [f.dataset.chart, f.querySelectorAll('svg.chart path, svg.chart circle').length])), 100))""")
        self.assertEqual(sorted({kind for kind, _ in drawn}), ["blocks", "spectrum", "timeline"])
        for kind, marks in drawn:
            self.assertGreater(marks, 2, kind)

    def test_text_and_lines_have_the_contrast_of_wcag_aa(self):
        audit = text_of(os.path.join(HERE, "audit.js"))
        for dark in (False, True):
            for name in ("failing.json", "passing.json"):
                self.browser.look(dark=dark)
                self.open(self.rendered(golden(name), "contrast", against=golden("failing.json")))
                self.browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
                self.browser.run("new Promise((done) => setTimeout(done, 100))")
                found = self.browser.run(audit)
                self.assertGreater(found["looked"], 200)
                self.assertEqual(found["poor"], [], f"dark: {dark}")
        self.browser.run("document.documentElement.style.setProperty('--soft', '#5a5a5a')")
        self.assertTrue(self.browser.run(audit)["poor"], "the measure can tell")

    def test_colours_that_mean_something_are_told_apart_by_the_colour_blind(self):
        style = text_of(os.path.join(HERE, "style.css"))
        for which, block in (("light", style.split("@media")[0]), ("dark", style.split("@media")[1])):
            colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block))
            for one, other in (("legacy", "new"), ("pass", "fail")):
                for kind, matrix in COLOUR_BLIND.items():
                    self.assertGreater(distance(colours[one], colours[other], matrix), 25, (which, kind, one, other))
        self.assertLess(distance("#a06000", "#708000", COLOUR_BLIND["deutan"]), 25, "the measure can tell")

    def test_nothing_is_wider_than_the_screen(self):
        for width in (320, 390, 768, 1280):
            self.browser.look(width=width)
            self.open(self.failing)
            self.browser.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
            self.assertLessEqual(self.browser.run("document.documentElement.scrollWidth"), width)

    def test_without_script_all_of_it_is_there(self):
        self.open(self.failing)
        everything = self.browser.run("document.querySelector('main').textContent.length")
        self.browser.script(False)
        self.open(self.failing)
        self.assertFalse(self.browser.run("document.documentElement.classList.contains('scripted')"))
        closed = self.browser.run("[...document.querySelectorAll('details.figures-as-table')].filter((d) => !d.open).length")
        self.assertEqual(closed, 0, "the tables that charts are drawn from stand open")
        self.assertEqual(self.browser.run("[...document.querySelectorAll('main [hidden]')].map((e) => e.id)"), ["filter"])
        self.assertGreater(self.browser.run("document.querySelector('main').textContent.length"), everything * 0.8)

    def test_on_paper_everything_is_open_and_nothing_is_dark(self):
        self.browser.look(dark=True)
        self.open(self.failing)
        self.browser.run("window.wasOpen = []; window.addEventListener('beforeprint', () => setTimeout(() => {}, 0));"
                         "window.addEventListener('beforeprint', () => { window.wasOpen = document.querySelectorAll('details:not([open]):not(.figures-as-table)').length; })")
        self.assertGreater(len(self.browser.call("Page.printToPDF")["data"]), 10_000)
        self.assertEqual(self.browser.run("window.wasOpen"), 0)
        self.browser.look(dark=True, media="print")
        self.assertEqual(self.browser.run("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)")
        self.assertEqual(self.browser.run("getComputedStyle(document.querySelector('nav')).display"), "none")

    # --- it can be searched, linked to, walked through -----------------------------------------------------------------------

    SHOWN = "[...document.querySelectorAll('[data-item]:not([hidden])')].length"

    def test_a_link_to_a_finding_opens_and_shows_it(self):
        document = golden("failing.json")
        document["results"] = [dict(each, verdict="pass") for each in document["results"]]
        page = self.rendered(document, "link")
        wanted = re.search(r'<li id="(C1-completed-[0-9a-f]{8})"', text_of(page))[1]
        self.open(page, "#" + wanted)
        place = f"document.getElementById('{wanted}')"
        self.assertTrue(self.browser.run(f"{place}.closest('details').open"))
        self.assertTrue(self.browser.run(f"new Promise((done) => setTimeout(() => {{ const b = {place}.getBoundingClientRect();"
                                         " done(b.top >= 0 && b.bottom <= innerHeight); }, 600))"))
        self.assertTrue(self.browser.run(f"document.activeElement === {place}"))

    def test_links_are_the_same_ones_after_another_rehearsal(self):
        again = copy.deepcopy(golden("failing.json"))
        again["started"] = "2026-04-01T00:00:00Z"
        for result in again["results"]:
            for finding in result["findings"]:
                finding["step"] += 17
                finding["observed"] = finding["observed"].replace("1481", "99").replace("12:00:09.118", "13:01:02.003")
                finding["request"] = finding["request"].replace("127.0.0.1:8081", "127.0.0.1:9999")
        ids = [sorted(re.findall(r' id="([^"]+)"', text_of(self.rendered(each, "ids")))) for each in (golden("failing.json"), again)]
        self.assertGreater(len(ids[0]), 20)
        self.assertEqual(ids[0], ids[1])

    def test_the_filter_finds_by_words_verdict_and_section(self):
        self.open(self.failing)
        everything = self.browser.run(self.SHOWN)
        self.assertGreater(everything, 8)
        self.browser.press("/")
        self.assertEqual(self.browser.run("document.activeElement.id"), "words")
        self.browser.call("Input.insertText", text="ACKNOWLEDGED sku-1")
        self.assertEqual(self.browser.run(self.SHOWN), 1)
        self.assertEqual(self.browser.run("document.querySelector('#filter output').textContent"), f"1 of {everything} shown")
        self.browser.press("Escape")
        self.assertEqual(self.browser.run(self.SHOWN), everything)
        self.browser.run("document.querySelector('input[value=fail]').click()")
        self.browser.run("document.querySelector('input[value=pass]').click()")
        self.assertEqual(self.browser.run("[...document.querySelectorAll('[data-item]:not([hidden])')].every((e) => e.dataset.verdict === 'unknown')"), True)
        self.browser.run("document.querySelector('#filter button').click()")
        self.browser.run("(() => { const s = document.querySelector('#filter select'); s.value = 'shadow'; s.dispatchEvent(new Event('input', {bubbles: true})); })()")
        self.assertEqual(self.browser.run("[...document.querySelectorAll('[data-item]:not([hidden])')].every((e) => e.dataset.section.includes('shadow'))"), True)
        self.assertGreater(self.browser.run(self.SHOWN), 1)

    def test_keys_walk_through_what_was_found(self):
        self.open(self.failing)
        self.browser.press("Tab")
        self.assertEqual(self.browser.run("document.activeElement.className"), "skip")
        seen = []
        for key in ("n", "n", "p"):
            self.browser.press(key)
            seen.append(self.browser.run("new Promise((done) => setTimeout(() => done(location.hash.slice(1)), 50))"))
            self.assertEqual(self.browser.run("document.activeElement.id"), seen[-1])
        self.assertEqual(seen[0], seen[2])
        self.assertNotEqual(seen[0], seen[1])
        reached = set()
        for _ in range(60):
            self.browser.press("Tab")
            reached.add(self.browser.run("document.activeElement.tagName"))
        self.assertLessEqual({"A", "SUMMARY"}, reached)


# Machado, Oliveira and Fernandes (2009), severity 1, of linear RGB.
COLOUR_BLIND = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def lab(linear):
    x, y, z = (sum(m * v for m, v in zip(row, linear)) for row in
               ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)))
    fx, fy, fz = (v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x / 0.9505, y, z / 1.089))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one, other, matrix):
    """CIE 1976 difference of two colours as somebody sees them whose sight the matrix says."""
    def seen(colour):
        values = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return lab([min(1, max(0, sum(m * v for m, v in zip(row, linear)))) for row in matrix])

    return sum((a - b) ** 2 for a, b in zip(seen(one), seen(other))) ** 0.5


if __name__ == "__main__":
    REHEARSE = os.path.realpath(sys.argv.pop(1))
    unittest.main()
