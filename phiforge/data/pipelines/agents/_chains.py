"""Errands of several calls: a search, something done with the best of what it finds, and a last call that uses its values.

In what is done, the argument named `key` is not stated but described, "the cheapest one", and has to be found in the result
of the search.
"""

from __future__ import annotations

from copy import copy
from datetime import date
from typing import Any, NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._groups import Record
from phiforge.data.pipelines.agents._kinds import (
    CITY,
    CUISINE,
    DOCTOR,
    FILE,
    FOLDER,
    FULL_NAME,
    HOTEL,
    ISSUE,
    ORDER,
    PRODUCT,
    RESTAURANT,
    SERVICE,
    STATION,
)
from phiforge.data.pipelines.agents._moments import Clock, Day
from phiforge.data.pipelines.agents._scene import BOXES, STYLES, named
from phiforge.data.pipelines.agents._toolbox import Form, Tool
from phiforge.data.pipelines.agents._toolbox import Param as P
from phiforge.data.pipelines.agents._values import Choice, Code, Email, Int, Kind, Phrase

WHEN, DAY = Day(on=True), Day()


class _Addressee(Record):
    """A full name with the mail address that belongs to it."""

    def draw(self, draw: Draw, today: date) -> dict[str, Any]:
        made = super().draw(draw, today)
        return {**made, "email": f"{made['name'].replace(' ', '.')}@{made['email'].partition('@')[2]}".lower()}


PERSON = _Addressee({"name": FULL_NAME, "email": Email()}, ("{name} ({email})", "{name}, {email}"), "who", "name")
CALLER = Record(
    {"name": FULL_NAME, "phone": Code("0### ######")}, ("{name} ({phone})", "{name}, phone {phone}"), "who", "name"
)
DRIVER = Record(
    {"name": FULL_NAME, "age": Int(21, 74, 18, 99)}, ("{name}, aged {age}", "{name} ({age} years old)"), "who"
)


class Chain(NamedTuple):
    """A search, what it finds, and what is done with one of the finds.

    `found` are the fields of a find, of which the first is its key. `rules` say which find is meant: a field, whether the
    least or the most of it, and phrases. `limit` is a field, whether it is a ceiling, and sentences that state it.
    """

    search: Tool
    found: dict[str, Kind]
    rules: dict[str, tuple[str, ...]]
    limit: tuple[str, bool, tuple[str, ...]]
    act: Tool
    timed: bool = False  # the finds have a time on the day of the search


def _search(name: str, domain: str, about: str, need: dict[str, P], *asks: str) -> Tool:
    return Tool(name, domain, about, need, {}, asks, {}, "")


def _act(
    name: str, domain: str, about: str, need: dict[str, P], gives: dict[str, Kind], reply: str, *asks: str
) -> Tool:
    return Tool(name, domain, about, need, {}, asks, gives, reply)


