"""Plane geometry: areas, perimeters, angles, Pythagoras, circles in terms of π, similar figures, coordinates.

`make` uses formulas; `solve` puts the figure into coordinates and computes there, or counts angles from directions.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt
from typing import Any

from phiforge.data.draft import Draft, Slip, Step
from phiforge.data.draw import Draw
from phiforge.data.pipeline import Solver
from phiforge.data.rows import Unfit
from phiforge.data.words import people

_FLAT = (
    "garden",
    "field",
    "carpet",
    "poster",
    "tile",
    "car park",
    "sheet of glass",
    "mirror",
    "noticeboard",
    "courtyard",
    "flag",
    "solar panel",
)
_ROUND = (
    "pond",
    "table top",
    "pizza",
    "flower bed",
    "coin",
    "clock face",
    "lid",
    "roundabout",
    "rug",
    "drum skin",
    "plate",
    "mirror",
)
_TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29), (9, 40, 41), (12, 35, 37))


def make(draw: Draw, level: int) -> Draft:
    kinds = (
        (_rectangle, _angles),
        (_rectangle, _triangle, _angles),
        (_triangle, _pythagoras, _circle, _polygon_angles),
        (_pythagoras, _circle, _trapezium, _similar),
        (_ring, _coordinates, _similar, _trapezium, _distance),
    )
    return draw.pick(kinds[level - 1])(draw, level)


def _rectangle(draw: Draw, level: int) -> Draft:
    a, b = draw.between(2, 20 + 15 * level), draw.between(2, 15 + 10 * level)
    thing, unit = draw.pick(_FLAT), draw.pick(("m", "cm"))
    kind = draw.pick(
        ("area", "perimeter") if level == 1 else ("area", "perimeter", "side from area", "area from perimeter")
    )
    who = people(draw, 1)[0]
    form = draw.between(0, 1)
    area, around = a * b, 2 * (a + b)
    if kind == "area":
        question = (
            f"{who} has a rectangular {thing}, {a} {unit} long and {b} {unit} wide. What is its area, in square {unit}?",
            f"A rectangular {thing} measures {a} {unit} by {b} {unit}. How many square {unit} is that?",
        )[form]
        steps, answer = (
            [
                Step(
                    f"{a} × {b} = {area}.",
                    "The area of a rectangle is length times width.",
                    Slip(f"2 × ({a} + {b}) = {around}.", "That is the way around, not the area."),
                )
            ],
            area,
        )
    elif kind == "perimeter":
        question = (
            f"{who} puts a border around a rectangular {thing} of {a} {unit} by {b} {unit}. How long is the border, in {unit}?",
            f"What is the perimeter, in {unit}, of a rectangular {thing} with sides of {a} {unit} and {b} {unit}?",
        )[form]
        steps, answer = (
            [
                Step(
                    f"2 × ({a} + {b}) = 2 × {a + b} = {around}.",
                    "Each side comes twice.",
                    Slip(f"{a} + {b} = {a + b}.", "That is only half of the way around."),
                )
            ],
            around,
        )
    elif kind == "side from area":
        question = (
            f"{who}'s rectangular {thing} has an area of {area} square {unit} and is {a} {unit} long. How wide is it, in {unit}?",
            f"A rectangle of {area} square {unit} has one side of {a} {unit}. How long is the other, in {unit}?",
        )[form]
        steps, answer = [Step(f"{area} ÷ {a} = {b}.", "Area is length times width, so divide.")], b
    else:
        question = (
            f"{who} walks {around} {unit} once around a rectangular {thing} that is {a} {unit} long. What is its area, in square {unit}?",
            f"A rectangle with a perimeter of {around} {unit} has one side of {a} {unit}. Find its area in square {unit}.",
        )[form]
        steps, answer = (
            [
                Step(
                    f"{around} ÷ 2 = {a + b}, and {a + b} − {a} = {b}.",
                    "Half of the perimeter is one length and one width.",
                ),
                Step(f"{a} × {b} = {area}."),
            ],
            area,
        )
    return Draft(
        question=question, answer=str(answer), facts={"points": [[0, 0], [a, 0], [a, b], [0, b]], "ask": {"area": "area", "perimeter": "perimeter", "side from area": "side", "area from perimeter": "area"}[kind]},
        template=f"rectangle {kind} {form} {thing}", steps=steps, says=f"The answer is {answer}.", given=f"A rectangle; wanted: {kind.split(' from')[0]}.",
        check=f"{a} × {b} = {area} and 2 × ({a} + {b}) = {around}: both fit.",
    )  # fmt: skip


def _triangle(draw: Draw, level: int) -> Draft:
    base, height = draw.between(3, 20 + 8 * level), draw.between(2, 15 + 8 * level)
    twice = base * height
    backwards = level > 2 and draw.chance(0.5)
    unit, form = draw.pick(("m", "cm", "dm")), draw.between(0, 1)
    area = Fraction(twice, 2)
    top = draw.between(0, base)
    if backwards:
        question = (
            f"A triangle has an area of {area} square {unit} and a base of {base} {unit}. How high is it, in {unit}?",
            f"What height, in {unit}, belongs to the base of {base} {unit} in a triangle of {area} square {unit}?",
        )[form]
        steps, answer = (
            [
                Step(
                    f"2 × {area} ÷ {base} = {height}.",
                    "Area is base times height over two; go backwards.",
                    Slip(f"{area} ÷ {base} = {area / base}.", "The half is forgotten."),
                )
            ],
            Fraction(height),
        )
    else:
        thing = draw.pick(("sail", "gable", "flag", "plot of land", "roof panel", "scarf", "sign", "bed of roses"))
        question = (
            f"A triangular {thing} has a base of {base} {unit} and a height of {height} {unit}. What is its area, in square {unit}?",
            f"Find the area, in square {unit}, of a triangle with base {base} {unit} and height {height} {unit}.",
        )[form]
        steps, answer = (
            [
                Step(
                    f"{base} × {height} ÷ 2 = {area}.",
                    "A triangle is half of a rectangle with the same base and height.",
                    Slip(f"{base} × {height} = {twice}.", "That is the whole rectangle."),
                )
            ],
            area,
        )
    return Draft(
        question=question, answer=str(answer), facts={"points": [[0, 0], [base, 0], [top, height]], "ask": "height" if backwards else "area"}, template=f"triangle {backwards} {form} {unit}",
        steps=steps, says=f"The answer is {answer}.", given=f"A triangle with base {base}.", check=f"Two such triangles make {base} × {height} = {twice}.",
    )  # fmt: skip


def _angles(draw: Draw, level: int) -> Draft:
    kind = draw.pick(("triangle", "straight", "isosceles", "right") if level > 1 else ("triangle", "straight"))
    form = draw.between(0, 1)
    a, b = draw.between(20, 80), draw.between(20, 75)
    if kind == "triangle":
        question = (
            f"Two angles of a triangle measure {a}° and {b}°. How large is the third, in degrees?",
            f"A triangle has angles of {a}° and {b}°. Find the remaining angle in degrees.",
        )[form]
        answer, steps = (
            180 - a - b,
            [
                Step(f"{a} + {b} = {a + b}."),
                Step(
                    f"180 − {a + b} = {180 - a - b}.",
                    "The angles of a triangle add up to 180°.",
                    Slip(f"360 − {a + b} = {360 - a - b}.", "360° is for a quadrilateral."),
                ),
            ],
        )
        known = [a, b]
    elif kind == "straight":
        n = draw.between(2, 3)
        known = [draw.between(20, 80) for _ in range(n - 1)] if n == 3 else [draw.between(20, 160)]
        question = (
            f"On one side of a straight line, {n} angles meet at a point. {'One is' if n == 2 else 'Two of them are'} {' and '.join(f'{k}°' for k in known)}. How large is the {'other' if n == 2 else 'third'}, in degrees?",
            f"A straight angle is divided into {n} angles; {'one measures' if n == 2 else 'two measure'} {' and '.join(f'{k}°' for k in known)}. Find the last one in degrees.",
        )[form]
        answer, steps = (
            180 - sum(known),
            [Step(f"180 − {' − '.join(map(str, known))} = {180 - sum(known)}.", "A straight angle has 180°.")],
        )
    elif kind == "isosceles":
        apex = draw.between(10, 80) * 2
        known = [apex]
        question = (
            f"The angle at the top of an isosceles triangle is {apex}°. How large is each angle at the base, in degrees?",
            f"In an isosceles triangle the two equal sides enclose {apex}°. Find one of the other angles in degrees.",
        )[form]
        answer, steps = (
            (180 - apex) // 2,
            [
                Step(f"180 − {apex} = {180 - apex} for both base angles."),
                Step(
                    f"{180 - apex} ÷ 2 = {(180 - apex) // 2}.",
                    "They are equal.",
                    Slip(f"Each is {180 - apex}.", "Both together are that."),
                ),
            ],
        )
    else:
        known = [90, a]
        question = (
            f"One angle of a right triangle is {a}°. How large is the other acute angle, in degrees?",
            f"A right triangle has an acute angle of {a}°. Find the other acute one in degrees.",
        )[form]
        answer, steps = (
            90 - a,
            [Step(f"90 − {a} = {90 - a}.", "The two acute angles of a right triangle make 90° together.")],
        )
    whole = [*known, answer] if kind != "isosceles" else [*known, answer, answer]
    return Draft(
        question=question, answer=str(answer), facts={"angles": known, "times": 2 if kind == "isosceles" else 1}, template=f"angles {kind} {form}", steps=steps, says=f"It is {answer}°.",
        given="Angles with a known sum.", check=f"{' + '.join(map(str, whole))} = {sum(whole)}.",
    )  # fmt: skip


def _polygon_angles(draw: Draw, level: int) -> Draft:
    n = draw.between(4, 20)
    regular = draw.chance(0.5)
    form = draw.between(0, 1)
    total = (n - 2) * 180
    if regular:
        question = (
            f"How large is each interior angle of a regular polygon with {n} sides, in degrees? Give the exact value.",
            f"Find the interior angle of a regular {n}-gon in degrees, exactly.",
        )[form]
        answer = Fraction(total, n)
    else:
        question = (
            f"What is the sum of the interior angles of a polygon with {n} sides, in degrees?",
            f"Find the angle sum of a {n}-gon in degrees.",
        )[form]
        answer = Fraction(total)
    steps = [
        Step(
            f"({n} − 2) × 180 = {total}.",
            f"Diagonals from one corner cut it into {n - 2} triangles.",
            Slip(f"{n} × 180 = {n * 180}.", f"Only {n - 2} triangles come of it, not {n}."),
        )
    ]
    if regular:
        steps.append(Step(f"{total} ÷ {n} = {answer}.", "All are equal."))
    return Draft(
        question=question,
        answer=str(answer),
        facts={"polygon": n, "regular": regular},
        template=f"polygon {regular} {form} {n}",
        steps=steps,
        says=f"It is {answer}°.",
        given=f"A polygon with {n} corners.",
        check=f"The outer angles make 360°, and {n} × 180 − 360 = {n * 180 - 360}.",
    )


def _pythagoras(draw: Draw, level: int) -> Draft:
    x, y, z = draw.pick(_TRIPLES)
    k = draw.between(1, 6)
    a, b, c = (x * k, y * k, z * k) if draw.chance(0.5) else (y * k, x * k, z * k)
    leg = draw.chance(0.5)
    which = draw.between(0, 4)
    if leg:
        question = (
            f"The hypotenuse of a right triangle is {c} cm, one leg {a} cm. How long is the other leg, in cm?",
            f"A ladder of {c} dm leans against a wall with its foot {a} dm away from it. How high does it reach, in dm?",
            f"A rectangle has a diagonal of {c} m and one side of {a} m. How long is the other side, in m?",
            f"A kite string of {c} m is taut; the kite is straight above a point {a} m away. How high is it, in m?",
            f"A rope of {c} m runs from the top of a mast to the ground, {a} m from its foot. How high is the mast, in m?",
        )[which]
        steps, answer = (
            [
                Step(
                    f"{c}² − {a}² = {c * c} − {a * a} = {b * b}.",
                    "By Pythagoras, a leg's square is the hypotenuse's minus the other leg's.",
                    Slip(
                        f"{c}² + {a}² = {c * c + a * a}.",
                        f"The hypotenuse is {c} already, so it has to be subtracted.",
                    ),
                ),
                Step(f"√{b * b} = {b}."),
            ],
            b,
        )
    else:
        question = (
            f"The legs of a right triangle are {a} cm and {b} cm. How long is the hypotenuse, in cm?",
            f"How long is the diagonal, in m, of a rectangle of {a} m by {b} m?",
            f"Somebody walks {a} m north and then {b} m east. How far from the start is that in a straight line, in m?",
            f"A ramp rises {min(a, b)} dm over a level distance of {max(a, b)} dm. How long is the ramp itself, in dm?",
            f"Two corners of a screen lie {a} cm across and {b} cm down from each other. How far apart are they, in cm?",
        )[which]
        steps, answer = (
            [
                Step(
                    f"{a}² + {b}² = {a * a} + {b * b} = {c * c}.",
                    "By Pythagoras the squares of the legs add up.",
                    Slip(f"{a} + {b} = {a + b}.", "The straight way is shorter than the two legs together."),
                ),
                Step(f"√{c * c} = {c}."),
            ],
            c,
        )
    return Draft(
        question=question,
        answer=str(answer),
        facts={"right": [a, None if leg else b, c if leg else None]},
        template=f"pythagoras {leg} {which}",
        steps=steps,
        says=f"It is {answer}.",
        given="A right angle is in it, so Pythagoras helps.",
        check=f"{a}² + {b}² = {c * c} = {c}².",
    )


def _circle(draw: Draw, level: int) -> Draft:
    r = draw.between(2, 40)
    thing, unit = draw.pick(_ROUND), draw.pick(("cm", "m", "dm"))
    by_diameter = draw.chance(0.5)
    area = draw.chance(0.5)
    part = draw.pick((1, 1, 2, 4)) if level > 3 else 1
    form = draw.between(0, 1)
    size = f"a diameter of {2 * r} {unit}" if by_diameter else f"a radius of {r} {unit}"
    name = {1: "circular", 2: "semicircular", 4: "quarter-circle"}[part]
    if not area and part > 1:
        part, name = 1, "circular"
    answer = Fraction(r * r, part) if area else Fraction(2 * r)
    question = (
        f"A {name} {thing} has {size}. What is its {'area in square ' + unit if area else 'circumference in ' + unit}? Give it in terms of π.",
        f"Find the {'area' if area else 'circumference'} of a {name} {thing} with {size}, as a multiple of π (in {'square ' if area else ''}{unit}).",
    )[form]
    steps = [Step(f"The radius is {2 * r} ÷ 2 = {r}.")] if by_diameter else []
    steps.append(
        Step(
            f"π × {r}² = {r * r}π." if area else f"2 × π × {r} = {2 * r}π.",
            "Area is π r²." if area else "Circumference is 2 π r.",
            Slip(f"π × {2 * r}² = {4 * r * r}π.", "That takes the diameter for the radius.")
            if area and by_diameter
            else None,
        )
    )
    if part > 1:
        steps.append(
            Step(f"{r * r}π ÷ {part} = {_pi(answer)}.", f"Only {'half' if part == 2 else 'a quarter'} of it.")
        )
    return Draft(
        question=question,
        answer=_pi(answer).replace("π", "\\pi"),
        facts={"circle": r, "area": area, "part": part},
        template=f"circle {area} {part} {form} {thing}",
        steps=steps,
        says=f"It is {_pi(answer)}.",
        given=f"Radius {r}.",
        check=f"With π ≈ 3.14 that is about {float(answer) * 3.14159:.1f}, and the square around it has {f'an area of {4 * r * r}' if area else f'a perimeter of {8 * r}'}.",
    )


def _pi(value: Fraction) -> str:
    top = "" if value.numerator == 1 else str(value.numerator)
    return f"{top}π" if value.denominator == 1 else f"{top}π/{value.denominator}"


def _ring(draw: Draw, level: int) -> Draft:
    r = draw.between(3, 20)
    w = draw.between(1, 6)
    R = r + w
    form = draw.between(0, 1)
    answer = R * R - r * r
    question = (
        f"A circular pond of radius {r} m has a path of {w} m all around it. What is the area of the path in square metres, in terms of π?",
        f"Find the area of the ring between two circles with one centre and radii {r} and {R}, in terms of π.",
    )[form]
    return Draft(
        question=question,
        answer=f"{answer}\\pi",
        facts={"ring": [r, R]},
        template=f"ring {form} {w}",
        steps=[
            Step(f"The outer radius is {r} + {w} = {R}."),
            Step(
                f"π × {R}² − π × {r}² = {R * R}π − {r * r}π = {answer}π.",
                "The large circle without the small one.",
                Slip(f"π × {w}² = {w * w}π.", "The difference of the radii is not the radius of the ring."),
            ),
        ],
        says=f"The area is {answer}π.",
        given=f"Radii {r} and {R}.",
        check=f"({R} + {r})({R} − {r}) = {R + r} × {w} = {answer}.",
    )


def _trapezium(draw: Draw, level: int) -> Draft:
    a, b, h = draw.between(4, 30), draw.between(3, 29), draw.between(2, 20)
    if a == b:
        raise Unfit
    area = Fraction((a + b) * h, 2)
    thing, form = (
        draw.pick(("dam", "roof face", "window", "field", "handbag", "plot", "table top", "bed")),
        draw.between(0, 1),
    )
    question = (
        f"A trapezium has parallel sides of {a} cm and {b} cm, {h} cm apart. What is its area in square cm?",
        f"A {thing} has the shape of a trapezium: the parallel sides are {a} m and {b} m long and {h} m apart. Find its area in square metres.",
    )[form]
    shift = draw.between(0, 5)
    return Draft(
        question=question,
        answer=str(area),
        facts={"points": [[0, 0], [a, 0], [shift + b, h], [shift, h]], "ask": "area"},
        template=f"trapezium {form} {thing if form else ''}",
        steps=[
            Step(f"({a} + {b}) ÷ 2 = {Fraction(a + b, 2)}.", "The mean of the parallel sides:"),
            Step(
                f"{Fraction(a + b, 2)} × {h} = {area}.",
                "",
                Slip(f"{a + b} × {h} = {(a + b) * h}.", "The half is forgotten."),
            ),
        ],
        says=f"The area is {area}.",
        given=f"Parallel sides {a} and {b}, height {h}.",
        check=f"Cut along a diagonal: {a} × {h} ÷ 2 + {b} × {h} ÷ 2 = {Fraction(a * h, 2)} + {Fraction(b * h, 2)} = {area}.",
    )


def _similar(draw: Draw, level: int) -> Draft:
    h, s = draw.between(1, 12), draw.between(1, 12)
    k = draw.between(2, 12)
    area = level > 4 and draw.chance(0.5)
    form = draw.between(0, 1)
    if area:
        base = draw.between(2, 40)
        answer = Fraction(base * k * k)
        question = (
            f"A figure with an area of {base} square cm is enlarged so that every length becomes {k} times as long. What is the new area in square cm?",
            f"All lengths of a plan are multiplied by {k}. A room takes {base} square cm on the old plan. How many square cm on the new one?",
        )[form]
        steps = [
            Step(
                f"{k}² = {k * k}.",
                "Areas grow with the square of the factor.",
                Slip(f"{base} × {k} = {base * k}.", "Both directions grow, so the factor counts twice."),
            ),
            Step(f"{base} × {k * k} = {answer}."),
        ]
        facts: dict[str, Any] = {"scale": k, "value": base}
        check = f"A square of 1 cm becomes one of {k} cm, with {k * k} square cm."
    else:
        answer = Fraction(h * k)
        question = (
            f"A pole of {h} m casts a shadow of {s} m. At the same time a tree casts one of {s * k} m. How high is the tree, in m?",
            f"Two triangles are similar. In the small one, sides of {h} cm and {s} cm enclose an angle; in the large one, the side that belongs to {s} cm is {s * k} cm. How long is the one that belongs to {h} cm, in cm?",
        )[form]
        steps = [
            Step(f"{s * k} ÷ {s} = {k}.", "The factor between the two figures:"),
            Step(
                f"{h} × {k} = {answer}.",
                "",
                Slip(
                    f"{h} + {s * k - s} = {h + s * k - s}.",
                    "Similar figures are multiplied, not lengthened by the same amount.",
                ),
            ),
        ]
        facts = {"similar": [h, s, s * k]}
        check = f"{h} : {s} and {answer} : {s * k} are the same ratio."
    return Draft(
        question=question,
        answer=str(answer),
        facts=facts,
        template=f"similar {area} {form} {k}",
        steps=steps,
        says=f"It is {answer}.",
        given="Similar figures.",
        check=check,
    )


def _coordinates(draw: Draw, level: int) -> Draft:
    points = [[draw.between(-9, 9), draw.between(-9, 9)] for _ in range(3)]
    (a, b), (c, d), (e, f) = points
    twice = (c - a) * (f - b) - (e - a) * (d - b)
    if abs(twice) < 4:
        raise Unfit
    area = Fraction(abs(twice), 2)
    form = draw.between(0, 1)
    told = ", ".join(f"({x}, {y})" for x, y in points)
    question = (
        f"What is the area of the triangle with the corners {told}?",
        f"Find the area of a triangle whose vertices are {told}.",
    )[form]
    width, height = max(a, c, e) - min(a, c, e), max(b, d, f) - min(b, d, f)
    steps = [
        Step(
            f"From the first corner, the others lie at ({c - a}, {d - b}) and ({e - a}, {f - b}).",
            "Move the first corner into the origin.",
        ),
        Step(
            f"|({c - a}) × ({f - b}) − ({e - a}) × ({d - b})| ÷ 2 = |{twice}| ÷ 2 = {area}.",
            "Half of the cross product.",
            Slip(f"|{twice}| = {abs(twice)}.", "That is the parallelogram; the triangle is half of it."),
        ),
    ]
    return Draft(
        question=question,
        answer=str(area),
        facts={"points": points, "ask": "area"},
        template=f"coordinates {form} {area.denominator}",
        steps=steps,
        says=f"The area is {area}.",
        given=f"Corners {told}.",
        check=f"The upright rectangle around it has {width} × {height} = {width * height}, and a triangle in it takes at most half: {area} ≤ {Fraction(width * height, 2)}.",
    )


def _distance(draw: Draw, level: int) -> Draft:
    x, y, z = draw.pick(_TRIPLES[:4])
    a, b = draw.between(-9, 9), draw.between(-9, 9)
    c, d = a + x * draw.pick((1, -1)), b + y * draw.pick((1, -1))
    middle = draw.chance(0.4)
    form = draw.between(0, 1)
    if middle:
        answer = f"({Fraction(a + c, 2)}, {Fraction(b + d, 2)})"
        question = (
            f"What is the midpoint of ({a}, {b}) and ({c}, {d})? Answer with a pair.",
            f"Find the point halfway between ({a}, {b}) and ({c}, {d}), as a pair.",
        )[form]
        steps = [
            Step(
                f"({a} + {c}) ÷ 2 = {Fraction(a + c, 2)}." if c >= 0 else f"({a} + ({c})) ÷ 2 = {Fraction(a + c, 2)}.",
                "The mean of the first coordinates:",
            ),
            Step(f"({b} + ({d})) ÷ 2 = {Fraction(b + d, 2)}.", "And of the second:"),
        ]
        check = f"From the one end it is {Fraction(c - a, 2)} across and {Fraction(d - b, 2)} up, and as much again to the other."
    else:
        answer = str(z)
        question = (
            f"How far apart are the points ({a}, {b}) and ({c}, {d})?",
            f"Find the distance between ({a}, {b}) and ({c}, {d}).",
        )[form]
        steps = [
            Step(f"The differences are {abs(c - a)} and {abs(d - b)}.", "Across and up:"),
            Step(
                f"{abs(c - a)}² + {abs(d - b)}² = {z * z}, and √{z * z} = {z}.",
                "Pythagoras:",
                Slip(
                    f"{abs(c - a)} + {abs(d - b)} = {abs(c - a) + abs(d - b)}.",
                    "That is the way along the axes, not the straight one.",
                ),
            ),
        ]
        check = (
            f"It is more than {max(abs(c - a), abs(d - b))} and less than {abs(c - a) + abs(d - b)}, as it must be."
        )
    return Draft(
        question=question,
        answer=answer,
        facts={"pair": [[a, b], [c, d]], "middle": middle},
        template=f"distance {middle} {form} {z}",
        steps=steps,
        says=f"It is {answer}.",
        given=f"({a}, {b}) and ({c}, {d}).",
        check=check,
    )


def solve(facts: dict[str, Any]) -> str:
    """In coordinates."""
    if "points" in facts:
        return _measured(facts["points"], facts["ask"])
    if "angles" in facts:
        turn = 180
        for angle in facts["angles"]:
            turn -= angle
        return str(Fraction(turn, facts["times"]))
    if "polygon" in facts:
        n = facts["polygon"]
        each = 180 - Fraction(360, n)  # what remains of a straight line at each turn of a regular one
        return str(each if facts["regular"] else each * n)
    if "right" in facts:
        a, b, c = facts["right"]
        if c is None:
            return str(next(n for n in range(1, a + b) if n * n == a * a + b * b))
        return str(isqrt((c - a) * (c + a)))
    if "circle" in facts:
        r = facts["circle"]
        value = Fraction(r, 2) * 2 * r / facts["part"] if facts["area"] else Fraction(r + r)
        return f"{value.numerator}\\pi/{value.denominator}"
    if "ring" in facts:
        r, outer = facts["ring"]
        return f"{sum(2 * k + 1 for k in range(r, outer))}\\pi"
    if "scale" in facts:
        return str(sum(facts["value"] for _ in range(facts["scale"]) for _ in range(facts["scale"])))
    if "similar" in facts:
        h, s, shadow = facts["similar"]
        return str(Fraction(shadow * h, s))
    (a, b), (c, d) = facts["pair"]
    if facts["middle"]:
        return f"({a + Fraction(c - a, 2)}, {b + Fraction(d - b, 2)})"
    return str(isqrt((a - c) ** 2 + (b - d) ** 2))


def _measured(points: list[list[int]], ask: str) -> str:
    around = list(zip(points, points[1:] + points[:1], strict=True))
    twice = abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in around))
    if ask == "perimeter":
        return str(sum(abs(x1 - x2) + abs(y1 - y2) for (x1, y1), (x2, y2) in around))
    base = points[1][0] - points[0][0]
    return str(
        Fraction(twice, 2) if ask == "area" else Fraction(twice, 2 * base) if ask == "side" else Fraction(twice, base)
    )


PIPELINE = Solver(
    make,
    solve,
    knobs="level: rectangles and angles, triangles, Pythagoras and circles, similar figures, rings and coordinates",
)
