"""An inbox: mails of several kinds, the layouts in which it is shown, and how mails are read and told apart again."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._kinds import FULL_NAME, PRODUCT
from phiforge.data.pipelines.agents._moments import MONTHS
from phiforge.data.pipelines.agents._values import filled
from phiforge.data.words import WEEKDAYS

LAYOUTS = ("json", "json", "blocks", "headers")
DOMAINS = ("example.com", "example.org", "example.net", "partner.example.com", "shop.example.net", "city.example.org")

_KINDS = {
    "invoice": (("Invoice {no}", "Your invoice", "Bill for {month}", "Payment due"),
                ("Please find the invoice {no} over {amount} euros. It is due on {day}.", "Our invoice {no} comes to {amount} euros and is due on {day}.", "We kindly ask you to pay {amount} euros for invoice {no}, due on {day}.", "For our work in {month} we charge {amount} euros with invoice {no}. It is due on {day}.")),
    "meeting": (("Meeting", "Do you have time?", "A date for us", "Getting together"),
                ("Could we meet on {day} at {time}?", "I would like to meet you on {day} at {time}. Does that suit you?", "Let us meet on {day} at {time} to talk about {thing}. Is that possible?", "Would you be free to meet on {day} at {time}?")),
    "question": (("A question", "About {thing}", "Quick question", "Do you know?"),
                 ("Do you know where {thing} is?", "Who is looking after {thing} this week?", "Can you tell me whether {other} has {thing}?", "How many people come on {weekday}? {other} says {n}.")),
    "newsletter": (("News of the month", "Our offers in {month}", "What is new", "{n} tips for you"),
                   ("Read our {n} tips for {month}. To stop getting this newsletter, unsubscribe here.", "This is our newsletter for {month}: {n} offers only this week. You can unsubscribe at any time.", "In this newsletter: {n} stories from {month}. Unsubscribe with one click.")),
    "application": (("Application", "Position of {job}", "My application as {job}"),
                    ("I would like to apply for the position of {job}. I have {n} years of experience.", "With this mail I apply for the job of {job} that you advertised on {weekday}.", "I am writing to apply as {job}; I could start next week.")),
    "parcel": (("Your parcel", "Delivery", "Parcel {no} is on its way"),
               ("Your parcel {no} has been sent and arrives on {day}.", "Parcel {no} will be delivered on {day} between 8 and {n2} o'clock.", "The parcel {no} could not be handed over and waits at the post office until {day}.")),
    "complaint": (("Complaint", "Not satisfied", "Broken goods", "My order"),
                  ("I want to complain: the {product} that I ordered arrived broken.", "This is a complaint. I have waited {n} days for the {product} and nobody answers.", "I complain about the {product}: they do not work, and I want my money back.")),
    "thanks": (("Thank you", "Thanks!", "Many thanks"),
               ("Thank you for {thing}, it was a great help.", "Many thanks for the evening on {weekday}.", "Just a word of thanks: {other} was delighted.")),
}  # fmt: skip
_JOBS = ("gardener", "bookkeeper", "cook", "driver", "designer", "electrician", "translator", "nurse", "librarian", "carpenter")  # fmt: skip
_BEFORE = ("", "", "", "I hope you are well. ", "Greetings from {who}'s office. ", "It was good to see you on {weekday}. ", "{who} gave me your address. ", "Hello from rainy {place}. ")  # fmt: skip
_AFTER = ("", "", "", " Kind regards.", " {other} sends greetings.", " Have a good week.", " See you soon.", " Best wishes from the whole team.")  # fmt: skip
_PLACES = ("Bergen", "Porto", "Ghent", "Cork", "Graz", "Turin", "Tampere", "Gdansk")


class Mail(NamedTuple):
    """A mail of the inbox. `amount` and `day` are of what it is about: an invoice's sum, a due or meeting day."""

    id: str
    name: str
    address: str
    received: str
    subject: str
    body: str
    attachments: int
    kind: str = ""
    amount: int = 0
    day: str = ""

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]


def _written(draw: Draw, day: date) -> str:
    return draw.pick((f"{WEEKDAYS[day.weekday()]}, {day.day} {MONTHS[day.month - 1]} {day.year}", f"{day.day} {MONTHS[day.month - 1]} {day.year}", str(day)))  # fmt: skip


def mails(draw: Draw, today: date, n: int) -> list[Mail]:
    """`n` mails, the oldest first."""
    ids = draw.sample(range(100, 1000), n)
    received = sorted(draw.between(0, 12) for _ in range(n))[::-1]
    return [_mail(draw, f"M-{id}", today, today - timedelta(ago)) for id, ago in zip(ids, received, strict=True)]


