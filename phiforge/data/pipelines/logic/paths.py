"""Paths in maps and networks: shortest ways, fewest changes, who can reach whom, numbers of routes, cheapest networks.

`make` walks outwards from the start; `solve` relaxes lengths, multiplies reachability or tries all ways.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.words import count, listed, people

Edge = tuple[str, str, int]
_UNITS = {"km": "kilometres", "m": "metres", "ms": "milliseconds", "min": "minutes", "euros": "euros"}

_TOWNS = (
    "Aldervik", "Bramley", "Castor", "Dunmore", "Elmstead", "Farrow", "Glenholt", "Harwick", "Innisfall", "Juniper", "Kelmore", "Lorne",
    "Marwood", "Northam", "Oakley", "Pinefield", "Quarry", "Ravensby", "Stonebridge", "Thornbury", "Ulmen", "Vesk", "Wexcombe", "Yarrow",
    "Zell", "Asker", "Bruma", "Calder", "Dorrin", "Estow",
)  # fmt: skip
_ROOMS = (
    "Hall", "Kitchen", "Library", "Study", "Cellar", "Attic", "Tower", "Chapel", "Gallery", "Armoury", "Pantry", "Stable", "Parlour",
    "Vault", "Terrace", "Nursery", "Workshop", "Greenhouse", "Laundry", "Crypt",
)  # fmt: skip
_STATIONS = (
    "Airport", "Arsenal", "Bridge", "Cathedral", "Docks", "Embassy", "Fountain", "Garden", "Harbour", "Infirmary", "Junction", "Kiosk",
    "Lakeside", "Market", "Observatory", "Palace", "Quay", "Riverside", "Stadium", "Theatre", "University", "Viaduct", "Waterworks", "Zoo",
)  # fmt: skip


class Map(NamedTuple):
    """What the places and links of a map are, and how its links are told."""

    tag: str
    places: tuple[str, ...]
    begins: tuple[str, ...]
    link: str
    one_way: str
    unit: str


_MAPS = (
    Map("roads", _TOWNS, ("These roads join some villages", "A map shows these roads", "On an island there are these roads"), "{a}–{b} {n} km", "{a} to {b} only, {n} km", "km"),
    Map("cables", _STATIONS, ("Data travels over these cables, in so many milliseconds", "A network has these links, with delays", "These cables join parts of a city, with their delays"), "{a}–{b} {n} ms", "{a} to {b} only, {n} ms", "ms"),
    Map("trails", _TOWNS, ("Hikers know these trails, with walking times", "These trails cross the hills", "A park has these trails between huts"), "{a}–{b} {n} min", "{a} down to {b} only, {n} min", "min"),
    Map("ferries", _TOWNS, ("Ferries sail between ports, at these prices", "These are the ferry lines and their fares", "A ticket for each of these boats costs"), "{a}–{b} {n} euros", "{a} to {b} only, {n} euros", "euros"),
    Map("trams", _STATIONS, ("A tram net has these stretches, with their times", "These stretches of tram line are open", "Trams run on these stretches"), "{a}–{b} {n} min", "{a} to {b} only, {n} min", "min"),
    Map("corridors", _ROOMS, ("A castle has these corridors, with their lengths", "In an old house these passages join the rooms", "The plan of a fortress shows these passages"), "{a}–{b} {n} m", "{a} to {b} only, {n} m", "m"),
)  # fmt: skip


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_length, _reach),
        (_length, _route, _reach, _hops),
        (_length, _route, _reach, _hops, _routes),
        (_length, _route, _route, _reach, _hops, _routes, _network),
        (_length, _route, _route, _reach, _hops, _routes, _network),
    )
    return draw.pick(kinds[level - 1])(draw, level)


class _Net:
    """Places and links between them, drawn at random."""

    def __init__(self, draw: Draw, level: int, directed: bool, parts: int = 1) -> None:
        self.map = draw.pick(_MAPS)
        self.directed = directed
        n = 4 + level if parts == 1 else 5 + level
        self.places = draw.sample(self.map.places, n)
        self.edges: list[Edge] = []
        groups = [self.places[i::parts] for i in range(parts)]
        for group in groups:
            for i in range(1, len(group)):
                self._link(draw, group[draw.between(max(0, i - 3), i - 1)], group[i])
        for _ in range(2 + level // 2 + (2 if directed else 0)):
            a, b = draw.sample(draw.pick(groups), 2)
            if not any({a, b} == {x, y} for x, y, _ in self.edges):
                self._link(draw, a, b)
        self.after: dict[str, list[tuple[str, int]]] = {place: [] for place in self.places}
        for a, b, length in self.edges:
            self.after[a].append((b, length))
            if not directed:
                self.after[b].append((a, length))

    def _link(self, draw: Draw, a: str, b: str) -> None:
        if self.directed and draw.chance(0.3):
            a, b = b, a
        self.edges.append((a, b, draw.between(2, 19)))

    def told(self, draw: Draw, lengths: bool = True) -> tuple[str, int]:
        form = draw.between(0, 2)
        links = draw.shuffled(self.edges)
        pattern = self.map.one_way if self.directed else self.map.link
        if not lengths:
            pattern = pattern.partition(", {n}")[0].partition(" {n}")[0]
        shown: list[str] = []
        for a, b, n in links:
            if not self.directed and draw.chance(0.5):
                a, b = b, a
            shown.append(pattern.format(a=a, b=b, n=n))
        begins = self.map.begins[form].partition(", with")[0].partition(", in")[0].partition(", at")[0] if not lengths else self.map.begins[form]  # fmt: skip
        if not lengths and self.map.tag == "ferries":
            begins = "These ferry lines exist"
        joined = "; ".join(shown)
        return (
            f"{begins}: {joined}." if form < 2 else f"{begins}:\n" + "\n".join(f"- {each}" for each in shown)
        ), form

    def ways(self) -> str:
        return " One-way links can't be used the other way." if self.directed else ""

    def facts(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "edges": [list(edge) for edge in self.edges], "directed": self.directed, **more}

    def nearest_first(self, start: str, goal: str) -> tuple[list[Step], list[str], int]:
        """Dijkstra's way told as steps; the path and its length."""
        unit = self.map.unit
        best: dict[str, int] = {start: 0}
        via: dict[str, str] = {}
        done: list[str] = []
        steps: list[Step] = []
        while True:
            here = min((place for place in best if place not in done), key=lambda place: best[place])
            done.append(here)
            if here == goal:
                break
            news: list[str] = []
            slip = None
            for there, length in self.after[here]:
                total = best[here] + length
                if there in done:
                    continue
                if there not in best:
                    news.append(f"{there} in {best[here]} + {length} = {total}" if here != start else f"{there} in {length}")  # fmt: skip
                    best[there], via[there] = total, here
                elif total < best[there]:
                    news.append(f"{there} in {best[here]} + {length} = {total}, better than {best[there]}")
                    slip = Slip(f"{there} is reached in {best[there]} already, so leave it.", f"By {here} it is only {total}.")  # fmt: skip
                    best[there], via[there] = total, here
            lead = f"We begin at {start}." if here == start else f"The nearest place not yet finished is {here}, at {best[here]} {unit}."  # fmt: skip
            steps.append(Step(f"From {here}: {'; '.join(news)}." if news else f"From {here} nothing new or better.", lead, slip))  # fmt: skip
        path = [goal]
        while path[-1] != start:
            path.append(via[path[-1]])
        path.reverse()
        legs = " + ".join(str(best[b] - best[a]) for a, b in pairwise(path))
        steps.append(Step(f"Now {goal} is the nearest, at {best[goal]} {unit}. Back along the way it is {' -> '.join(path)}: {legs}{' = ' + str(best[goal]) if len(path) > 2 else ''}."))  # fmt: skip
        return steps, path, best[goal]

    def reach(self, start: str) -> tuple[list[str], list[Step]]:
        """All that can be reached, in rings, and the rings as steps."""
        found, ring, steps = [start], [start], list[Step]()
        while ring:
            new: list[str] = []
            for here in ring:
                new += [there for there, _ in self.after[here] if there not in found and there not in new]
            why = f"Begin at {start}." if ring == [start] else f"Go on from {listed(ring)}."
            if not new:
                steps.append(Step(f"From there nothing new can be reached. In all: {listed(found)}.", why))
                break
            steps.append(Step(f"{'One link' if len(steps) == 0 else count(len(steps) + 1, 'link')} away: {listed(new)}.", why))  # fmt: skip
            found += new
            ring = new
        return found, steps


