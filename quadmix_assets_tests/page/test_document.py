from quadmix_assets.page.document import Section, page_html, read_made_from
from quadmix_assets_tests.page.reader import read_page

HOSTILE = '"><script>alert(1)</script>'
VERSIONS = {"quadmix": "f172d85dffa2", HOSTILE: '"<&'}


def test_a_page_has_its_sections_and_a_list_of_them() -> None:
    sections = [
        Section("one", HOSTILE, "<p>1</p>"),
        Section("empty", "left out", ""),
        Section("two", "Second", "<p>2</p>"),
    ]
    html = page_html(HOSTILE, "<p>about</p>", sections, VERSIONS)
    page = read_page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.problems == [] and page.loaded() == []
    assert page.all("title")[0].text == page.all("h1")[0].text == HOSTILE
    assert [each.attributes["href"] for each in page.all("a")] == ["#one", "#two"]
    assert [each.text for each in page.all("h2")] == [HOSTILE, "Second"]
    (policy,) = page.all("meta", http_equiv="") or page.all(
        "meta", **{"http-equiv": "Content-Security-Policy"}
    )
    assert "default-src 'none'" in policy.attributes["content"]
    assert page.all("html")[0].attributes["lang"] == "en"


def test_what_a_page_shows_is_read_back() -> None:
    assert read_made_from(page_html("t", "", [], VERSIONS)) == VERSIONS
    assert read_made_from("<html></html>") == {}


def test_a_page_is_for_light_and_dark_and_for_paper() -> None:
    (style,) = read_page(page_html("t", "", [], {})).all("style")
    for words in ("prefers-color-scheme: dark", "@media print", "color-scheme: light dark"):
        assert words in style.text
