"""What of a page is not its text: scripts, navigation, banners, footers, lists of links around the content.

Told by HTML's own words first (`<nav>`, `role`, `hidden`), then by the names that sites give their parts. A name alone never
takes away most of a page, nor anything within code, formulas or a table of data.
"""

from __future__ import annotations

import re
from typing import Any

from phiforge.data.curate.extract.mathml import local

_NEVER = frozenset(
    "script style noscript template nav button input select textarea option iframe frame object embed canvas svg audio video "
    "dialog menu map head link meta base progress meter datalist rp rt".split()
)
_PERHAPS = frozenset("form footer aside header".split())
_ROLES = frozenset(
    "navigation banner contentinfo search dialog alertdialog complementary menu menubar toolbar tablist doc-toc tooltip".split()
)
_WORDS = (
    r"nav|navbar|navigation|navbox|menu|submenu|menubar|sidebar|sphinxsidebar|breadcrumbs?|footer|site-header|masthead|cookies?|cookie-?(?:banner|bar|"
    r"notice|consent|popup)|consent|gdpr|ccpa|share|sharing|social|related|recommended|recommendations|newsletter|subscribe|popup|modal|"
    r"advert|adverts|advertisement|ads|sponsored|promo|toc|toctree-wrapper|table-of-contents|pagination|pager|prev-next|skip|skip-?link|jump-link|"
    r"editsection|edit-?(?:link|button)|noprint|headerlink|permalink|anchor-link|anchorjs-link|copy-?(?:button|btn)|copybtn|tooltip|"
    r"catlinks|printfooter|reflist|comments-area|comment-form|disqus|visually-hidden|sr-only|screen-reader-text|lineno|linenos|linenodiv|hljs-ln-numbers"
)
_NAMED = re.compile(
    rf"(?:[a-z0-9]+[-_]+){{0,2}}(?:{_WORDS})(?:[-_]+(?:bar|list|items?|links?|buttons?|icons?|posts|container|wrapper|box|inner|block|section|menu|area|top|left|right|main))?"
)
_KEPT = re.compile(r"(?:^|[-_])(?:no|with|has|without|is|show|js|content|main|body|page)(?:[-_]|$)")
_MAIN = re.compile(
    r"(?:main-?|page-?|post-?|entry-?|article-?|book-?)?(?:content|body)|markdown-body|main|bodywrapper|maincontent|article"
)
_NOTES = re.compile(
    r"note|footnote|admonition|warning|tip|caution|important|example|definition|theorem|callout|infobox", re.IGNORECASE
)
_ANCHORS = frozenset(["#", "¶", "§", "🔗", "∞"])
_WHOLE = frozenset(["pre", "code", "math", "samp", "kbd"])  # nothing within is looked at
_HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


def content(body: Any) -> Any:
    """The element that holds a page's text, its boilerplate taken out of the tree. `body` changes."""
    sizes = _Sizes(body)
    _prune(body, sizes)
    sizes = _Sizes(body)
    main = _main(body, sizes)
    if main is None:
        _drop_links(body, sizes)
    return body if main is None else main


class _Sizes:
    """Letters and digits of each element, and those of them in links."""

    def __init__(self, root: Any) -> None:
        self.elements = list(root.iter())  # held, so that lxml keeps giving the same objects
        self.text: dict[Any, int] = {}
        self.links: dict[Any, int] = {}
        for element in reversed(self.elements):
            tag = local(element)
            text = links = 0
            if tag and tag not in ("script", "style"):
                text = _letters(element.text)
                for child in element:
                    text += self.text[child] + _letters(child.tail)
                    links += self.links[child]
            self.text[element] = text
            self.links[element] = text if tag == "a" else links

    def only_links(self, element: Any) -> bool:
        return self.text[element] > 0 and self.links[element] > 0.75 * self.text[element]


def _letters(text: str | None) -> int:
    return sum(map(str.isalnum, text)) if text else 0


def drop(element: Any) -> None:
    """Take an element out of its tree; what follows it stays."""
    parent = element.getparent()
    if parent is None:
        return
    tail = element.tail or ""
    before = element.getprevious()
    if before is not None:
        before.tail = (before.tail or "") + tail
    else:
        parent.text = (parent.text or "") + tail
    parent.remove(element)