def _ends(draw: Draw, net: _Net, least: int = 2) -> tuple[str, str]:
    """A start and a goal that is not next to it."""
    for _ in range(12):
        start = draw.pick(net.places)
        rings = net.reach(start)[0]
        near = [there for there, _ in net.after[start]]
        far = [place for place in rings[1:] if place not in near]
        if far:
            return start, draw.pick(far)
    start = next(place for place in net.places if net.after[place])
    return start, net.after[start][0][0]


def _length(draw: Draw, level: int) -> Draft:
    net = _Net(draw, level, directed=level > 2 and draw.chance(0.4))
    start, goal = _ends(draw, net)
    steps, path, total = net.nearest_first(start, goal)
    told, form = net.told(draw)
    unit = net.map.unit
    ask = draw.between(0, 2)
    what = {"km": "length", "m": "length", "ms": "delay", "min": "time", "euros": "price"}[unit]
    question = (
        f"{told}{net.ways()}\n\nWhat is the least {what} of a way from {start} to {goal}, in {_UNITS[unit]}?",
        f"{told}{net.ways()}\n\n{people(draw, 1)[0]} wants to get from {start} to {goal} with the smallest total {what}. How many {_UNITS[unit]} does that make?",
        f"Find the smallest total {what} from {start} to {goal}. {told}{net.ways()}\n\nGive the number of {_UNITS[unit]}.",
    )[ask]
    return Draft(
        question=question,
        answer=str(total),
        facts=net.facts("length", start=start, goal=goal),
        template=f"length {net.map.tag} {net.directed} {form}{ask}",
        steps=steps,
        says=f"The least {what} is {total} {unit}.",
        given=f"From {start} to {goal}; always go on from the place that is nearest so far.",
        check=_unbeaten(net, path, total),
    )


