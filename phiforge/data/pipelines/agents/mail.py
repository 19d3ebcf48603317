"""Mail triage: an inbox, and rules in the system message by which mails are labelled, ranked, forwarded and answered.

`make` applies the rules to the mails as they were made; `solve` reads inbox and rules out of the texts again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._inbox import DOMAINS, LAYOUTS, Mail, mails, read, shown
from phiforge.data.pipelines.agents._scene import BOXES, STYLES, called, distractors, named, remark, scene
from phiforge.data.pipelines.agents._toolbox import Args, Tool, answer
from phiforge.data.pipelines.agents._toolbox import Param as P
from phiforge.data.pipelines.agents._values import Choice, Code, Email, Int, Phrase
from phiforge.data.words import WEEKDAYS, count
from phiforge.records import Message

_ID = P(Code("M-###"), "mail", "Id of the mail.")
_LABELS = ("pay", "approve", "team", "later", "read", "jobs", "press", "private", "logistics", "service", "follow-up", "archive", "check", "office")  # fmt: skip
_TEMPLATES = ("accept", "decline", "received", "more_details", "sorry", "forwarded", "please_wait")
_BOXES_TO = ("billing", "jobs", "sales", "support", "warehouse", "reception", "legal", "events")


def _tool(name: str, about: str, need: dict[str, P], may: dict[str, P] | None = None) -> Tool:
    return Tool(name, "mail", about, need, may or {}, (), {}, "")


_TOOLS = (
    _tool("list_inbox", "List the mails in the inbox.", {}, {"limit": P(Int(5, 50, 1, 100), "limit", "How many mails at most.")}),
    _tool("label_mail", "Put a label on a mail.", {"mail_id": _ID, "label": P(Phrase(("x",)), "label", "The label.")}),
    _tool("set_priority", "Set the priority of a mail.", {"mail_id": _ID, "priority": P(Choice({"high": (), "normal": (), "low": ()}), "priority", "The priority.")}),
    _tool("forward_mail", "Forward a mail.", {"mail_id": _ID, "to": P(Email(), "address", "Where it goes.")}),
    _tool("reply_with_template", "Answer a mail with a prepared text.", {"mail_id": _ID, "template": P(Choice(dict.fromkeys(_TEMPLATES, ())), "template", "Which text.")}),
)  # fmt: skip
_STYLED = {style: {tool.name: tool.called(named(tool, style)) for tool in _TOOLS} for style in sorted(set(STYLES))}

_KIND_SAYS = {
    "invoice": ("Invoices", "an invoice"), "meeting": ("Requests for a meeting", "a request for a meeting"), "question": ("Requests for information", "a request for information"), "newsletter": ("Newsletters", "a newsletter"),
    "application": ("Job applications", "a job application"), "parcel": ("Notices about parcels", "a notice about a parcel"), "complaint": ("Complaints", "a complaint"), "thanks": ("Mails that only say thanks", "a word of thanks"),
}  # fmt: skip
_KIND_OF = {said: kind for kind, (said, _) in _KIND_SAYS.items()}


class Mode(NamedTuple):
    """One thing to be done with mails: its tool, its argument, and how rules and thoughts speak of it."""

    tool: str
    parameter: str
    title: str
    rules: tuple[str, ...]
    ask: tuple[str, ...]


_MODES = {
    "label": Mode("label_mail", "label", "Labels", ('{cond}: label "{value}".', '{cond} get the label "{value}".', '{cond} are labelled "{value}".'), ("Please label my inbox by the rules.", "Sort the inbox: put the right label on every mail that gets one.", "Give each mail its label.", "Go through my mails and label them.")),
    "priority": Mode("set_priority", "priority", "Priorities", ("{cond}: {value} priority.", "{cond} have {value} priority.", "{cond} get {value} priority."), ("Please set the priorities in my inbox.", "Rank my mails by the rules.", "Which mails matter? Set their priorities.", "Set the priority of each mail that has one by the rules.")),
    "forward": Mode("forward_mail", "to", "Forwarding", ("{cond}: forward to {value}.", "{cond} go to {value}.", "{cond} are forwarded to {value}."), ("Please forward what others have to deal with.", "Pass the mails on to where they belong.", "Forward my mails by the rules.", "Some of these mails are not for me. Forward them.")),
    "reply": Mode("reply_with_template", "template", "Replies", ('{cond}: answer with the template "{value}".', '{cond} are answered with the template "{value}".', '{cond} get the template "{value}" as an answer.'), ("Please answer what needs a reply.", "Answer my mails with the templates.", "Reply to every mail that the rules say needs a reply.", "Clear my inbox: answer whatever needs an answer.")),
}  # fmt: skip
_REST = ("Everything else stays as it is.", "Nothing is done with the other mails.", "Leave all other mails alone.")
_FIRST = (
    "If several rules fit, the first one counts.",
    "The first rule that fits decides.",
    "Only the first fitting rule is applied to a mail.",
)
_NOTHING = (
    "By the rules, nothing has to be done with these mails.",
    "No rule applies to any of these mails, so I leave them as they are.",
)


class Rule(NamedTuple):
    """A condition, with what it compares with, and the value for mails that meet it."""

    test: str
    than: Any
    value: str


def make(draw: Draw, level: int) -> Draft:
    style = draw.pick(STYLES)
    where = scene(draw, style)
    inbox = mails(draw, where.today, draw.between(*((2, 3), (3, 5), (4, 6), (6, 9), (8, 12))[level - 1]))
    modes = draw.sample(list(_MODES), 2 if level >= 4 and draw.chance(0.6) else 1)
    rules = {mode: _rules(draw, mode, inbox, where.today, (2, 3, 3, 4, 5)[level - 1], level) for mode in modes}
    written = {mode: _written(draw, mode, rules[mode], titled=len(modes) > 1) for mode in modes}
    tools = _STYLED[style]
    calls: list[tuple[Tool, Args]] = []
    steps: list[Step] = []
    for mode in modes:
        found, seen = _applied(draw, mode, rules[mode], inbox, where.today)
        steps += (
            [Step(f"{_MODES[mode].title} first." if mode == modes[0] else f"Now the {_MODES[mode].title.lower()}.")]
            if len(modes) > 1
            else []
        )
        steps += seen
        calls += [
            (tools[_MODES[mode].tool], {"mail_id": mail.id, _MODES[mode].parameter: value}) for mail, value in found
        ]
    layout = draw.pick(LAYOUTS)
    text = shown(layout, inbox)
    asked = " ".join(draw.pick(_MODES[mode].ask) for mode in modes)
    if layout == "json":
        messages = [
            Message("user", asked),
            Message("assistant", remark(draw), tool_calls=[called(tools["list_inbox"], {})]),
            Message("tool", text, name=tools["list_inbox"].name),
        ]
    else:
        messages = [
            Message(
                "user",
                draw.pick((f"{asked}\n\n{text}", f"{text}\n\n{asked}", f"Here is my inbox.\n\n{text}\n\n{asked}")),
            )
        ]
    others = [
        tool
        for tool in distractors(draw, where, [BOXES[style][0]], 1 + draw.between(1, 2 * level), near=0.0)
        if tool.domain not in ("mail", "messages")
    ]
    definitions = [tool.definition for tool in draw.shuffled([*tools.values(), *others])]
    return Draft(
        messages=messages,
        system="\n".join([where.system, *written.values()]),
        tools=definitions,
        answer=answer(calls),
        facts={"inbox": text, "layout": layout, "rules": written, "style": style, "today": where.day},
        template=f"{' '.join(modes)} {layout} {' '.join(rule.test for rule in rules[modes[0]])}",
        steps=steps,
        given=draw.pick((f"There are {count(len(inbox), 'mail')}; I hold each against the rules, from the first on.", f"I go through {count(len(inbox), 'mail')}, one after the other, and take the first rule that fits.")),
        check=draw.pick((f"{count(len(calls), 'call')} for {count(len(inbox), 'mail')}; every mail was looked at.", "The ids are those of the inbox, and no mail was skipped.")),
        response=Message("assistant", remark(draw) if calls else draw.pick(_NOTHING), tool_calls=[called(tool, args) for tool, args in calls]),
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )  # fmt: skip


def _rules(draw: Draw, mode: str, inbox: list[Mail], today: date, n: int, level: int) -> list[Rule]:
    """`n` different rules, most of which fit some mail."""
    values = {
        "label": _LABELS,
        "priority": ("high", "normal", "low"),
        "forward": tuple(f"{box}@office.example.com" for box in _BOXES_TO),
        "reply": _TEMPLATES,
    }[mode]
    chosen = draw.sample(values, n) if n <= len(values) else [draw.pick(values) for _ in range(n)]
    made: dict[str, Rule] = {}
    for value in chosen:
        for _ in range(12):
            test, than = _condition(draw, draw.pick(inbox), today, level)
            phrase = _says(test, than)
            if phrase not in made:
                made[phrase] = Rule(test, than, value)
                break
    general = [rule for rule in made.values() if rule.test == "kind"]
    return [rule for rule in made.values() if rule.test != "kind"] + general  # fmt: skip


def _condition(draw: Draw, mail: Mail, today: date, level: int) -> tuple[str, Any]:
    """A condition that this mail meets, or nearly meets."""
    options: list[tuple[str, Any]] = [("kind", mail.kind), ("kind", mail.kind)]
    if level >= 2:
        options += [("domain", mail.domain), ("attachment", None), ("urgent", None)]
    if level >= 3:
        options += [("sender", mail.name), ("older", draw.between(3, 9))]
    if mail.kind == "invoice":
        options += [
            ("amount", max(50, mail.amount // 50 * 50 + draw.pick((-100, -50, 50)))),
            ("due", draw.between(3, 12)),
        ]
    if mail.kind == "meeting" and level >= 2:
        options += [("weekday", WEEKDAYS[date.fromisoformat(mail.day).weekday()])] * 2
    return draw.pick(options)


def _says(test: str, than: Any) -> str:
    """A condition in words."""
    return {
        "kind": lambda: _KIND_SAYS[than][0],
        "domain": lambda: f"Mails from addresses at {than}",
        "attachment": lambda: "Mails with an attachment",
        "urgent": lambda: 'Mails with "urgent" in the subject',
        "sender": lambda: f"Mails from {than}",
        "older": lambda: f"Mails received more than {than} days ago",
        "amount": lambda: f"Invoices of more than {than} euros",
        "due": lambda: f"Invoices due within {than} days",
        "weekday": lambda: f"Requests to meet on a {than}",
    }[test]()


def _meets(mail: Mail, rule: Rule, today: date) -> bool:
    match rule.test:
        case "kind":
            return mail.kind == rule.than
        case "domain":
            return mail.domain == rule.than
        case "attachment":
            return mail.attachments > 0
        case "urgent":
            return mail.subject.startswith("Urgent")
        case "sender":
            return mail.name == rule.than
        case "older":
            return (today - date.fromisoformat(mail.received)).days > rule.than
        case "amount":
            return mail.kind == "invoice" and mail.amount > rule.than
        case "due":
            return mail.kind == "invoice" and (date.fromisoformat(mail.day) - today).days <= rule.than
        case _:
            return mail.kind == "meeting" and WEEKDAYS[date.fromisoformat(mail.day).weekday()] == rule.than


def _evidence(mail: Mail, rule: Rule, today: date) -> str:
    """What in a mail makes a rule fit."""
    kind = _KIND_SAYS[mail.kind][1]
    match rule.test:
        case "kind":
            return f"It is {kind}."
        case "domain":
            return f"The address is {mail.address}."
        case "attachment":
            return f"It has {count(mail.attachments, 'attachment')}."
        case "urgent":
            return f'The subject is "{mail.subject}".'
        case "sender":
            return f"It is from {mail.name}."
        case "older":
            return f"It came on {mail.received}, {(today - date.fromisoformat(mail.received)).days} days ago."
        case "amount":
            return f"The invoice is over {mail.amount} euros, more than {rule.than}."
        case "due":
            return f"The invoice is due on {mail.day}, in {count((date.fromisoformat(mail.day) - today).days, 'day')}."
        case _:
            return f"The meeting would be on {mail.day}, a {rule.than}."


def _written(draw: Draw, mode: str, rules: Sequence[Rule], titled: bool) -> str:
    """The rules as they stand in the system message."""
    form = draw.pick(_MODES[mode].rules)
    lines = [
        f"{n}. {form.format(cond=_says(rule.test, rule.than), value=rule.value)}" for n, rule in enumerate(rules, 1)
    ]
    title = f"{_MODES[mode].title}:" if titled or draw.chance(0.5) else "Rules:"
    return "\n".join([title, *lines, f"{draw.pick(_FIRST)} {draw.pick(_REST)}"])


def _applied(draw: Draw, mode: str, rules: list[Rule], inbox: list[Mail], today: date) -> tuple[list[tuple[Mail, str]], list[Step]]:  # fmt: skip
    """What becomes of every mail, and how one sees that."""
    found: list[tuple[Mail, str]] = []
    steps: list[Step] = []
    for mail in inbox:
        fitting = [(n, rule) for n, rule in enumerate(rules, 1) if _meets(mail, rule, today)]
        if not fitting:
            steps.append(
                Step(f"{mail.id}: no rule fits.", f"{mail.id} is {_KIND_SAYS[mail.kind][1]} from {mail.name}.")
            )
            continue
        n, rule = fitting[0]
        found.append((mail, rule.value))
        slip = Slip(f"{mail.id} falls under rule {fitting[1][0]}: {fitting[1][1].value}.", f"Rule {n} fits as well, and it comes first.") if len(fitting) > 1 else None  # fmt: skip
        steps.append(
            Step(f"{mail.id}: rule {n}, so {_MODES[mode].parameter} {rule.value}.", _evidence(mail, rule, today), slip)
        )
    return found, steps


def solve(facts: dict[str, Any]) -> str:
    """Read the rules and the mails out of their texts, and take for each mail the first rule that fits."""
    inbox = read(facts["layout"], facts["inbox"])
    tools, today = _STYLED[facts["style"]], date.fromisoformat(facts["today"])
    calls: list[tuple[Tool, Args]] = []
    for name, text in facts["rules"].items():
        mode = _MODES[name]
        pattern = "|".join(
            re.escape(form).replace(r"\{cond\}", f"(?P<c{n}>.+?)").replace(r"\{value\}", f"(?P<v{n}>[\\w.@-]+?)")
            for n, form in enumerate(mode.rules)
        )
        rules = [
            [group for group in match.groups() if group]
            for line in text.splitlines()
            if (match := re.fullmatch(rf"\d+\. (?:{pattern})", line))
        ]
        for mail in inbox:
            value = next((value for condition, value in rules if _holds(condition, mail, today)), None)
            if value is not None:
                calls.append((tools[mode.tool], {"mail_id": mail.id, mode.parameter: value}))
    return answer(calls)  # fmt: skip


def _holds(condition: str, mail: Mail, today: date) -> bool:
    """Whether a mail meets a condition that is given in words."""
    if condition in _KIND_OF:
        return _KIND_OF[condition] == mail.kind
    if condition == "Mails with an attachment":
        return bool(mail.attachments)
    if "in the subject" in condition:
        return "urgent" in mail.subject.lower()
    last = condition.split()[-1]
    if last in DOMAINS:
        return mail.address.endswith(f"@{last}")
    if match := re.fullmatch(r"Mails received more than (\d+) days ago", condition):
        return date.fromisoformat(mail.received) < today - timedelta(int(match[1]))
    if match := re.fullmatch(r"Invoices of more than (\d+) euros", condition):
        return mail.kind == "invoice" and mail.amount > int(match[1])
    if match := re.fullmatch(r"Invoices due within (\d+) days", condition):
        return mail.kind == "invoice" and date.fromisoformat(mail.day) <= today + timedelta(int(match[1]))
    if last in WEEKDAYS:
        return mail.kind == "meeting" and date.fromisoformat(mail.day).strftime("%A") == last
    return condition == f"Mails from {mail.name}"


PIPELINE = Solver(make, solve, knobs="level: 2 to 12 mails, 2 to 5 rules in order, one or two things to do with them", verifier="schema")  # fmt: skip