def _mail(draw: Draw, id: str, today: date, received: date) -> Mail:
    kind = draw.pick(tuple(_KINDS))
    name = FULL_NAME.draw(draw, today)
    day = today + timedelta(draw.between(1, 21))
    amount = draw.between(2, 190) * 10 + draw.pick((0, 0, 5))
    month = MONTHS[received.month - 1]
    gaps: dict[str, Any] = {
        "no": draw.between(10_000, 99_999),
        "amount": amount,
        "day": _written(draw, day),
        "month": month,
        "job": draw.pick(_JOBS),
        "product": draw.pick(PRODUCT.words),
        "n2": draw.between(12, 18),
        "place": draw.pick(_PLACES),
    }
    subjects, bodies = _KINDS[kind]

    def fill(text: str) -> str:
        for gap, value in gaps.items():
            text = text.replace(f"{{{gap}}}", str(value))
        return filled(draw, text) if "{" in text else text

    body = fill(draw.pick(_BEFORE) + draw.pick(bodies) + draw.pick(_AFTER))
    subject = ("Urgent: " if draw.chance(0.15) else "") + fill(draw.pick(subjects))
    address = f"{name.replace(' ', '.').lower()}@{draw.pick(DOMAINS)}"
    of_day = str(day) if kind in ("invoice", "meeting", "parcel") else ""
    return Mail(id, name, address, str(received), subject, body, draw.pick((0, 0, 0, 1, 2)), kind, amount if kind == "invoice" else 0, of_day)  # fmt: skip


def shown(layout: str, inbox: list[Mail]) -> str:
    """The inbox as text."""
    if layout == "json":
        return json.dumps({"mails": [{"id": m.id, "from": f"{m.name} <{m.address}>", "received": m.received, "subject": m.subject, "body": m.body, "attachments": m.attachments} for m in inbox]}, ensure_ascii=False)  # fmt: skip
    if layout == "headers":
        return "\n\n".join(f"Id: {m.id}\nFrom: {m.name} <{m.address}>\nReceived: {m.received}\nSubject: {m.subject}\nAttachments: {m.attachments}\n{m.body}" for m in inbox)  # fmt: skip
    return "\n\n".join(f"[{m.id}] {m.name} <{m.address}>, {m.received}, attachments: {m.attachments}\n{m.subject}\n{m.body}" for m in inbox)  # fmt: skip


_HEADERS = re.compile(r"Id: (\S+)\nFrom: (.+) <(.+)>\nReceived: (.+)\nSubject: (.+)\nAttachments: (\d+)\n(.+)")
_BLOCK = re.compile(r"\[(\S+)\] (.+) <(.+)>, (\S+), attachments: (\d+)\n(.+)\n(.+)")
_MARKS = (
    ("newsletter", r"\b[Uu]nsubscribe\b"),
    ("invoice", r"\binvoice \d"),
    ("parcel", r"\b[Pp]arcel \d"),
    ("application", r"\bapply (?:for|as)\b"),
    ("complaint", r"\bcompla(?:in|int)\b"),
    ("meeting", r"\bmeet\b"),
    ("question", r"\?"),
    ("thanks", r"\b[Tt]hank"),
)


def read(layout: str, text: str) -> list[Mail]:
    """The mails that a text shows, with what can be told from their words."""
    plain: list[Mail] = []
    if layout == "json":
        for row in json.loads(text)["mails"]:
            name, address = row["from"].rstrip(">").split(" <")
            plain.append(
                Mail(row["id"], name, address, row["received"], row["subject"], row["body"], row["attachments"])
            )
    elif layout == "headers":
        for id, name, address, received, subject, files, body in _HEADERS.findall(text):
            plain.append(Mail(id, name, address, received, subject, body, int(files)))
    else:
        for id, name, address, received, files, subject, body in _BLOCK.findall(text):
            plain.append(Mail(id, name, address, received, subject, body, int(files)))
    return [_understood(mail) for mail in plain]


def _understood(mail: Mail) -> Mail:
    kind = next(kind for kind, mark in _MARKS if re.search(mark, mail.body))
    amount = re.search(r"(\d+) euros", mail.body)
    written = re.search(rf"(\d+) ({'|'.join(MONTHS)}) (\d{{4}})", mail.body)
    iso = re.search(r"\d{4}-\d\d-\d\d", mail.body)
    day = (
        iso[0] if iso else str(date(int(written[3]), MONTHS.index(written[2]) + 1, int(written[1]))) if written else ""
    )
    return mail._replace(kind=kind, amount=int(amount[1]) if amount else 0, day=day)