def _unbeaten(net: _Net, path: list[str], total: int) -> str:
    return f"Leg by leg, {', '.join(f'{a} to {b} is a link' for a, b in pairwise(path))}, and every place nearer than {total} has been looked at before."


def _route(draw: Draw, level: int) -> Draft:
    net = _Net(draw, level, directed=draw.chance(0.3))
    start, goal = _ends(draw, net)
    steps, path, total = net.nearest_first(start, goal)
    told, form = net.told(draw)
    ask = draw.between(0, 2)
    how = {"km": "shortest", "m": "shortest", "ms": "fastest", "min": "quickest", "euros": "cheapest"}[net.map.unit]
    like = "Write it as places joined by arrows, A -> B -> C."
    question = (
        f"{told}{net.ways()}\n\nWhat is the {how} way from {start} to {goal}? {like}",
        f"{told}{net.ways()}\n\nGive a {how} way for {people(draw, 1)[0]}, who is going from {start} to {goal}. {like}",
        f"{start} is where you are, {goal} is where you want to be. {told}{net.ways()}\n\nName the places along the {how} way. {like}",
    )[ask]
    graph = {"edges": [list(edge) for edge in net.edges], "from": start, "to": goal, "directed": net.directed, "shortest": True}  # fmt: skip
    return Draft(
        question=question,
        answer=" -> ".join(path),
        facts=net.facts("route", start=start, goal=goal),
        template=f"route {net.map.tag} {net.directed} {form}{ask}",
        steps=steps,
        says=f"The {how} way takes {total} {net.map.unit}.",
        given=f"From {start} to {goal}; always go on from the place that is nearest so far.",
        check=_unbeaten(net, path, total),
        verifier="logic",
        verifier_args={"graph": graph},
    )


def _reach(draw: Draw, level: int) -> Draft:
    directed = draw.chance(0.5)
    net = _Net(draw, level, directed, parts=1 if directed else 2)
    start = draw.pick([place for place in net.places if net.after[place]])
    found, steps = net.reach(start)
    rest = [place for place in net.places if place not in found]
    told, form = net.told(draw, lengths=False)
    ask = draw.between(0, 2)
    tag = f"{net.map.tag} {directed} {form}{ask}"
    if level > 1 and draw.chance(0.4):
        number = len(found) - 1
        question = (
            f"{told}{net.ways()}\n\nHow many other places can be reached from {start}, in any number of steps?",
            f"{told}{net.ways()}\n\n{people(draw, 1)[0]} is at {start}. To how many other places is there a way?",
            f"{told}{net.ways()}\n\nCount the places, other than {start}, that can be got to from {start}.",
        )[ask]
        slip = Slip(f"That is {len(found)}.", f"{start} itself is among them and doesn't count.")
        steps.append(Step(f"Without {start} itself that is {number}.", "", slip))
        return Draft(
            question=question,
            answer=str(number),
            facts=net.facts("reached", start=start),
            template=f"reached {tag}",
            steps=steps,
            says=f"{number} other places can be reached." if number != 1 else "One other place can be reached.",
            given=f"Everything that can be reached from {start} is wanted.",
            check=f"Not reached: {listed(rest) if rest else 'no place at all'}; {len(found)} and {len(rest)} make {len(net.places)} in all.",
        )
    goal = draw.pick(rest if rest and draw.chance(0.55) else found[1:] or rest)
    possible = goal in found
    question = (
        f"{told}{net.ways()}\n\nIs there a way from {start} to {goal}? Answer yes or no.",
        f"{told}{net.ways()}\n\nCan {people(draw, 1)[0]} get from {start} to {goal} on these links? Answer yes or no.",
        f"{told}{net.ways()}\n\nDecide whether {goal} can be reached from {start}: yes or no?",
    )[ask]
    for i, step in enumerate(steps):  # stop at the ring with the goal
        if possible and goal in step.say.partition(": ")[2]:
            steps = steps[: i + 1]
            break
    steps.append(Step(f"{goal} is among them." if possible else f"{goal} is not among them.", "", Slip(f"{goal} has links, so it can be reached.", "They don't lead from anything that can be reached.") if not possible and any(goal in edge for edge in net.edges) else None))  # fmt: skip
    return Draft(
        question=question,
        answer="yes" if possible else "no",
        facts=net.facts("reach", start=start, goal=goal),
        template=f"reach {tag}",
        steps=steps,
        says=f"{goal} {'can' if possible else 'can not'} be reached from {start}.".replace("can not", "cannot"),
        given=f"The question is whether {goal} can be reached from {start}.",
        check=f"No link leads from any of {listed(found)} to another place." if not possible else f"Each of these links is in the list, and {goal} is reached.",
        verifier="choice",
    )  # fmt: skip