CHAINS = (
    Chain(
        _search("find_flights", "travel", "Find flights between two cities on a day.",
                {"origin": P(CITY, "city of departure", "City of departure."), "destination": P(CITY, "destination", "City of arrival."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD.")},
                "look for flights from {origin} to {destination} {date}", "search for a flight from {origin} to {destination} {date}", "see which flights go from {origin} to {destination} {date}"),
        {"flight": Code("@@ ###"), "departure": Clock(6, 21), "price_eur": Int(70, 480), "minutes": Int(70, 520), "stops": Int(0, 2)},
        {"price_eur min": ("the cheapest one", "the cheapest of them"), "departure min": ("the earliest one", "the one that leaves first"), "departure max": ("the last one of the day", "the one that leaves last"), "minutes min": ("the fastest one", "the one that takes the least time")},
        ("price_eur", True, ("It must not cost more than {limit} euros.", "Leave out those that cost more than {limit} euros.")),
        _act("book_flight", "travel", "Book a flight for a passenger.", {"flight": P(Code("@@ ###"), "flight number", "The flight number."), "passenger": P(PERSON, "passenger", "Name and mail address of the passenger.")}, {"booking": Code("FB-#####")}, "Flight {flight} is booked; the booking number is {booking}.",
             "book {flight} for {passenger}", "reserve {flight} for {passenger}", "buy a seat on {flight} for {passenger}"), True),
    Chain(
        _search("find_trains", "travel", "Find trains between two stations on a day.",
                {"origin": P(STATION, "station of departure", "Station of departure."), "destination": P(STATION, "station of arrival", "Station of arrival."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD.")},
                "look up the trains from {origin} to {destination} {date}", "find a train from {origin} to {destination} {date}"),
        {"train": Code("IC ####"), "departure": Clock(5, 22), "price_eur": Int(12, 140), "minutes": Int(40, 430), "changes": Int(0, 4)},
        {"price_eur min": ("the cheapest one",), "departure min": ("the first one", "the one that leaves first"), "departure max": ("the last one",), "minutes min": ("the fastest one",), "changes min": ("the one with the fewest changes",)},
        ("minutes", True, ("It must not take longer than {limit} minutes.", "More than {limit} minutes would be too long.")),
        _act("buy_train_ticket", "travel", "Buy a ticket for a train.", {"train": P(Code("IC ####"), "train", "Number of the train."), "traveller": P(PERSON, "traveller", "Name and mail address of the traveller.")}, {"ticket": Code("RT-#####")}, "The ticket for {train} has the number {ticket}.",
             "buy a ticket for {train}; the traveller is {traveller}", "get a ticket for {train} for {traveller}"), True),
    Chain(
        _search("find_hotels", "travel", "Find hotels in a city.", {"city": P(CITY, "city", "The city."), "check_in": P(DAY, "day of arrival", "Day of arrival, as YYYY-MM-DD."), "nights": P(Int(2, 9, 1, 30), "number of nights", "How many nights.")},
                "look for hotels in {city} from {check_in} for {nights} nights", "find a hotel in {city} for {nights} nights from {check_in}", "see what hotels {city} has from {check_in} for {nights} nights"),
        {"hotel_id": Code("H###"), "name": HOTEL, "price_eur": Int(60, 320), "rating": Int(48, 99), "metres_to_centre": Int(100, 6000)},
        {"price_eur min": ("the cheapest one",), "rating max": ("the best rated one", "the one with the highest rating"), "metres_to_centre min": ("the one that is closest to the centre", "the most central one")},
        ("price_eur", True, ("It may cost at most {limit} euros a night.", "Our limit is {limit} euros a night.")),
        _act("reserve_hotel", "travel", "Reserve a room in a hotel for a guest.", {"hotel_id": P(Code("H###"), "hotel", "The hotel's id."), "guest": P(CALLER, "guest", "Name and phone number of the guest.")}, {"reservation": Code("RES-####")}, "The hotel {hotel_id} is reserved under {reservation}.",
             "reserve {hotel_id} for {guest}", "book {hotel_id} for {guest}", "take {hotel_id} for {guest}")),
    Chain(
        _search("find_products", "shop", "Find products in the shop.", {"query": P(PRODUCT, "product", "What to look for.")},
                "search the shop for {query}", "look for {query} in the shop", "see which {query} the shop has"),
        {"product_id": Code("P-####"), "price_eur": Int(12, 190), "rating": Int(48, 99), "reviews": Int(3, 900), "delivery_days": Int(1, 14)},
        {"price_eur min": ("the cheapest ones",), "rating max": ("the best rated ones", "the ones with the highest rating"), "reviews max": ("the ones with the most reviews",), "delivery_days min": ("the ones that arrive first", "the ones with the shortest delivery time")},
        ("price_eur", True, ("They must not cost more than {limit} euros.", "Pay at most {limit} euros for one.")),
        _act("put_in_cart", "shop", "Put a product into the shopping cart.", {"product_id": P(Code("P-####"), "product", "The product's id."), "quantity": P(Int(2, 9, 1, 99), "quantity", "How many.")}, {"cart": Code("CART-###")}, "{quantity} pieces of {product_id} are in the cart {cart}.",
             "put {quantity} of {product_id} into my cart", "add {quantity} of {product_id} to my cart")),
    Chain(
        _search("find_restaurants", "food", "Find restaurants of a cuisine in a city.", {"city": P(CITY, "city", "The city."), "cuisine": P(CUISINE, "cuisine", "The cuisine.")},
                "look for {cuisine} restaurants in {city}", "find a restaurant with {cuisine} food in {city}", "see where one can eat {cuisine} food in {city}"),
        {"restaurant_id": Code("RS##"), "name": RESTAURANT, "rating": Int(48, 99), "menu_price_eur": Int(12, 90), "walk_minutes": Int(2, 45)},
        {"rating max": ("the best rated one", "the one with the highest rating"), "menu_price_eur min": ("the cheapest one",), "walk_minutes min": ("the closest one", "the one with the shortest walk")},
        ("walk_minutes", True, ("It must not be farther than {limit} minutes on foot.", "We do not want to walk more than {limit} minutes.")),
        _act("reserve_table", "food", "Reserve a table at a restaurant.", {"restaurant_id": P(Code("RS##"), "restaurant", "The restaurant's id."), "people": P(Int(2, 12, 1, 30), "number of people", "How many people."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD."), "time": P(Clock(12, 21), "time", "The time, as HH:MM.")}, {"booking": Code("TB-####")}, "The table is reserved; the number is {booking}.",
             "reserve a table at {restaurant_id} for {people} people {date} at {time}", "get a table for {people} people at {restaurant_id} {date} at {time}")),
    Chain(
        _search("find_slots", "health", "Find free appointments of a kind of doctor on a day.", {"doctor": P(DOCTOR, "kind of doctor", "Kind of doctor."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD.")},
                "look up the free appointments of {doctor} {date}", "find free appointments with {doctor} {date}", "check which appointments {doctor} has {date}"),
        {"slot_id": Code("S####"), "time": Clock(8, 17), "waiting_minutes": Int(5, 60), "km": Int(1, 25)},
        {"time min": ("the earliest one", "the first one"), "time max": ("the latest one", "the last one of the day"), "km min": ("the one that is nearest", "the closest one"), "waiting_minutes min": ("the one with the shortest wait",)},
        ("km", True, ("It must not be farther away than {limit} km.", "More than {limit} km is too far for me.")),
        _act("book_slot", "health", "Book a free appointment for a patient.", {"slot_id": P(Code("S####"), "appointment", "The id of the free appointment."), "patient": P(CALLER, "patient", "Name and phone number of the patient.")}, {"booking": Code("AP-####")}, "The appointment is booked under {booking}.",
             "book {slot_id} for {patient}", "take {slot_id} for {patient}", "reserve {slot_id}; the patient is {patient}"), True),
    Chain(
        _search("list_tickets", "support", "List the open tickets about a service.", {"service": P(SERVICE, "service", "Which service.")},
                "list the open tickets about {service}", "look up the open tickets of {service}", "see which tickets are open for {service}"),
        {"ticket": Code("TCK-####"), "title": ISSUE, "age_days": Int(1, 60), "votes": Int(0, 90), "comments": Int(0, 40)},
        {"age_days max": ("the oldest one", "the one that has waited longest"), "age_days min": ("the newest one",), "votes max": ("the one with the most votes",), "comments max": ("the one with the most comments",)},
        ("age_days", True, ("Ignore those that are older than {limit} days.", "What is older than {limit} days does not count.")),
        _act("assign_ticket", "support", "Assign a ticket to a person.", {"ticket": P(Code("TCK-####"), "ticket", "Number of the ticket."), "assignee": P(PERSON, "assignee", "Name and mail address of the person.")}, {"task": Code("JOB-####")}, "{ticket} is assigned as {task}.",
             "assign {ticket} to {assignee}", "give {ticket} to {assignee}")),
    Chain(
        _search("list_files", "files", "List the files in a folder.", {"folder": P(FOLDER, "folder", "Which folder.")},
                "list the files in {folder}", "look at the files in {folder}", "see what is in {folder}"),
        {"file": FILE, "kilobytes": Int(20, 9000), "days_since_change": Int(1, 400), "pages": Int(1, 120)},
        {"kilobytes max": ("the largest one", "the biggest one"), "kilobytes min": ("the smallest one",), "days_since_change min": ("the newest one", "the one that was changed last"), "days_since_change max": ("the oldest one",), "pages max": ("the one with the most pages",)},
        ("kilobytes", True, ("Ignore files of more than {limit} kilobytes.", "It must not have more than {limit} kilobytes.")),
        _act("send_file", "files", "Send a file to a person.", {"file": P(FILE, "file", "Name of the file."), "recipient": P(PERSON, "recipient", "Name and mail address of the recipient.")}, {"transfer": Code("SF-####")}, "{file} is on its way; the transfer is {transfer}.",
             "send {file} to {recipient}", "mail {file} to {recipient}", "pass {file} on to {recipient}")),
    Chain(
        _search("find_concerts", "culture", "Find concerts in a city on a day.", {"city": P(CITY, "city", "The city."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD.")},
                "look for concerts in {city} {date}", "find out which concerts there are in {city} {date}", "search for a concert in {city} {date}"),
        {"concert_id": Code("CN###"), "start": Clock(15, 22), "price_eur": Int(9, 120), "seats_left": Int(3, 400), "minutes": Int(50, 180)},
        {"price_eur min": ("the cheapest one",), "start min": ("the one that starts first", "the earliest one"), "start max": ("the one that starts last", "the latest one"), "seats_left max": ("the one with the most free seats",), "minutes max": ("the longest one",)},
        ("price_eur", True, ("A ticket may cost at most {limit} euros.", "More than {limit} euros a ticket is too much.")),
        _act("buy_tickets", "culture", "Buy tickets for a concert.", {"concert_id": P(Code("CN###"), "concert", "The concert's id."), "count": P(Int(2, 8, 1, 20), "number of tickets", "How many tickets."), "buyer": P(PERSON, "buyer", "Name and mail address of the buyer.")}, {"order": ORDER}, "The tickets are bought; the order is {order}.",
             "buy {count} tickets for {concert_id} in the name of {buyer}", "get {count} tickets for {concert_id}; the buyer is {buyer}"), True),
    Chain(
        _search("find_cars", "travel", "Find rental cars in a city.", {"city": P(CITY, "city", "The city."), "from": P(DAY, "first day", "First day, as YYYY-MM-DD."), "to": P(DAY, "last day", "Last day, as YYYY-MM-DD.")},
                "look for rental cars in {city} from {from} to {to}", "see which rental cars there are in {city} from {from} until {to}"),
        {"car_id": Code("CAR##"), "price_eur": Int(25, 160), "seats": Int(2, 9), "boot_litres": Int(150, 900), "range_km": Int(200, 900)},
        {"price_eur min": ("the cheapest one",), "seats max": ("the one with the most seats",), "boot_litres max": ("the one with the largest boot",), "range_km max": ("the one with the longest range", "the one that goes farthest")},
        ("price_eur", True, ("It must not cost more than {limit} euros a day.", "My limit is {limit} euros a day.")),
        _act("rent_a_car", "travel", "Rent a car for a driver.", {"car_id": P(Code("CAR##"), "car", "The car's id."), "driver": P(DRIVER, "driver", "Name and age of the driver.")}, {"contract": Code("CT-#####")}, "The car {car_id} is rented; the contract is {contract}.",
             "rent {car_id} for {driver}", "take {car_id}; the driver is {driver}")),
    Chain(
        _search("get_courier_offers", "shop", "Get the offers of couriers for a parcel.", {"to": P(CITY, "city", "Where it goes."), "weight_kg": P(Int(2, 30, 1, 70), "weight", "Weight in kilograms.")},
                "get offers for a parcel of {weight_kg} kg to {to}", "ask the couriers about a parcel to {to} of {weight_kg} kg", "see what couriers want for a parcel of {weight_kg} kg to {to}"),
        {"offer_id": Code("OF####"), "price_eur": Int(6, 90), "days": Int(1, 12), "insured_up_to": Int(50, 2000)},
        {"price_eur min": ("the cheapest one",), "days min": ("the fastest one", "the one that is there first"), "insured_up_to max": ("the one with the highest insurance",)},
        ("days", True, ("It must not take more than {limit} days.", "More than {limit} days is too long.")),
        _act("accept_offer", "shop", "Accept a courier's offer.", {"offer_id": P(Code("OF####"), "offer", "The offer's id."), "recipient": P(CALLER, "recipient", "Name and phone number of the recipient.")}, {"tracking": Code("@@########")}, "The courier comes; the tracking number is {tracking}.",
             "accept {offer_id}; the recipient is {recipient}", "take {offer_id} with {recipient} as the recipient")),
)  # fmt: skip


def spoken(chain: Chain, act: Tool) -> Tool:
    """What is done as it is asked for: its key described by a rule, and a limit to what is considered."""
    key, (field, _, limits) = next(iter(chain.found)), chain.limit
    twin = copy(act)
    twin.need = {**act.need, key: act.need[key]._replace(kind=Choice(chain.rules))}
    twin.may = {"limit": P(chain.found[field], "limit", "", limits)}
    twin.params = twin.need | twin.may
    twin.forms = [Form(form.text, twin.params) for form in act.forms]
    twin.__dict__.pop("also", None)
    return twin


_PAID_ONCE = (
    "book_flight",
    "buy_train_ticket",
    "accept_offer",
)  # elsewhere the price is for a night, a day or a piece
_EXPENSE = ("hand in its price as an expense for {category}", "submit what it costs as an expense under {category}", "enter its price as an expense for {category}")  # fmt: skip
_ENTRY = ("put it into my calendar as {title}", "enter it in my calendar under the title {title}", "add it to my calendar and call it {title}")  # fmt: skip
_CATEGORY = Choice({word: (word,) for word in ("travel", "training", "equipment")})
_TITLE = Phrase(("With {who}", "Do not miss this", "Date with {who}", "Fixed date {n}", "{who} and {other}", "{who} knows about it", "For {who}", "Booked for {who}", "Plan {n}", "My plan {n}"))  # fmt: skip


def _last(tool: Tool, forms: tuple[str, ...], stated: str, kind: Kind) -> Tool:
    """The last call as it is asked for: only one of its arguments is stated."""
    twin = copy(tool)
    twin.need, twin.may = {stated: tool.need[stated]._replace(kind=kind)}, {}
    twin.params = twin.need
    twin.forms = [Form(text, twin.params) for text in forms]
    twin.__dict__.pop("also", None)
    return twin


class Errand(NamedTuple):
    """A chain with its tools named in one style; `says` are the tools as requests speak of them."""

    chain: Chain
    search: Tool
    act: Tool
    act_says: Tool
    last: Tool | None = None
    last_says: Tool | None = None

    @property
    def tools(self) -> list[Tool]:
        return [self.search, self.act, *([self.last] if self.last else [])]

    @property
    def key(self) -> str:
        return next(iter(self.chain.found))


def _errands(style: str) -> list[Errand]:
    made: list[Errand] = []
    box = {tool.family: tool for tool in BOXES[style]}
    for chain in CHAINS:
        search, act = (tool.called(named(tool, style)) for tool in (chain.search, chain.act))
        plain = Errand(chain, search, act, spoken(chain, act))
        made.append(plain)
        if chain.act.name in _PAID_ONCE:
            made.append(
                plain._replace(
                    last=box["submit_expense"], last_says=_last(box["submit_expense"], _EXPENSE, "category", _CATEGORY)
                )
            )
        if chain.timed:
            made.append(
                plain._replace(last=box["create_event"], last_says=_last(box["create_event"], _ENTRY, "title", _TITLE))
            )
    return made


ERRANDS = {style: _errands(style) for style in sorted(set(STYLES))}


def finds(draw: Draw, chain: Chain, n: int, today: date) -> list[dict[str, Any]]:
    """`n` finds with different keys."""
    made: dict[Any, dict[str, Any]] = {}
    while len(made) < n:
        find = {name: kind.draw(draw, today) for name, kind in chain.found.items()}
        made[next(iter(find.values()))] = find
    return list(made.values())
