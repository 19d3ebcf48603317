"""Pairs of tables that belong together, with rows: customers and orders, hotels and bookings, and so on."""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.words import PEOPLE


class Theme(NamedTuple):
    """A parent table of things with a name and a group, and a child table whose rows belong to them."""

    parents: str
    parent: str
    names: tuple[str, ...]
    group: str
    groups: tuple[str, ...]
    children: str
    child: str
    category: str
    categories: tuple[str, ...]
    number: str
    low: int
    high: int
    count: str
    most: int
    date: str


_PEOPLE = tuple(person.name for person in PEOPLE)
_TOWNS = (
    "Aldervik",
    "Bramley",
    "Castor",
    "Dunmore",
    "Elmstead",
    "Farrow",
    "Glenholt",
    "Harwick",
    "Innisfall",
    "Kelmore",
    "Lorne",
    "Marwood",
)
THEMES = (
    Theme("customers", "customer", _PEOPLE, "city", ("Oslo", "Lima", "Accra", "Porto"), "orders", "order", "status", ("open", "paid", "returned"), "amount", 5, 400, "items", 9, "ordered_on"),
    Theme("authors", "author", ("Ito", "Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Novak", "Haddad", "Byrne", "Costa"), "country", ("Japan", "Brazil", "Norway", "Ghana"), "books", "book", "genre", ("novel", "poetry", "essay", "biography"), "pages", 80, 900, "copies", 40, "published_on"),
    Theme("drivers", "driver", _PEOPLE, "depot", ("North", "Harbour", "Airport"), "trips", "trip", "vehicle", ("bus", "van", "minibus"), "kilometres", 4, 320, "passengers", 48, "driven_on"),
    Theme("students", "student", _PEOPLE, "school", ("Hill", "Park", "Lake"), "exams", "exam", "subject", ("maths", "physics", "history", "music"), "points", 10, 100, "attempts", 3, "taken_on"),
    Theme("farms", "farm", _TOWNS, "valley", ("east", "west", "upper"), "harvests", "harvest", "crop", ("apples", "plums", "grapes"), "crates", 8, 260, "workers", 12, "picked_on"),
    Theme("clinics", "clinic", _TOWNS, "district", ("centre", "south", "hills"), "visits", "visit", "ward", ("eyes", "bones", "skin", "heart"), "minutes", 5, 120, "nurses", 4, "visited_on"),
    Theme("teams", "team", ("Comets", "Falcons", "Otters", "Rangers", "Pilots", "Wolves", "Herons", "Miners"), "league", ("A", "B"), "matches", "match", "venue", ("home", "away", "neutral"), "points", 30, 119, "fouls", 25, "played_on"),
    Theme("hotels", "hotel", ("Anchor", "Belvedere", "Corona", "Dolphin", "Excelsior", "Fontana", "Garden", "Harbour"), "region", ("coast", "lakes", "mountains"), "bookings", "booking", "room", ("single", "double", "suite"), "price", 45, 690, "nights", 14, "booked_on"),
    Theme("suppliers", "supplier", ("Arbor", "Brix", "Cobalt", "Delta", "Elvo", "Fjord", "Granit", "Helix"), "country", ("Spain", "Poland", "Kenya"), "deliveries", "delivery", "product", ("cement", "tiles", "paint", "glass"), "weight", 20, 950, "boxes", 30, "delivered_on"),
    Theme("members", "member", _PEOPLE, "branch", ("main", "east", "campus"), "loans", "loan", "category", ("fiction", "science", "comics"), "days", 1, 60, "renewals", 3, "lent_on"),
    Theme("workers", "worker", _PEOPLE, "team", ("red", "blue", "green"), "shifts", "shift", "kind", ("early", "late", "night"), "units", 10, 240, "breaks", 3, "worked_on"),
    Theme("gardens", "garden", _TOWNS, "owner", ("city", "school", "club"), "plantings", "planting", "species", ("oak", "birch", "maple", "lime"), "height", 40, 380, "trees", 20, "planted_on"),
)  # fmt: skip

Table = dict[str, Any]


def tables_of(draw: Draw, theme: Theme, n_parents: int, n_children: int) -> tuple[Table, Table]:
    """Both tables with rows. All numbers of the children differ, and one or two parents have no children."""
    names = draw.sample(theme.names, n_parents)
    parents = [[i, name, draw.pick(theme.groups)] for i, name in enumerate(names, 1)]
    having = draw.sample(range(1, n_parents + 1), max(n_parents - draw.between(1, 2), 1))
    numbers = draw.sample(range(theme.low, theme.high + 1), n_children)
    days = sorted(draw.sample(range(150), n_children))
    start, first = datetime.date(draw.between(2021, 2025), 1, 4), draw.between(1, 40) * 10
    children = [
        [
            first + i,
            draw.pick(having),
            draw.pick(theme.categories),
            numbers[i],
            draw.between(1, theme.most),
            (start + datetime.timedelta(days[i])).isoformat(),
        ]
        for i in range(n_children)
    ]
    key = f"{theme.parent}_id"
    one = {
        "name": theme.parents,
        "columns": [["id", "INTEGER"], ["name", "TEXT"], [theme.group, "TEXT"]],
        "rows": parents,
    }
    columns = [
        ["id", "INTEGER"],
        [key, "INTEGER"],
        [theme.category, "TEXT"],
        [theme.number, "INTEGER"],
        [theme.count, "INTEGER"],
        [theme.date, "DATE"],
    ]
    return one, {"name": theme.children, "columns": columns, "rows": children}


def schema(draw: Draw, tables: list[Table], shown: int, style: str) -> str:
    """The tables as a question has them: definitions with some rows, or all rows in a table."""
    parts = []
    for table in tables:
        rows = table["rows"][:shown]
        part = len(rows) < len(table["rows"])
        heads = [name for name, _ in table["columns"]]
        if style == "sql":
            columns = ",\n".join(
                f"    {name} {kind}{' PRIMARY KEY' if name == 'id' else ''}" for name, kind in table["columns"]
            )
            values = ",\n".join(f"    ({', '.join(map(_quoted, row))})" for row in rows)
            parts.append(
                f"```sql\nCREATE TABLE {table['name']} (\n{columns}\n);\n\nINSERT INTO {table['name']} VALUES{'  -- the first rows' * part}\n{values};\n```"
            )
        else:
            lines = [
                f"| {' | '.join(heads)} |",
                f"|{'---|' * len(heads)}",
                *(f"| {' | '.join(map(str, row))} |" for row in rows),
            ]
            parts.append(f"{table['name']}{' (first rows)' * part}:\n\n" + "\n".join(lines))
    return "\n\n".join(parts)


def _quoted(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value)