def _hops(draw: Draw, level: int) -> Draft:
    net = _Net(draw, level, directed=draw.chance(0.4))
    start, goal = _ends(draw, net)
    _, steps = net.reach(start)
    for i, step in enumerate(steps):
        if goal in step.say.partition(": ")[2]:
            steps = steps[: i + 1]
            break
    hops = len(steps)
    told, form = net.told(draw, lengths=False)
    ask = draw.between(0, 2)
    question = (
        f"{told}{net.ways()}\n\nWhat is the least number of links on a way from {start} to {goal}?",
        f"{told}{net.ways()}\n\n{people(draw, 1)[0]} goes from {start} to {goal} and wants to use as few links as possible. How many are needed?",
        f"{told}{net.ways()}\n\nHow many steps, from place to place, are needed at least from {start} to {goal}?",
    )[ask]
    return Draft(
        question=question,
        answer=str(hops),
        facts=net.facts("hops", start=start, goal=goal),
        template=f"hops {net.map.tag} {net.directed} {form}{ask}",
        steps=[*steps, Step(f"{goal} is reached for the first time after {count(hops, 'link')}.")],
        says=f"At least {count(hops, 'link')} {'is' if hops == 1 else 'are'} needed.",
        given=f"Spread out from {start}, one link at a time, until {goal} is reached.",
        check=f"All places with fewer links from {start} are listed, and {goal} is not among them.",
    )


def _routes(draw: Draw, level: int) -> Draft:
    """Ways through a one-way net without circles."""
    net = _Net(draw, level - 1, directed=True)
    order = {place: i for i, place in enumerate(net.places)}
    net.edges = [(a, b, n) if order[a] < order[b] else (b, a, n) for a, b, n in net.edges]
    net.after = {place: [(b, n) for a, b, n in net.edges if a == place] for place in net.places}
    start, goal = net.places[0], net.places[-1] if draw.chance(0.6) else draw.pick(net.places[2:])
    ways = dict.fromkeys(net.places, 0) | {start: 1}
    steps = [Step(f"{start}: 1 way, namely being there.", "Count for each place in how many ways it can be reached, along the links.")]  # fmt: skip
    for place in net.places[1 : order[goal] + 1]:
        into = [a for a, b, _ in net.edges if b == place]
        ways[place] = sum(ways[a] for a in into)
        parts = " + ".join(str(ways[a]) for a in into)
        slip = Slip(f"{place}: {len(into)}, one for each link.", "Each link brings as many ways as the place it comes from has.") if len(into) > 1 and ways[place] != len(into) else None  # fmt: skip
        if not into:
            steps.append(Step(f"{place}: 0.", f"No link leads to {place}."))
        else:
            steps.append(Step(f"{place}: {parts}{' = ' + str(ways[place]) if len(into) > 1 else ''}.", f"{place} can be entered from {listed(into)}.", slip))  # fmt: skip
    total = ways[goal]
    told, form = net.told(draw, lengths=False)
    ask = draw.between(0, 1)
    question = (
        f"{told}{net.ways()}\n\nIn how many different ways can one get from {start} to {goal}?",
        f"{told}{net.ways()}\n\nHow many different routes lead from {start} to {goal}?",
    )[ask]
    return Draft(
        question=question,
        answer=str(total),
        facts=net.facts("routes", start=start, goal=goal),
        template=f"routes {net.map.tag} {form}{ask}",
        steps=steps,
        says=f"There {'is' if total == 1 else 'are'} {count(total, 'way')}.",
        given=f"All links are one-way, so places can be taken in order from {start} on.",
        check=f"The last step adds up the ways into {goal}; nothing leads back, so no way is counted twice.",
    )


