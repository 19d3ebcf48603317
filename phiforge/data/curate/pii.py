"""Personal data in texts, replaced by what kind of thing stood there: "Mail [EMAIL] or call [PHONE]".

What can be checked is checked (IBAN and card numbers by their check digits, addresses by their ranges), and what looks like a
number in a calculation is left alone: phone numbers need a sign of being one. Names of people are not looked for.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Collection

from msgspec import Struct


class Find(Struct, frozen=True):
    """Something personal: its kind, and its place in the text."""

    kind: str
    start: int
    end: int


Check = Callable[[re.Match[str]], bool]


def luhn(digits: str) -> bool:
    """Whether a card number's check digit is right (ISO/IEC 7812)."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def iban(text: str) -> bool:
    """Whether an IBAN has its country's length and right check digits (ISO 13616)."""
    plain = re.sub(r"\s", "", text).upper()
    if _IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


# Length by country, from the SWIFT registry.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BR": 29, "BY": 28, "CH": 21,
    "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24,
    "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29,
    "RO": 24, "RS": 22, "SA": 24, "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24,
    "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def _is_card(match: re.Match[str]) -> bool:
    digits = re.sub(r"\D", "", match.group())
    return len(set(digits)) > 1 and luhn(digits)


def _is_ssn(match: re.Match[str]) -> bool:
    area, group, serial = match.group().split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _is_address(match: re.Match[str]) -> bool:
    """Whether an IP address is one that could be somebody's: not local, not kept for documentation, not a section's number."""
    if re.search(
        r"(?i)(?:section|sec\.|chapter|version|v\.?|release|table|figure|§+)\s*\Z", match.string[: match.start()][-12:]
    ):
        return False
    try:
        return ipaddress.ip_address(match.group()).is_global
    except ValueError:
        return False


def _is_phone(match: re.Match[str]) -> bool:
    number = match.groupdict().get("value") or match.group()
    digits = re.sub(r"\D", "", number)
    if not 7 <= len(digits) <= 15 or len(set(digits)) < 3:
        return False
    return not re.search(r"\d{4}-\d\d-\d\d|(?:19|20)\d\d\s?[-–]\s?(?:19|20)\d\d", number)


def _is_mail(match: re.Match[str]) -> bool:
    name, domain = match.group().lower().rsplit("@", 1)
    return not re.fullmatch(
        r"(?:www\.)?example\.(?:com|org|net|edu)|.*\.(?:example|test|invalid|localhost)", domain
    ) and (name != "git")


def _is_random(match: re.Match[str]) -> bool:
    """Whether a value looks drawn rather than named: letters and digits, many different ones."""
    value = match.group("value")
    mixed = any(map(str.isdigit, value)) and any(map(str.isalpha, value))
    return (
        mixed and len(set(value)) >= 10 and not re.search(r"(?i)example|your|xxxx|placeholder|1234567|\.\.\.", value)
    )


_CITY = r"[A-Z][a-z]+(?: [A-Z][a-z]+){0,2}"
_STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Terrace|Way|Place|Pl)\b\.?"
)
_CALL = r"(?:(?:tele)?phone|tel|mobile|cell|call|fax|whatsapp|text|dial|ring|reach(?: me| us)?)"
_TOKENS = (
    r"sk-(?:proj-|ant-)?[\w-]{20,}|gh[pousr]_\w{30,}|github_pat_\w{40,}|glpat-[\w-]{20,}|A(?:KI|SI)A[A-Z0-9]{16}|AIza[\w-]{35}",
    r"xox[abprs]-[\w-]{10,}|hf_[A-Za-z0-9]{30,}|npm_\w{36}|pypi-[\w-]{50,}|[sr]k_live_\w{20,}|SG\.[\w-]{20,}\.[\w-]{40,}",
    r"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}",
)
_NAMES = ("key", "secret", "token", "passw")
_NO_SUM = r"(?![\w-]|[.,]\d|\s?[*^=/+])"  # after a card number, which in a calculation isn't one


class _Kind(Struct, frozen=True):
    """A pattern, what checks a match, and pieces of which a text has one (in lower case) if it can match at all. A look
    behind stands after the first character, as the search for that one is then quick."""

    kind: str
    pattern: re.Pattern[str]
    check: Check | None = None
    needs: tuple[str, ...] = ()


def _kind(kind: str, pattern: str, check: Check | None = None, needs: tuple[str, ...] = ()) -> _Kind:
    return _Kind(kind, re.compile(pattern, re.DOTALL), check, needs)


