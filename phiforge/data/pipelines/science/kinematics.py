"""Motion in a line with constant acceleration: braking, starting, falling, throwing, chasing, and average speeds.

`make` uses v = u + at, s = ut + at²/2 and v² = u² + 2as; `solve` takes the area under the speed-time graph instead.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Any, NamedTuple

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.pipelines.science._numbers import decimal
from phiforge.data.rows import Unfit


class Motion(NamedTuple):
    """A thing that moves: how its start is told, the verb, first speeds, accelerations in halves of m/s² and times."""

    thing: str
    speeds: tuple[int, int]
    halves: tuple[int, int]
    times: tuple[int, int]
    slows: bool


_MOTIONS = (
    Motion("car", (0, 20), (2, 8), (2, 10), False),
    Motion("car", (10, 35), (4, 14), (2, 6), True),
    Motion("train", (0, 15), (1, 2), (10, 40), False),
    Motion("train", (15, 45), (1, 2), (10, 40), True),
    Motion("cyclist", (0, 6), (1, 3), (2, 8), False),
    Motion("cyclist", (4, 12), (2, 5), (2, 5), True),
    Motion("aeroplane on a runway", (0, 5), (4, 8), (12, 30), False),
    Motion("lorry", (0, 10), (1, 4), (3, 15), False),
    Motion("lorry", (10, 25), (2, 8), (2, 8), True),
    Motion("sledge", (0, 4), (2, 6), (2, 9), False),
    Motion("tram", (0, 4), (1, 3), (3, 12), False),
    Motion("tram", (6, 15), (1, 4), (3, 10), True),
    Motion("ball rolling down a ramp", (0, 3), (1, 5), (2, 8), False),
    Motion("speedboat", (2, 8), (1, 5), (3, 12), False),
    Motion("motorcycle", (0, 15), (4, 12), (2, 7), False),
)
_UNITS = {"u": "m/s", "v": "m/s", "a": "m/s^2", "t": "s", "s": "m"}
_NAMES = {"u": "initial speed", "v": "final speed", "a": "acceleration", "t": "time", "s": "distance"}


def make(draw: Draw, level: int) -> Draft:
    if level >= 3 and draw.chance(0.45):
        return draw.pick((_fall, _thrown, _chase) if level >= 4 else (_fall, _average))(draw)
    if level <= 2 and draw.chance(0.2):
        return _average(draw)
    return _constant(draw, level)


def _constant(draw: Draw, level: int) -> Draft:
    """Three of u, v, a, t, s are told, one is asked for."""
    which = draw.between(0, len(_MOTIONS) - 1)
    motion = _MOTIONS[which]
    a = Fraction(draw.between(*motion.halves), 2)
    t = draw.between(*motion.times)
    u = draw.between(*motion.speeds)
    if motion.slows:
        t = min(t, int(u / a))
        if t < 2:
            raise Unfit
        a = -a
    v = u + a * t
    s = u * t + a * t * t / 2
    values = {"u": Fraction(u), "v": v, "a": a, "t": Fraction(t), "s": s}
    known, wanted = draw.pick(
        ((("u", "a", "t"), "v"),) if level == 1
        else ((("u", "v", "t"), "a"), (("u", "v", "a"), "t"), (("u", "a", "t"), "s")) if level == 2
        else ((("u", "v", "t"), "s"), (("u", "v", "a"), "s"), (("u", "s", "t"), "a"), (("u", "a", "s"), "v"), (("v", "a", "t"), "u"))
    )  # fmt: skip
    shown = {key: decimal(abs(value) if key == "a" else value) for key, value in values.items()}
    sentence, form = _told(draw, motion, shown, known, wanted)
    steps = _steps(values, known, wanted)
    answer = f"{shown[wanted]} {_UNITS[wanted]}"
    facts = {"kind": "constant", "known": {key: shown[key] for key in known}, "slows": motion.slows, "wanted": wanted}
    average = (values["u"] + values["v"]) / 2
    return Draft(
        question=sentence,
        answer=answer,
        facts=facts,
        template=f"{which} {form} {wanted}",
        steps=steps,
        says=f"The {_NAMES[wanted] if wanted != 'a' or not motion.slows else 'deceleration'} is {answer}.",
        given="Known: " + ", ".join(f"{key} = {shown[key]} {_UNITS[key]}" for key in known) + f". Wanted: {wanted}.",
        check=f"The mean speed is ({shown['u']} + {shown['v']}) / 2 = {decimal(average)} m/s, and in {t} s it gives {shown['s']} m.",
        verifier="units",
    )


def _told(draw: Draw, motion: Motion, shown: dict[str, str], known: tuple[str, ...], wanted: str) -> tuple[str, int]:
    """The question, and the number of its form."""
    slow = "slows down" if motion.slows else "speeds up"
    moving = f"moving at {shown['u']} m/s" if shown["u"] != "0" else "at rest"
    parts = {
        "u": draw.pick((f"is first {moving}", f"is {moving} at first")),
        "v": "comes to rest" if shown["v"] == "0" else f"reaches {shown['v']} m/s",
        "a": f"{slow} at a constant {shown['a']} m/s²",
        "t": f"does so for {shown['t']} s"
        if wanted in "vu" or (wanted == "s" and "a" in known)
        else f"takes {shown['t']} s for this",
        "s": f"covers {shown['s']} m meanwhile",
    }
    told = [parts[key] for key in ("u", "a", "v", "s", "t") if key in known]
    if "a" not in known:
        told.insert(1 if "u" in known else 0, f"{slow} evenly")
    ask = {
        "u": ("What was its speed at the beginning?", "How fast was it at first?"),
        "v": ("What is its speed at the end?", "How fast is it then?"),
        "a": ("What is its deceleration?", "At what rate does it slow down?") if motion.slows else ("What is its acceleration?", "At what rate does it speed up?"),
        "t": ("How long does this take?", "After what time is that so?"),
        "s": ("How far does it go meanwhile?", "What distance does it cover?"),
    }[wanted]  # fmt: skip
    form = draw.between(0, 3)
    article = "An" if motion.thing[0] in "aeiou" else "A"
    body = (
        f"{told[0]}, {', '.join(told[1:-1])}{', ' if len(told) > 2 else ''}and {told[-1]}"
        if len(told) > 2
        else " and ".join(told)
    )
    question = f"{article} {motion.thing} {body}. {ask[form % 2]}"
    if form >= 2:
        question = f"Consider {article.lower()} {motion.thing}: it {body}. {ask[form % 2]}"
    return question, form


def _steps(values: dict[str, Fraction], known: tuple[str, ...], wanted: str) -> list[Step]:
    u, v, a, t, s = (values[key] for key in "uvats")
    d = decimal
    if wanted == "v" and "t" in known:
        return [Step(f"v = u + at = {d(u)} + ({d(a)}) × {d(t)} = {d(v)} m/s.", "The speed changes by a every second.")]
    if wanted == "a" and "v" in known:
        return [
            Step(
                f"a = (v − u) / t = ({d(v)} − {d(u)}) / {d(t)} = {d(a)} m/s².",
                "Acceleration is the change of speed in a second.",
            ),
            *_size(a),
        ]
    if wanted == "t":
        return [
            Step(f"t = (v − u) / a = ({d(v)} − {d(u)}) / ({d(a)}) = {d(t)} s.", "Every second the speed changes by a.")
        ]
    if wanted == "s" and "a" in known and "t" in known:
        slip = Slip(
            f"s = ut + at² = {d(u * t)} + {d(a * t * t)} = {d(u * t + a * t * t)} m.",
            "The second part has a half: the speed grows only gradually.",
        )
        return [
            Step(
                f"s = ut + at²/2 = {d(u)} × {d(t)} + ({d(a)}) × {d(t)}² / 2 = {d(s)} m.",
                "Constant acceleration:",
                slip,
            )
        ]
    if wanted == "s" and "t" in known:
        return [
            Step(
                f"The mean speed is ({d(u)} + {d(v)}) / 2 = {d((u + v) / 2)} m/s.",
                "The speed changes evenly, so its mean is halfway.",
            ),
            Step(f"s = {d((u + v) / 2)} × {d(t)} = {d(s)} m."),
        ]
    if wanted == "s":
        return [
            Step(
                f"s = (v² − u²) / (2a) = ({d(v * v)} − {d(u * u)}) / ({d(2 * a)}) = {d(s)} m.",
                "Without the time, v² = u² + 2as is the way.",
            )
        ]
    if wanted == "a":
        return [Step(f"s − ut = {d(s)} − {d(u * t)} = {d(s - u * t)} m.", "s = ut + at²/2, so first what the initial speed alone would not cover:"), Step(f"a = 2 × {d(s - u * t)} / {d(t)}² = {d(a)} m/s²."), *_size(a)]  # fmt: skip
    if wanted == "v":
        return [
            Step(
                f"v² = u² + 2as = {d(u * u)} + ({d(2 * a * s)}) = {d(v * v)}.",
                "Without the time, v² = u² + 2as is the way.",
            ),
            Step(f"v = √{d(v * v)} = {d(v)} m/s."),
        ]
    return [
        Step(f"u = v − at = {d(v)} − ({d(a)}) × {d(t)} = {d(u)} m/s.", "Going back in time takes the change away.")
    ]


def _size(a: Fraction) -> list[Step]:
    return [Step(f"As a deceleration that is {decimal(-a)} m/s².")] if a < 0 else []


def _average(draw: Draw) -> Draft:
    """Two legs, told by speed and time or by distance and time."""
    who = draw.pick(("runner", "cyclist", "bus", "ferry", "hiker", "delivery van", "train", "rider"))
    least, most = {"runner": (2, 5), "hiker": (1, 2), "cyclist": (4, 9), "rider": (3, 8)}.get(who, (6, 24))
    v1, v2 = draw.sample(range(least, most + 1), 2) if most - least > 1 else (1, 2)
    t1, t2 = draw.between(2, 30) * 10, draw.between(2, 30) * 10
    distance = v1 * t1 + v2 * t2
    mean = Fraction(distance, t1 + t2)
    form = draw.between(0, 3)
    question = (
        f"A {who} goes at {v1} m/s for {t1} s and then at {v2} m/s for {t2} s. What is the average speed over the whole way?",
        f"A {who} covers {v1 * t1} m in {t1} s, then {v2 * t2} m in {t2} s. Find the average speed of the whole trip.",
        f"For {t1} s a {who} moves at {v1} m/s, for the next {t2} s at {v2} m/s. How large is the mean speed?",
        f"First {v1 * t1} m in {t1} s, then {v2 * t2} m in {t2} s: what is the {who}'s average speed?",
    )[form]
    answer = f"{decimal(mean)} m/s"
    first = Step(f"{v1} × {t1} + {v2} × {t2} = {distance} m." if form % 2 == 0 else f"{v1 * t1} + {v2 * t2} = {distance} m.", "Average speed is the whole distance over the whole time.",
                 Slip(f"({v1} + {v2}) / 2 = {decimal(Fraction(v1 + v2, 2))} m/s.", "The legs take different times, so the speeds can't simply be averaged.") if t1 != t2 else None)  # fmt: skip
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "average", "legs": [[v1, t1], [v2, t2]]},
        template=f"average {who} {form}",
        steps=[first, Step(f"{t1} + {t2} = {t1 + t2} s."), Step(f"{distance} / {t1 + t2} = {decimal(mean)} m/s.")],
        says=f"The average speed is {answer}.",
        given="Two legs, and the average speed of both together is wanted.",
        check=f"{decimal(mean)} lies between {min(v1, v2)} and {max(v1, v2)}, and nearer to the speed of the longer time.",
        verifier="units",
    )


def _fall(draw: Draw) -> Draft:
    t = draw.between(1, 6)
    height = 5 * t * t
    thing = draw.pick(("stone", "coin", "ball", "key", "spanner", "chestnut", "pebble", "bolt"))
    place = (
        draw.pick(("a bridge", "a tower", "a cliff", "a crane", "a balloon at rest", "a high window"))
        if t > 1
        else draw.pick(("a balcony", "a wall", "a tree"))
    )
    wanted = draw.pick("tvh")
    form = draw.between(0, 1)
    question = {
        "t": (f"A {thing} is dropped from {place} and falls {height} m. How long does it fall?", f"How long does a {thing} take to fall {height} m from {place}?"),
        "v": (f"A {thing} is dropped from {place}, {height} m above the ground. How fast is it when it lands?", f"From {height} m up on {place} a {thing} falls freely. With what speed does it hit the ground?"),
        "h": (f"A {thing} dropped from {place} lands after {t} s. From what height did it fall?", f"It takes a {thing} {t} s to fall from {place} to the ground. How high is that?"),
    }[wanted][form]  # fmt: skip
    question += draw.pick(
        (
            " Take g = 10 m/s² and no air resistance.",
            " Use g = 10 m/s² and neglect the air.",
            " (g = 10 m/s², air resistance neglected.)",
        )
    )
    time = Step(f"t² = 2h / g = {2 * height} / 10 = {t * t}, so t = {t} s.", "It starts from rest, so h = gt²/2.")
    steps, answer = {
        "t": ([time], f"{t} s"),
        "v": ([time, Step(f"v = gt = 10 × {t} = {10 * t} m/s.")], f"{10 * t} m/s"),
        "h": ([Step(f"h = gt²/2 = 10 × {t * t} / 2 = {height} m.", "It starts from rest.", Slip(f"h = gt² = {2 * height} m.", "That forgets the half: the mean speed is only half of the last."))], f"{height} m"),
    }[wanted]  # fmt: skip
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "fall", "wanted": wanted, "t": t, "h": height},
        template=f"fall {thing} {wanted} {form}",
        steps=steps,
        says=f"The answer is {answer}.",
        given=f"Free fall from rest with g = 10 m/s²; wanted: {({'t': 'the time', 'v': 'the final speed', 'h': 'the height'})[wanted]}.",
        check=f"The mean speed is {5 * t} m/s, and {5 * t} × {t} = {height} m.",
        verifier="units",
    )


def _thrown(draw: Draw) -> Draft:
    t = draw.between(1, 5)
    u = 10 * t
    wanted = draw.pick(("height", "air", "speed"))
    later = draw.between(1, 2 * t - 1)
    thing = draw.pick(("ball", "stone", "tennis ball", "cork", "arrow"))
    form = draw.between(0, 1)
    v = u - 10 * later
    question = {
        "height": ("how high does it rise above its starting point?", "what height does it reach?"),
        "air": ("after how many seconds is it back at its starting point?", "how long is it in the air until it returns to the same height?"),
        "speed": (f"what is its speed after {later} s?", f"how fast is it {later} s later?"),
    }[wanted][form]  # fmt: skip
    article = "An" if thing[0] in "aeiou" else "A"
    lead = draw.pick(
        (
            f"{article} {thing} is thrown straight up at {u} m/s",
            f"{article} {thing} leaves the ground vertically upwards at {u} m/s",
        )
    )
    question = f"{lead} (g = 10 m/s², no air resistance): {question}"
    steps, answer = {
        "height": ([Step(f"It rises for {u} / 10 = {t} s.", "At the top the speed is 0."), Step(f"Its mean speed going up is {u // 2} m/s, so it rises {u // 2} × {t} = {5 * t * t} m.", "", Slip(f"It rises {u} × {t} = {u * t} m.", "It does not keep its first speed; it slows down to 0."))], f"{5 * t * t} m"),
        "air": ([Step(f"It rises for {u} / 10 = {t} s.", "At the top the speed is 0."), Step(f"Falling back takes as long: 2 × {t} = {2 * t} s.")], f"{2 * t} s"),
        "speed": ([Step(f"v = {u} − 10 × {later} = {v} m/s.", "Upwards is positive, and every second takes 10 m/s away."), *([Step(f"It is on its way down, with a speed of {-v} m/s.")] if v < 0 else [])], f"{abs(v)} m/s"),
    }[wanted]  # fmt: skip
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "thrown", "wanted": wanted, "u": u, "later": later},
        template=f"thrown {thing} {wanted} {form}",
        steps=steps,
        says=f"The answer is {answer}.",
        given=f"A vertical throw with {u} m/s; g takes 10 m/s from it every second.",
        check=f"Energy agrees: v² / 2 = {u * u // 2} at the start is g × h at the top, with h = {5 * t * t} m.",
        verifier="units",
    )


def _chase(draw: Draw) -> Draft:
    slow = draw.between(2, 20)
    fast = slow + draw.between(1, 12)
    t = draw.between(4, 60)
    lead = (fast - slow) * t
    wanted = draw.pick("ts")
    first, second = draw.pick(
        (
            ("A thief", "a police officer"),
            ("A tram", "a bus"),
            ("A runner", "a cyclist"),
            ("A rowing boat", "a motor boat"),
            ("A lorry", "a car"),
            ("A dog", "a horse"),
        )
    )
    toward = draw.chance(0.4)
    together = (fast + slow) * t
    if toward:
        question = f"{first} moving at {slow} m/s and {second} moving at {fast} m/s are {together} m apart and come straight towards each other. "
        question += {
            "t": "After how many seconds do they meet?",
            "s": f"How far has {first.lower()} gone when they meet?",
        }[wanted]
        steps = [Step(f"They come nearer by {slow} + {fast} = {slow + fast} m every second.", "Both move, towards each other."), Step(f"{together} / {slow + fast} = {t} s.")]  # fmt: skip
        answer = f"{t} s" if wanted == "t" else f"{slow * t} m"
        if wanted == "s":
            steps.append(Step(f"{first} has gone {slow} × {t} = {slow * t} m."))
    else:
        question = f"{first} at {slow} m/s is {lead} m ahead of {second}, who follows at {fast} m/s. ".replace("bus, who", "bus, which").replace("boat, who", "boat, which").replace("car, who", "car, which").replace("horse, who", "horse, which")  # fmt: skip
        question += {
            "t": "How long does it take to catch up?",
            "s": "What distance does the faster one cover until the two are level?",
        }[wanted]
        steps = [Step(f"The gap shrinks by {fast} − {slow} = {fast - slow} m every second.", "Both move the same way.", Slip(f"{lead} / {fast} seconds.", "The one in front moves on meanwhile, so only the difference of speeds closes the gap.")), Step(f"{lead} / {fast - slow} = {t} s.")]  # fmt: skip
        answer = f"{t} s" if wanted == "t" else f"{fast * t} m"
        if wanted == "s":
            steps.append(Step(f"In that time {second} covers {fast} × {t} = {fast * t} m."))
    return Draft(
        question=question,
        answer=answer,
        facts={"kind": "chase", "speeds": [slow, fast], "gap": together if toward else lead, "toward": toward, "wanted": wanted},
        template=f"chase {first} {toward} {wanted}",
        steps=steps,
        says=f"The answer is {answer}.",
        given=f"Speeds {slow} and {fast} m/s, {'towards each other' if toward else 'one behind the other'}, {together if toward else lead} m apart.",
        check=f"After {t} s: {slow} × {t} = {slow * t} m and {fast} × {t} = {fast * t} m, {'together' if toward else 'a difference of'} {together if toward else lead} m.",
        verifier="units",
    )  # fmt: skip


def solve(facts: dict[str, Any]) -> str:
    """Areas under speed-time graphs, and positions second by second."""
    kind = facts["kind"]
    if kind == "constant":
        return _by_area(facts)
    if kind == "average":
        position = sum(speed for speed, seconds in facts["legs"] for _ in range(seconds))
        return f"{Fraction(position, sum(seconds for _, seconds in facts['legs']))} m/s"
    if kind == "fall":
        wanted = facts["wanted"]
        energy = 10 * facts["h"]  # of each kilogram
        return {
            "t": f"{Fraction(isqrt(2 * energy), 10)} s",
            "v": f"{isqrt(2 * energy)} m/s",
            "h": f"{sum(10 * i + 5 for i in range(facts['t']))} m",
        }[wanted]
    if kind == "thrown":
        u, heights, at = facts["u"], [0], 0
        while at == 0 or heights[-1] > 0:  # second by second, with the mean speed of each
            heights.append(heights[-1] + u - 10 * at - 5)
            at += 1
        tops = Fraction(u * u, 20)
        return {"height": f"{tops} m", "air": f"{at} s", "speed": f"{abs(u - 10 * facts['later'])} m/s"}[
            facts["wanted"]
        ]
    (slow, fast), gap, seconds = facts["speeds"], facts["gap"], 0
    while gap > 0:
        gap -= fast + slow if facts["toward"] else fast - slow
        seconds += 1
    distance = seconds * (slow if facts["toward"] else fast)
    return f"{seconds} s" if facts["wanted"] == "t" else f"{distance} m"


def _by_area(facts: dict[str, Any]) -> str:
    """From what is known to the corners of the trapezium (u, v, t), whose area is s."""
    known = {key: Fraction(value) for key, value in facts["known"].items()}
    sign = -1 if facts["slows"] else 1
    if "a" in known:
        known["a"] *= sign
    u, v, a, t, s = (known.get(key) for key in "uvats")
    if u is None:  # v, a, t
        assert v is not None
        assert a is not None
        assert t is not None
        u = v - a * t
    if v is None and s is not None and t is not None:
        v = 2 * s / t - u
    if v is None and a is not None and t is not None:
        v = u + a * t
    if v is None:  # u, a, s: the parallel side of a trapezium with area s and slope a
        assert a is not None
        assert s is not None
        square = u * u + 2 * a * s
        v = Fraction(isqrt(square.numerator), isqrt(square.denominator))
    if t is None:
        assert a is not None
        t = (v - u) / a if s is None else 2 * s / (u + v)
    found = {"u": u, "v": v, "t": t, "a": abs((v - u) / t), "s": (u + v) / 2 * t}[facts["wanted"]]
    return f"{float(found)!r} {_UNITS[facts['wanted']]}"


PIPELINE = Solver(
    make, solve, knobs="level: one formula, then its inversions, then falls, throws and chases", verifier="units"
)