def _network(draw: Draw, level: int) -> Draft:
    """The cheapest choice of links that still joins all places."""
    net = _Net(draw, level, directed=False)
    groups = {place: place for place in net.places}
    total, chosen, steps = 0, list[str](), list[Step]()
    for a, b, n in sorted(net.edges, key=lambda edge: edge[2]):
        if groups[a] == groups[b]:
            steps.append(Step(f"Leave out {a}–{b} ({n}): the two are joined already."))
            continue
        old, new = groups[a], groups[b]
        groups = {place: new if group == old else group for place, group in groups.items()}
        total += n
        chosen.append(str(n))
        steps.append(Step(f"Take {a}–{b} ({n}).", "Begin with the smallest." if len(chosen) == 1 else ""))
        if len(chosen) == len(net.places) - 1:
            break
    steps.append(Step(f"All are joined: {' + '.join(chosen)} = {total}.", f"{len(net.places)} places need {len(chosen)} links.", Slip("Add up all links.", "Not all of them are needed to join the places.")))  # fmt: skip
    told, form = net.told(draw)
    unit, ask = net.map.unit, draw.between(0, 1)
    question = (
        f"{told}\n\nOnly as many links are to be kept as are needed so that every place can still be reached from every other. What is the least possible total of the kept links, in {_UNITS[unit]}?",
        f"{told}\n\n{people(draw, 1)[0]} wants to choose links that join all the places with the smallest total. How many {_UNITS[unit]} is that total?",
    )[ask]
    return Draft(
        question=question,
        answer=str(total),
        facts=net.facts("network"),
        template=f"network {net.map.tag} {form}{ask}",
        steps=steps,
        says=f"The least total is {total} {unit}.",
        given="Take links from the smallest up, leaving out those that join nothing new.",
        check=f"{len(chosen)} links for {len(net.places)} places, without a circle, and each link left out is at least as long as those on the circle it would close.",
    )


# --- the independent solver ------------------------------------------------------------------------------------------


def solve(facts: dict[str, Any]) -> str:
    """Relax the edges until nothing changes, go through all ways, or try all choices of links."""
    kind = facts["kind"]
    edges = [(a, b, n) for a, b, n in facts["edges"]]
    if kind == "network":
        return str(_joined_by_prim(edges))
    arcs = edges if facts["directed"] else edges + [(b, a, n) for a, b, n in edges]
    start = facts["start"]
    if kind == "routes":
        return str(_ways(arcs, start, facts["goal"]))
    weight = 1 if kind in ("hops", "reach", "reached") else 0
    far = {start: 0}
    before: dict[str, str] = {}
    moved = True
    while moved:
        moved = False
        for a, b, n in arcs:
            if a in far and far[a] + (weight or n) < far.get(b, 10**9):
                far[b], before[b] = far[a] + (weight or n), a
                moved = True
    if kind == "reached":
        return str(len(far) - 1)
    goal = facts["goal"]
    if kind == "reach":
        return "yes" if goal in far else "no"
    if kind == "route":
        path = [goal]
        while path[0] != start:
            path.insert(0, before[path[0]])
        return " -> ".join(path)
    return str(far[goal])


def _ways(arcs: list[Edge], here: str, goal: str) -> int:
    return 1 if here == goal else sum(_ways(arcs, b, goal) for a, b, _ in arcs if a == here)


def _joined_by_prim(edges: list[Edge]) -> int:
    """Grow one network from the first place, always by the smallest link that leads out of it."""
    inside, total = [edges[0][0]], 0
    while True:
        out = [n for a, b, n in edges if (a in inside) != (b in inside)]
        if not out:
            return total
        a, b, n = min((e for e in edges if (e[0] in inside) != (e[1] in inside)), key=lambda edge: edge[2])
        inside.append(b if a in inside else a)
        total += n


PIPELINE = Solver(
    make,
    solve,
    knobs="level: 5 to 10 places; lengths and reach, then routes, one-way links, counts and networks",
    verifier="logic",
)