# In the order in which they are looked for: what an earlier kind has taken is not looked at again.
_KINDS = [
    _kind("SECRET", r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----.+?-----END (?:[A-Z]+ )*PRIVATE KEY-----"),
    _kind("SECRET", rf"(?<![\w-])(?:{'|'.join(_TOKENS)})"),
    _kind(
        "SECRET",
        r"(?i:(?:key|secret|token|passwd|password)[\"']?\s*(?:[:=]|=>|is)\s*[\"']?)(?P<value>[\w+/=.\-]{16,})",
        _is_random,
        _NAMES,
    ),
    _kind("SECRET", r"://[^\s:/@]{1,64}:(?P<value>[^\s:/@]{3,64})@", None, ("://",)),
    _kind(
        "EMAIL",
        r"[A-Za-z0-9](?<![\w.+-].)[\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b(?!\()",
        _is_mail,
        ("@",),
    ),
    _kind("IBAN", r"[A-Z](?<!\w.)[A-Z]\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b", lambda m: iban(m.group())),
    _kind("CREDIT_CARD", rf"[3-6](?<![\w.,*^+/=-].)\d{{3}}(?:([ -]?)\d{{4}})(?:\1\d{{4}}){{2}}{_NO_SUM}", _is_card),
    _kind("CREDIT_CARD", rf"3(?<![\w.,*^+/=-].)[47]\d{{2}}([ -]?)\d{{6}}\1\d{{5}}{_NO_SUM}", _is_card),
    _kind("SSN", r"\d(?<![\d-].)\d{2}-\d{2}-\d{4}(?![\d-])", _is_ssn),
    _kind("IP", r"\d(?<![\w.].)\d{0,2}\.(?:\d{1,3}\.){2}\d{1,3}(?!\w|\.\d)", _is_address),
    _kind("IP", r"[0-9A-Fa-f](?<![\w:.].)[0-9A-Fa-f]{0,3}:(?:[0-9A-Fa-f]{1,4}:){1,6}(?::?[0-9A-Fa-f]{1,4}){1,6}(?![\w:])", _is_address),
    _kind("PHONE", r"\+(?<![\w+].)\d{1,3}[ .\-/]?(?:\(0?\d{1,5}\)[ .\-/]?)?\d{1,5}(?:[ .\-/]?\d{2,5}){1,4}(?!\w|[.,]\d)", _is_phone),
    _kind("PHONE", r"\((?<![\w(].)\d{3}\) ?\d{3}[-. ]\d{4}(?!\w)", _is_phone),
    _kind("PHONE", r"\d(?<![\w.\-+*/=].)(?:(?<=1)[-. ][2-9]\d{2}|(?<=[2-9])\d{2})([-.])[2-9]\d{2}\1\d{4}(?![\w-]|\.\d)", _is_phone),
    _kind(
        "PHONE",
        rf"(?i:\b{_CALL})(?:[ .:]|\bat\b|\bnumber\b|\bis\b|\bon\b|\bno\b|\bus\b|\bme\b){{1,6}}(?P<value>\(?0?\d[\d ()./\-]{{5,18}}\d)(?!\w)",
        _is_phone,
        ("phone", "tel", "mobile", "cell", "call", "fax", "whatsapp", "text", "dial", "ring", "reach"),
    ),
    _kind(
        "ADDRESS",
        rf"\d(?<!\w.)\d{{0,4}}[A-Za-z]? (?:(?:[NSEW]|North|South|East|West)\.? )?(?:[A-Z][a-z]+|\d{{1,3}}(?:st|nd|rd|th))"
        rf"(?: [A-Z][a-z]+){{0,2}} {_STREET}(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|#)\.? ?\w{{1,5}})?"
        rf"(?:,? {_CITY},? [A-Z]{{2}} \d{{5}}(?:-\d{{4}})?)?",
    ),
    _kind(
        "ADDRESS",
        r"[A-ZÄÖÜ](?<!\w.)[a-zäöüß]{2,20}(?:straße|strasse|str\.|gasse|weg|allee|platz) \d{1,4}[a-z]?(?:, \d{5} [A-ZÄÖÜ][a-zäöüß]+)?",
    ),
    _kind("ADDRESS", r"[Pp](?<!\w.)\.? ?[Oo]\.? [Bb][Oo][Xx] \d{1,6}\b", None, ("box",)),
]  # fmt: skip
KINDS = tuple(dict.fromkeys(kind.kind for kind in _KINDS))


def find(text: str, kinds: Collection[str] = KINDS) -> list[Find]:
    """What personal data a text holds, in order. Where kinds could overlap the surer one is told."""
    found: list[Find] = []
    low = text.lower()
    for kind in _KINDS:
        if kind.kind not in kinds or (kind.needs and not any(piece in low for piece in kind.needs)):
            continue
        group = "value" if "value" in kind.pattern.groupindex else 0
        for match in kind.pattern.finditer(text):
            start, end = match.span(group)
            if (kind.check is None or kind.check(match)) and all(end <= f.start or start >= f.end for f in found):
                found.append(Find(kind.kind, start, end))
    return sorted(found, key=lambda each: each.start)


class Scrub:
    """Replaces personal data by [EMAIL], [PHONE] and so on; `counts` says how often it did."""

    def __init__(self, kinds: Collection[str] = KINDS) -> None:
        if unknown := sorted(set(kinds) - set(KINDS)):
            raise ValueError(f"no kind of personal data {', '.join(unknown)}; there are {', '.join(KINDS)}")
        self.kinds = frozenset(kinds)
        self.counts: Counter[str] = Counter()

    def __call__(self, text: str) -> str:
        """The text without them."""
        parts, done = [], 0
        for each in find(text, self.kinds):
            parts += [text[done : each.start], f"[{each.kind}]"]
            done = each.end
            self.counts[each.kind] += 1
        return "".join([*parts, text[done:]])