def _prune(root: Any, sizes: _Sizes) -> None:
    gone: list[Any] = []
    waiting = list(root)
    while waiting:
        element = waiting.pop()
        tag = local(element)
        if tag in _WHOLE:
            if tag == "pre":
                gone += [
                    e for e in element.iter() if local(e) in ("button", "style") or "lineno" in " ".join(_names(e))
                ]
            continue
        if tag and _is_boilerplate(element, tag, sizes, sizes.text[root]):
            gone.append(element)
        else:
            waiting += element
    for element in gone:
        drop(element)


def _names(element: Any) -> list[str]:
    told: str = element.get("class") or ""
    return told.lower().split()


def _is_boilerplate(element: Any, tag: str, sizes: _Sizes, total: int) -> bool:
    if tag == "script":
        return not (element.get("type") or "").startswith("math/")
    if tag == "textarea" or (tag in _NEVER and not _holds(element, ("main", "article"))):
        return True
    names = _names(element)
    if (
        _HIDDEN.search(element.get("style") or "")
        or element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
    ):
        return not _holds(element, ("math", "script")) and sizes.text[element] < 0.5 * total
    if _holds(element, ("main", "h1")) or "main" in (element.get("role") or ""):
        return False
    if (element.get("role") or "").lower() in _ROLES:
        return not _is_most(element, sizes, total)
    if tag == "a" and (element.get("href") or "").startswith("#") and (element.text or "").strip() in _ANCHORS:
        return not _holds(element, ("math", "img"))
    if tag in ("a", "span") and any(n.endswith(("headerlink", "anchor-link", "permalink")) for n in names):
        return not sizes.text[element]
    if tag in _PERHAPS and not any(map(_NOTES.search, names)):
        alone = tag in ("footer", "aside") or sizes.only_links(element) or not sizes.text[element]
        return alone and not _is_most(element, sizes, total)
    if "header" in names and 2.5 * sizes.links[element] > sizes.text[element]:
        return True  # Next, Previous, Up
    told = [name for name in names if _NAMED.fullmatch(name) and not _KEPT.search(name)]
    mark = (element.get("id") or "").lower()
    if (
        tag not in ("section", "h1", "h2", "h3", "h4", "h5", "h6", "a", "span")
        and _NAMED.fullmatch(mark)
        and not _KEPT.search(mark)
    ):
        told.append(mark)
    return bool(told) and not _is_most(element, sizes, total)


def _holds(element: Any, tags: tuple[str, ...]) -> bool:
    return next(element.iter(*tags), None) is not None


def _is_most(element: Any, sizes: _Sizes, total: int) -> bool:
    """Whether an element is too much of a page's running text to be beside the point."""
    running = sizes.text[element] - sizes.links[element]
    return running > 400 and running > 0.4 * total


def _main(body: Any, sizes: _Sizes) -> Any:
    """What the page calls its main part, if it is much of its text."""
    total = max(1, sizes.text[body])
    for wanted in (
        [e for e in sizes.elements if local(e) == "main" or e.get("role") == "main"],
        [e for e in sizes.elements if local(e) == "article"],
        [e for e in sizes.elements if local(e) in ("div", "section", "td") and _is_called_main(e)],
    ):
        outer = [
            e
            for e in wanted
            if sizes.text.get(e, 0) > 0.3 * total and e.getroottree().getroot() is body.getroottree().getroot()
        ]
        if outer and sizes.text[outer[0]] > (0.3 if local(outer[0]) in ("main", "article") else 0.6) * total:
            return outer[0]
    return None


def _is_called_main(element: Any) -> bool:
    return any(_MAIN.fullmatch(name) for name in [*_names(element), (element.get("id") or "").lower()])


def _drop_links(body: Any, sizes: _Sizes) -> None:
    """Without a main part, lists and boxes go that are links and little else."""
    for element in sizes.elements:
        if local(element) in ("ul", "ol", "div", "table", "p", "dl") and sizes.only_links(element):
            links = sum(1 for _ in element.iter("a"))
            if (
                links >= 3
                and sizes.text[element] < 0.5 * sizes.text[body]
                and not _holds(element, ("pre", "math", "h1"))
            ):
                drop(element)
