"""Calls that build on each other: search, act on the find that a rule describes, use its values in a last call, then report.

`make` sorts the finds by the rule; `solve` reads the request and the results again and compares every find with every other.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.agents._chains import ERRANDS, Errand, finds
from phiforge.data.pipelines.agents._scene import STYLES, arguments, called, choosing, distractors, remark, scene
from phiforge.data.pipelines.agents._toolbox import Args, Request, answer, asides, order, phrase, read
from phiforge.data.rows import Unfit
from phiforge.data.words import listed
from phiforge.records import Message

Find = dict[str, Any]
_TIMES = ("departure", "time", "start")


def make(draw: Draw, level: int) -> Draft:
    style = draw.pick(STYLES)
    where = scene(draw, style)
    long = draw.chance((0, 0.2, 0.5, 0.7, 0.8)[level - 1])
    index = draw.pick([n for n, each in enumerate(ERRANDS[style]) if bool(each.last) == long])
    errand = ERRANDS[style][index]
    today = where.today
    sought = errand.search.draw(draw, today)
    acted = errand.act_says.draw(draw, today, optional=int(level >= 3 and draw.chance(0.6)))
    ended = errand.last_says.draw(draw, today) if errand.last_says else {}
    found = finds(draw, errand.chain, (3, 4, 6, 8, 10)[level - 1], today)
    fits = _fitting(errand, found, acted)
    field, extreme = acted[errand.key].split()
    ranked = sorted(fits, key=lambda find: find[field], reverse=extreme == "max")
    if not ranked or (len(ranked) > 1 and ranked[0][field] == ranked[1][field]):
        raise Unfit
    best = ranked[0]
    text, template, said = _request(draw, errand, sought, acted, ended, today)
    made = {name: value for name, value in acted.items() if name != "limit"} | {errand.key: best[errand.key]}
    calls = [(errand.search, sought), (errand.act, made)]
    if errand.last:
        calls.append((errand.last, _final_args(errand, sought, best, ended)))
    results: list[dict[str, Any]] = [{"found": found}]
    results += [{name: kind.draw(draw, today) for name, kind in tool.gives.items()} for tool, _ in calls[1:]]
    stage = draw.pick(((0, 1, 1), (0, 1, 1, 2), (1, 1, 2), (1, 2, 2, 3), (1, 2, 2, 3))[level - 1])
    stage = min(stage, len(calls))
    messages = [Message("user", text)]
    for (tool, args), result in zip(calls[:stage], results, strict=False):
        messages.append(Message("assistant", remark(draw), tool_calls=[called(tool, args)]))
        messages.append(Message("tool", json.dumps(result, ensure_ascii=False), name=tool.name))
    tools = distractors(draw, where, errand.tools, len(errand.tools) + draw.between(level - 1, 2 * level), near=None)
    definitions = [tool.definition for tool in tools]
    report = ""
    if stage < len(calls):
        due, response = answer([calls[stage]]), Message("assistant", remark(draw), tool_calls=[called(*calls[stage])])
    else:
        due = _words(results[1], best[field])
        report = _report(draw, errand, made, results[1], best, field)
        response = Message("assistant", report)
    steps = [
        lambda: [choosing(draw, errand.search, tools), *arguments(draw, errand.search, sought, said, today), Step("So this one call first.", draw.pick(("What comes after it needs what it finds.", "I cannot choose before I see what there is.")))],
        lambda: [*_choice(draw, errand, found, fits, acted, best), *_acting(draw, errand, made, said, today)],
        lambda: _ending(errand, calls[-1][1], best, sought, said) if errand.last else _done(errand, results, best, field),
        lambda: _done(errand, results, best, field),
    ][stage]()  # fmt: skip
    return Draft(
        messages=messages,
        system=where.system,
        tools=definitions,
        answer=due,
        facts={"request": text, "style": style, "errand": index, "results": results[:stage], "today": where.day},
        template=f"stage {stage} {template}",
        steps=steps,
        given=draw.pick((f"The request: {text}", f"{stage} calls have been made." if stage > 1 else "The user wants several things, one after the other.")),
        check=_check(errand, fits, field, best) if stage == 1 else "",
        response=response,
        verifier="schema",
        verifier_args={"tools": definitions, "loose": True},
    )  # fmt: skip


def _request(
    draw: Draw, errand: Errand, sought: Args, acted: Args, ended: Args, today: date
) -> tuple[str, str, Request]:
    """The request for the whole errand, its phrasing, and how every argument is put."""
    search, said = phrase(draw, errand.search, sought, today)
    act, act_said = phrase(draw, errand.act_says, acted, today)
    one, two = search.said(said), act.said(act_said)
    parts = (
        [order(draw, f"{one} and {two}")]
        if draw.chance(0.6)
        else [order(draw, one), f"{draw.pick(('Then', 'After that,', 'Next,'))} {two}."]
    )
    parts += asides(draw, errand.act_says, act, act_said)
    all_said = {**said, **act_said}
    if errand.last_says:
        last, last_said = phrase(draw, errand.last_says, ended, today)
        parts.append(
            f"{draw.pick(('Finally,', 'When that is done,', 'In the end,', 'Afterwards,'))} {last.said(last_said)}."
        )
        all_said |= last_said
    text = " ".join(parts)
    template = f"{errand.search.family} {errand.search.forms.index(search)} {errand.act_says.forms.index(act)}"
    return text, template, Request(text, template, all_said)  # fmt: skip


def _fitting(errand: Errand, found: list[Find], acted: Args) -> list[Find]:
    """The finds within the stated limit."""
    field, _, _ = errand.chain.limit
    return [find for find in found if "limit" not in acted or find[field] <= acted["limit"]]


def _final_args(errand: Errand, sought: Args, best: Find, ended: Args) -> Args:
    """The arguments of the last call: what is stated, and what the find and the search give."""
    if "category" in ended:
        return {"amount": best["price_eur"], "currency": "EUR", **ended}
    return {**ended, "date": sought["date"], "start": next(best[name] for name in _TIMES if name in best)}


def _words(result: dict[str, Any], value: Any) -> str:
    return json.dumps({"say": [*map(str, result.values()), str(value)]})


_LABELS = {
    "price_eur": "price in euros", "menu_price_eur": "price of a menu in euros", "age_days": "age in days", "metres_to_centre": "distance to the centre in metres", "range_km": "range in kilometres",
    "km": "distance in kilometres", "minutes": "duration in minutes", "waiting_minutes": "waiting time in minutes", "changes": "number of changes", "reviews": "number of reviews", "delivery_days": "delivery time in days",
    "walk_minutes": "walk in minutes", "votes": "number of votes", "comments": "number of comments", "kilobytes": "size in kilobytes", "days_since_change": "number of days since the last change", "pages": "number of pages",
    "seats_left": "number of free seats", "seats": "number of seats", "boot_litres": "size of the boot in litres", "days": "delivery time in days", "insured_up_to": "insured sum in euros",
}  # fmt: skip


def _report(draw: Draw, errand: Errand, made: Args, result: dict[str, Any], best: Find, field: str) -> str:
    shown = {name: value for name, value in {**made, **result}.items() if not isinstance(value, dict)}
    told = errand.act.reply.format(**shown)
    told = draw.pick(("", "", "Done. ", "All done. ", "It worked. ")) + told[0].upper() + told[1:]
    more = draw.pick(("The {} is {}.", "For the record, the {} is {}.", "What decided was the {}: {}."))
    return f"{told} {more.format(_LABELS.get(field, field), best[field])}"


def _choice(draw: Draw, errand: Errand, found: list[Find], fits: list[Find], acted: Args, best: Find) -> list[Step]:
    """How the find is chosen: those within the limit, their values, the least or the most."""
    field, extreme = acted[errand.key].split()
    steps: list[Step] = []
    if "limit" in acted:
        limited = errand.chain.limit[0]
        out = [str(find[errand.key]) for find in found if find not in fits]
        say = f"Out: {listed(out)}." if out else "All of them are within it."
        steps.append(
            Step(
                say,
                f"At most {acted['limit']} for `{limited}`: "
                + ", ".join(f"{find[errand.key]} has {find[limited]}" for find in found)
                + ".",
            )
        )
    values = ", ".join(f"{find[errand.key]} {find[field]}" for find in fits)
    others = [find for find in found if find is not best]
    wrong = draw.pick(others) if others else None
    slip = None
    if wrong is not None:
        reason = (
            f"it has {wrong[field]}, and {best[errand.key]} has {best[field]}"
            if wrong in fits
            else "it is beyond the limit"
        )
        slip = Slip(f"That would be {wrong[errand.key]}.", f"But {reason}.")
    words = ("earliest", "latest") if field in _TIMES else ("smallest", "largest")
    word = words[extreme == "max"]
    steps.append(Step(f"The {word} is {best[field]}, so it is {best[errand.key]}.", f"By `{field}`: {values}.", slip))
    return steps  # fmt: skip


def _acting(draw: Draw, errand: Errand, made: Args, said: Request, today: date) -> list[Step]:
    stated = {name: value for name, value in made.items() if name != errand.key}
    call = Step(
        f"Now `{errand.act.name}` with `{errand.key}` = {json.dumps(made[errand.key])}.",
        f"It is there to {errand.act.does}.",
    )
    return [call, *arguments(draw, errand.act, stated, said, today)]  # fmt: skip


def _ending(errand: Errand, args: Args, best: Find, sought: Args, said: Request) -> list[Step]:
    """How the arguments of the last call are found."""
    assert errand.last
    steps = [Step(f"What remains is `{errand.last.name}`.", "The search and the booking are done.")]
    for name, value in errand.last.ordered(args).items():
        if name in said.said and name not in ("date", "start"):
            because = "This is stated in the request."
        elif name == "currency":
            because = "Prices are in euros."
        elif name == "date":
            because = "It is the day that was searched."
        else:
            because = f"This is the `{next(each for each in best if best[each] == value)}` of {best[errand.key]}."
        steps.append(Step(f"`{name}` = {json.dumps(value, ensure_ascii=False)}.", because))
    return steps


def _done(errand: Errand, results: list[dict[str, Any]], best: Find, field: str) -> list[Step]:
    codes = listed([f"{name} {value}" for name, value in results[1].items()])
    return [
        Step("Nothing is left to call.", "Everything that was asked for has come back with a result."),
        Step(f"To report: {codes}, and `{field}` of {best[errand.key]}, {best[field]}.", "The user should know what came of it."),
    ]  # fmt: skip


def _check(errand: Errand, fits: list[Find], field: str, best: Find) -> str:
    rest = [str(find[field]) for find in fits if find is not best]
    return f"{best[field]} against {listed(rest)}: right." if rest else f"{best[errand.key]} is the only one left."


def solve(facts: dict[str, Any]) -> str:
    """Read what is wanted out of the request, and what is there out of the results; compare each find with all others."""
    errand = ERRANDS[facts["style"]][facts["errand"]]
    today, request, results = date.fromisoformat(facts["today"]), facts["request"], facts["results"]
    sought, acted = read(errand.search, request, today), read(errand.act_says, request, today)
    if sought is None or acted is None:
        return "not understood"
    if not results:
        return answer([(errand.search, sought)])
    rule, limit = acted.pop(errand.key), acted.pop("limit", None)
    field, extreme = rule.rsplit(" ", 1)
    sign = 1 if extreme == "max" else -1
    rank = {name: n for n, name in enumerate(sorted({str(f[field]).zfill(9) for f in results[0]["found"]}))}
    possible = [f for f in results[0]["found"] if limit is None or not f[errand.chain.limit[0]] > limit]
    best = next(
        f
        for f in possible
        if all(sign * rank[str(f[field]).zfill(9)] >= sign * rank[str(g[field]).zfill(9)] for g in possible)
    )
    if len(results) == 1:
        return answer([(errand.act, {**acted, errand.key: best[errand.key]})])
    if errand.last and errand.last_says and len(results) == 2:
        ended = read(errand.last_says, request, today) or {}
        if "category" in ended:
            return answer([(errand.last, {"amount": best["price_eur"], "currency": "EUR", **ended})])
        start = next(value for value in best.values() if isinstance(value, str) and value[2:3] == ":")
        return answer([(errand.last, {**ended, "date": sought["date"], "start": start})])
    return json.dumps({"say": [*(str(value) for value in results[1].values()), str(best[field])]})  # fmt: skip


PIPELINE = Solver(make, solve, knobs="level: 3 to 10 finds to choose from, limits, a third call, tools on offer; cut before or after any call", verifier="schema")  # fmt: skip
