"""Tools of work and errands: travel, maps, shops, banks, files, translation, search, food, tickets, company and code."""

from __future__ import annotations

from phiforge.data.pipelines.agents._groups import Record, Several
from phiforge.data.pipelines.agents._kinds import (
    ADDRESS,
    BOOK,
    CITY,
    COMPANY,
    CURRENCY,
    DISH,
    FILE,
    FLIGHT,
    FOLDER,
    FULL_NAME,
    HOTEL,
    ISSUE,
    ITEM_ID,
    LANGUAGE,
    ORDER,
    PARCEL,
    PLACE,
    PLATE,
    PRODUCT,
    RESTAURANT,
    SENTENCE,
    SERVICE,
    STATION,
    TICKET,
    TOPIC,
    WORD,
)  # fmt: skip
from phiforge.data.pipelines.agents._moments import Clock, Day
from phiforge.data.pipelines.agents._toolbox import Param as P
from phiforge.data.pipelines.agents._toolbox import Tool
from phiforge.data.pipelines.agents._values import Choice, Code, Decimal, Email, Int

WHEN, DAY, TIME = Day(on=True), Day(), Clock()
CABIN = Choice({"economy": ("economy",), "business": ("business class",), "first": ("first class",)}, "class", "cabin")
GUESTS = Record({"adults": Int(2, 4, 1, 9), "children": Int(2, 4, 0, 9)}, ("{adults} adults and {children} children", "{children} children and {adults} adults", "{adults} grown-ups with {children} children"), "how many", "who")  # fmt: skip
DRIVER = Record(
    {"name": FULL_NAME, "age": Int(21, 74, 18, 99)},
    ("{name}, aged {age}", "{name} ({age} years old)"),
    "who",
    "driver",
)
ITEM = Record(
    {"dish": DISH, "quantity": Int(2, 5, 1, 50)},
    ("{quantity} portions of {dish}", "{quantity} servings of {dish}"),
    "what",
    "dish",
)
BOX = Record({"length": Int(20, 90, 1, 200), "width": Int(15, 60, 1, 200), "height": Int(13, 50, 1, 200)}, ("{length} by {width} by {height} cm", "{length} x {width} x {height} cm", "{length} cm long, {width} cm wide and {height} cm high"), "size", "how big", "dimensions", "how large")  # fmt: skip
STATUS = Choice(
    {"open": ("open",), "in_progress": ("in progress",), "waiting": ("waiting",), "closed": ("closed",)}, "status"
)
LEVEL = Choice({"low": ("low",), "normal": ("normal",), "high": ("high",), "urgent": ("urgent",)}, "priority")
LENGTH = {"kilometres": "km", "miles": "mi", "metres": "m", "feet": "ft"}
UNIT = Choice({short: (long,) for long, short in LENGTH.items()}, "unit", "what")

ERRANDS = (
    # --- travel
    Tool(
        "search_flights", "travel", "Search flights between two cities.",
        {"from": P(CITY, "city of departure", "City of departure."), "to": P(CITY, "destination", "City of arrival."), "date": P(WHEN, "date", "Day of departure, as YYYY-MM-DD.")},
        {"passengers": P(Int(2, 6, 1, 9), "number of passengers", "How many people fly.", ("We are {passengers} people.", "There are {passengers} of us."), 1),
         "cabin": P(CABIN, "cabin", "Class of travel.", ("We want to sit in {cabin}.", "The tickets should be {cabin}.")),
         "max_price": P(Int(90, 900, 1), "highest price", "Highest price in euros for each person.", ("More than {max_price} euros each is too much.", "Spend at most {max_price} euros for each person.")),
         "direct_only": P(Choice({True: ("direct flights", "flights without a stop")}), "direct flights only", "Whether to leave out flights with stops.", ("I only want {direct_only}.",))},
        ("find flights from {from}[ to {to}][ {date}]", "Which flights are there from {from} to {to} {date}?", "search flights[ from {from}] to {to}[ {date}]", "look for a flight[ from {from}][ to {to}][ {date}]", "I have to fly from {from} to {to} {date}: what is there?"),
        {"flight": FLIGHT, "price": Int(80, 700)}, "The cheapest is {flight} for {price} euros."),
    Tool(
        "get_flight_status", "travel", "Get the current status of a flight.",
        {"flight": P(FLIGHT, "flight number", "The flight number.")}, {"date": P(WHEN, "date", "Day of departure, as YYYY-MM-DD.", ("It leaves {date}.", "I mean the one {date}."))},
        ("Is flight {flight} on time?", "check the status of flight {flight}", "When does flight {flight} land?", "Has {flight} taken off yet?", "find out whether flight {flight} is delayed"),
        {"delay_minutes": Int(2, 90)}, "Flight {flight} is {delay_minutes} minutes late."),
    Tool(
        "book_hotel", "travel", "Book a hotel room.",
        {"hotel": P(HOTEL, "hotel", "Name of the hotel."), "check_in": P(DAY, "day of arrival", "Day of arrival, as YYYY-MM-DD."), "nights": P(Int(2, 10, 1, 30), "number of nights", "How many nights.")},
        {"guests": P(GUESTS, "guests", "Who stays there.", ("We are {guests}.", "The room is for {guests}.")),
         "breakfast": P(Choice({True: ("with breakfast",), False: ("without breakfast",)}), "breakfast", "Whether breakfast is included.", ("We want the room {breakfast}.", "Book it {breakfast}.")),
         "room": P(Choice({"single": ("a single room",), "double": ("a double room",), "suite": ("a suite",)}), "kind of room", "Kind of room.", ("We need {room}.", "It should be {room}."))},
        ("book the {hotel}[ from {check_in}][ for {nights} nights]", "reserve a room at the {hotel}[ from {check_in}][ for {nights} nights]", "get us into the {hotel}[ for {nights} nights][ from {check_in}]", "book {nights} nights at the {hotel}[ from {check_in}]"),
        {"booking": Code("H-#####"), "price": Int(140, 900)}, "The {hotel} is booked for {price} euros."),
    Tool(
        "search_trains", "travel", "Search train connections between two stations.",
        {"from": P(STATION, "station of departure", "Station of departure."), "to": P(STATION, "station of arrival", "Station of arrival."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD.")},
        {"after": P(TIME, "earliest departure", "Earliest departure, as HH:MM.", ("I cannot leave before {after}.", "It has to leave after {after}.")),
         "bicycle": P(Choice({True: ("with a bicycle",)}), "bicycle", "Whether a bicycle is taken along.", ("I travel {bicycle}.",))},
        ("find a train from {from}[ to {to}][ {date}]", "Which trains go from {from} to {to} {date}?", "look up trains[ from {from}] to {to}[ {date}]", "How do I get from {from} to {to} by train {date}?"),
        {"departure": TIME, "changes": Int(0, 3)}, "There is one at {departure}; number of changes: {changes}."),
    Tool(
        "rent_car", "travel", "Rent a car.",
        {"city": P(CITY, "city", "Where to pick it up."), "from": P(DAY, "first day", "First day, as YYYY-MM-DD."), "to": P(DAY, "last day", "Last day, as YYYY-MM-DD."), "driver": P(DRIVER, "driver", "Who drives.")},
        {"size": P(Choice({"small": ("small",), "medium": ("medium-sized",), "van": ("a van",)}), "size", "Size of the car.", ("The car should be {size}.",)),
         "automatic": P(Choice({True: ("automatic",), False: ("manual",)}), "gearbox", "Whether it has an automatic gearbox.", ("The gearbox should be {automatic}.", "I drive {automatic} cars only."))},
        ("rent a car in {city}[ from {from}][ to {to}][ for the driver {driver}]", "hire a car[ in {city}][ from {from}][ until {to}][; the driver is {driver}]", "get a rental car[ in {city}][ from {from}][ to {to}][ with {driver} as the driver]"),
        {"booking": Code("R-#####"), "price": Int(90, 800)}, "The car in {city} is reserved for {price} euros."),
    # --- maps
    Tool(
        "get_directions", "maps", "Get the way between two addresses.",
        {"from": P(ADDRESS, "starting point", "Where it starts."), "to": P(ADDRESS, "destination", "Where it ends."), "mode": P(Choice({"walk": ("on foot",), "bicycle": ("by bicycle", "by bike"), "car": ("by car",), "transit": ("by public transport",)}, "how", "mode", "means"), "means of transport", "How to travel.")},
        {"avoid": P(Several(Choice({"tolls": ("tolls",), "motorways": ("motorways",), "ferries": ("ferries",)}), 1, 2), "things to avoid", "What to avoid.", ("Avoid {avoid}.", "I want no {avoid}."))},
        ("How do I get from {from} to {to} {mode}?", "show me the way from {from}[ to {to}][ {mode}]", "plan a route[ from {from}] to {to}[ {mode}]", "find the way[ from {from}][ to {to}][ {mode}]"),
        {"minutes": Int(6, 80), "km": Int(2, 40)}, "It takes {minutes} minutes for {km} km."),
    Tool(
        "find_places", "maps", "Find places of some kind in a city.",
        {"kind": P(PLACE, "kind of place", "Kind of place."), "city": P(CITY, "city", "In which city.")},
        {"open_now": P(Choice({True: ("that are open now",)}), "open now", "Whether to list only what is open.", ("Only those {open_now}.",)),
         "radius_km": P(Decimal(1, 12, 1), "radius", "Distance from the centre in kilometres.", ("They should be within {radius_km} km of the centre.", "Search within {radius_km} km of the centre.")),
         "min_rating": P(Decimal(3, 4.8, 1), "lowest rating", "Lowest rating, up to 5.", ("The rating should be at least {min_rating}.", "Nothing rated below {min_rating}, please."))},
        ("find {kind} in {city}", "Which {kind} are there in {city}?", "show me {kind}[ in {city}]", "Where in {city} are {kind}?", "look for {kind}[ in {city}]"),
        {"found": Int(2, 30)}, "There are {found} {kind} in {city}."),
    Tool(
        "pay_parking", "maps", "Pay for parking a car.",
        {"plate": P(PLATE, "number plate", "Number plate of the car."), "zone": P(Code("Z##", "zone"), "zone", "Parking zone."), "minutes": P(Int(15, 240, 15, 720), "duration in minutes", "How long, in minutes.")}, {},
        ("pay {minutes} minutes of parking for the car {plate}[ in zone {zone}]", "pay for parking {plate}[ in zone {zone}][ for {minutes} minutes]", "buy a parking ticket for {plate}[, zone {zone}][, {minutes} minutes]", "I have parked {plate} in zone {zone}: pay for {minutes} minutes."),
        {"price": Decimal(1, 12)}, "Parking for {plate} is paid: {price} euros."),
    # --- shop
    Tool(
        "search_products", "shop", "Search the products of the shop.",
        {"query": P(PRODUCT, "product", "What to look for.")},
        {"max_price": P(Int(15, 250, 1), "highest price", "Highest price in euros.", ("They should cost at most {max_price} euros.", "My limit is {max_price} euros.")),
         "colour": P(Choice({word: (word,) for word in ("black", "white", "red", "blue", "green", "grey", "yellow")}), "colour", "Wanted colour.", ("I would like {colour} ones.", "The colour should be {colour}.")),
         "sort": P(Choice({"price": ("price",), "rating": ("rating",), "newest": ("date of release",)}), "order", "Order of the results.", ("Sort them by {sort}.", "Order them by {sort}."))},
        ("find {query} in the shop", "search the shop for {query}", "What {query} do you have?", "show me {query}", "I am looking for {query}."),
        {"found": Int(2, 60)}, "There are {found} kinds of {query}."),
    Tool(
        "add_to_cart", "shop", "Put a product into the shopping cart.",
        {"product_id": P(ITEM_ID, "product's id", "Id of the product."), "quantity": P(Int(2, 12, 1, 99), "quantity", "How many.")},
        {"gift_wrap": P(Choice({True: ("with gift wrapping", "gift-wrapped"), False: ("without gift wrapping",)}), "gift wrapping", "Whether to wrap it.", ("I want it {gift_wrap}.",))},
        ("put {quantity} of {product_id} into my cart", "add {product_id}[, {quantity} times,] to the cart", "add {quantity} pieces of {product_id} to my basket", "I take {quantity} of {product_id}; put them into the cart."),
        {"total": Decimal(20, 400)}, "The cart comes to {total} euros."),
    Tool(
        "track_order", "shop", "Find out where an order is.",
        {"order_id": P(ORDER, "order number", "The order number.")}, {"notify_by": P(Choice({"sms": ("text message",), "email": ("mail",)}), "channel", "How to tell the user of news.", ("Keep me informed by {notify_by}.", "News should come by {notify_by}."))},
        ("Where is my order {order_id}?", "track order {order_id}", "When will {order_id} arrive?", "check what has become of order {order_id}", "Has order {order_id} been shipped?"),
        {"days_left": Int(2, 9)}, "Order {order_id} arrives in {days_left} days."),
    Tool(
        "return_order", "shop", "Send an order back for a refund.",
        {"order_id": P(ORDER, "order number", "The order number."), "reason": P(Choice({"damaged": ("it arrived damaged", "it was damaged"), "wrong_size": ("it has the wrong size", "the size is wrong"), "not_wanted": ("I do not want it any more",), "late": ("it came too late",)}, "reason", "why"), "reason", "Why it is returned.")},
        {"refund_to": P(Choice({"card": ("my card",), "voucher": ("a voucher",)}), "refund", "How to pay back.", ("The refund should go to {refund_to}.",))},
        ("return order {order_id}[ because {reason}]", "send {order_id} back[, as {reason}]", "I want to return {order_id}: {reason}.", "register a return for order {order_id}[; {reason}]"),
        {"label": Code("RT-#####")}, "Here is the label for {order_id}: {label}."),
    Tool(
        "ship_parcel", "shop", "Order a courier for a parcel.",
        {"to": P(ADDRESS, "address", "Where it goes."), "weight_kg": P(Decimal(1, 20, 1), "weight", "Weight in kilograms."), "size_cm": P(BOX, "size", "Size in centimetres.")},
        {"express": P(Choice({True: ("by express",), False: ("by normal post",)}), "express", "Whether it goes by express.", ("Send it {express}.",)),
         "insured_for": P(Int(50, 900, 0), "insured value", "Insured value in euros.", ("Insure it for {insured_for} euros.", "It is worth {insured_for} euros; insure it for that."))},
        ("ship a parcel to {to}[, {weight_kg} kg][, {size_cm}]", "send a parcel[ of {weight_kg} kg] to {to}[; it is {size_cm}]", "order a courier for a parcel[ of {weight_kg} kg][, {size_cm}][, to {to}]"),
        {"tracking": PARCEL}, "The courier comes; the number is {tracking}."),
    # --- bank
    Tool(
        "transfer_money", "bank", "Send money to somebody.",
        {"to": P(FULL_NAME, "recipient", "Full name of the recipient."), "amount": P(Decimal(5, 900), "amount", "The amount."), "currency": P(CURRENCY, "currency", "ISO code of the currency.")},
        {"reference": P(Code("REF ####"), "reference", "Text for the recipient.", ("The reference is {reference}.", "Give {reference} as the reference.")),
         "date": P(WHEN, "date", "Day of the transfer, as YYYY-MM-DD.", ("It should be sent {date}.", "Do it {date}."))},
        ("transfer {amount} {currency}[ to {to}]", "send {to} {amount} {currency}", "pay {to} {amount} {currency}", "I owe {to} {amount} {currency}; send the money.", "wire {amount} {currency}[ to {to}]"),
        {"transaction": Code("TX-######")}, "{amount} {currency} went to {to}."),
    Tool(
        "list_transactions", "bank", "List the transactions of an account.",
        {"account": P(Choice({"checking": ("my checking account",), "savings": ("my savings account",), "credit_card": ("my credit card",)}, "account"), "account", "Which account.")},
        {"since": P(Day(past=True), "first day", "First day, as YYYY-MM-DD.", ("Begin with {since}.", "Only what happened since {since}, please.")),
         "min_amount": P(Int(20, 500, 0), "lowest amount", "Lowest amount in euros.", ("Leave out what is below {min_amount} euros.", "Only amounts from {min_amount} euros on matter."))},
        ("What happened on {account}?", "show me the transactions[ of {account}]", "list the payments[ of {account}]", "Which transactions are there on {account}?"),
        {"count": Int(3, 40)}, "There are {count} transactions on {account}."),
    Tool(
        "freeze_card", "bank", "Block a bank card.",
        {"last_digits": P(Code("####", "digits", "number", "card"), "last four digits", "The last four digits of the card."), "reason": P(Choice({"lost": ("I have lost it", "it is lost"), "stolen": ("it was stolen", "somebody stole it"), "suspicious": ("there are strange payments on it",)}, "reason", "why"), "reason", "Why it is blocked.")},
        {"order_new": P(Choice({True: ("Order a new card, too", "I need a new one as well"), False: ("Do not order a new one",)}), "new card", "Whether to order a new card.", ("{order_new}.",))},
        ("block my card ending in {last_digits}[; {reason}]", "freeze the card ending in {last_digits}[ because {reason}]", "My card ending in {last_digits} must be blocked: {reason}."),
        {"status": Choice({"blocked": ("blocked",)})}, "The card ending in {last_digits} is {status}."),
    Tool(
        "convert_currency", "bank", "Convert an amount of money at today's rate.",
        {"amount": P(Decimal(5, 5000), "amount", "The amount."), "from": P(CURRENCY, "currency", "ISO code of its currency."), "to": P(CURRENCY, "target currency", "ISO code of the wanted currency.")}, {},
        ("How much is {amount} {from} in {to}?", "convert {amount} {from}[ into {to}]", "What do I get in {to} for {amount} {from}?", "turn {amount} {from} into {to}"),
        {"result": Decimal(5, 9000)}, "That makes {result} {to}."),
    Tool(
        "get_stock_price", "bank", "Get the price of a company's share.",
        {"company": P(COMPANY, "company", "Name of the company.")}, {"date": P(Day(on=True, past=True), "date", "A day in the past, as YYYY-MM-DD; now if left out.", ("I want the price as it was {date}.", "It is about the price {date}."))},
        ("What does a share of {company} cost?", "look up the share price[ of {company}]", "How high is the stock of {company}?", "get the stock price[ of {company}]"),
        {"price": Decimal(8, 300)}, "A share of {company} costs {price} euros."),
    # --- files
    Tool(
        "find_files", "files", "Find files in a folder.",
        {"folder": P(FOLDER, "folder", "Where to look.")},
        {"extension": P(Choice({word: (word,) for word in ("pdf", "docx", "xlsx", "png", "txt")}), "file type", "Only files with this extension.", ("Only {extension} files matter.", "I only need the {extension} files.")),
         "modified_since": P(Day(past=True), "first day", "Only files changed since this day, as YYYY-MM-DD.", ("They must have changed since {modified_since}.", "Leave out what has not changed since {modified_since}."))},
        ("list the files in {folder}", "What is in the folder {folder}?", "show me what {folder} contains", "Which files are in {folder}?"),
        {"found": Int(2, 50)}, "There are {found} files in {folder}."),
    Tool(
        "move_file", "files", "Move a file into another folder.",
        {"file": P(FILE, "file", "Name of the file."), "from": P(FOLDER, "folder", "Where it is now."), "to": P(FOLDER, "new folder", "Where it should be.")},
        {"overwrite": P(Choice({True: ("Overwrite it if it is there already", "You may overwrite an older one"), False: ("Do not overwrite anything",)}), "overwriting", "Whether to replace a file of the same name.", ("{overwrite}.",))},
        ("move {file} from {from}[ to {to}]", "put {file}, which is in {from}, into {to}", "The file {file} lies in {from}; move it to {to}.", "move the file {file}[ from {from}] to {to}"),
        {"status": Choice({"moved": ("moved",)})}, "{file} is in {to} now."),
    Tool(
        "share_file", "files", "Share a file with people.",
        {"file": P(FILE, "file", "Name of the file."), "with": P(Several(Email(), 1, 3), "people", "Mail addresses of the people."), "access": P(Choice({"view": ("view it", "read it"), "edit": ("edit it", "change it"), "comment": ("comment on it",)}, "allowed", "access", "do with it"), "access", "What they may do.")},
        {"expires": P(WHEN, "end", "Last day of access, as YYYY-MM-DD.", ("Access ends {expires}.", "The access should end {expires}."))},
        ("share {file} with {with}[ so that they can {access}]", "give {with} access to {file}[ to {access}]", "let {with} have {file}[ and {access}]", "share the file {file}[ with {with}][; they may {access}]"),
        {"link": Code("S-######")}, "{file} is shared."),
    # --- translation, search, units
    Tool(
        "translate_text", "language", "Translate a text into another language.",
        {"text": P(SENTENCE, "text", "The text."), "to": P(LANGUAGE, "target language", "Code of the language to translate into.")},
        {"formal": P(Choice({True: ("formal", "polite"), False: ("informal", "casual")}), "tone", "Whether the tone is formal.", ("The tone should be {formal}.", "Make it {formal}."))},
        ("translate {text}[ into {to}]", "How do I say {text} in {to}?", "put the words {text} into {to}", "What is {text} in {to}?", "give me {text}[ in {to}]"),
        {"characters": Int(10, 60)}, "The translation has {characters} characters."),
    Tool(
        "define_word", "language", "Look up a word in the dictionary.",
        {"word": P(WORD, "word", "The word.")}, {"examples": P(Int(2, 6, 0, 10), "number of examples", "How many example sentences to give.", ("Give me {examples} example sentences.", "Add {examples} examples."))},
        ('What does the word "{word}" mean?', 'look up "{word}" in the dictionary', 'define the word "{word}"', 'What is the meaning of "{word}"?'),
        {"senses": Int(2, 6)}, "The dictionary has {senses} meanings for {word}."),
    Tool(
        "search_web", "search", "Search the web.",
        {"query": P(TOPIC, "topic", "What to search for.")}, {"language": P(LANGUAGE, "language", "Language of the pages.", ("Pages in {language} only.", "The pages should be in {language}.")), "results": P(Int(3, 20, 1, 50), "number of results", "How many results.", ("{results} results are enough.", "Give me {results} results."), 10)},
        ("search the web for {query}", "look online for {query}", "What does the web say about {query}?", "find web pages about {query}"),
        {"found": Int(20, 900)}, "The web has {found} pages about {query}.", broad=True),
    Tool(
        "get_news", "search", "Get news about a topic.",
        {"topic": P(TOPIC, "topic", "The topic.")},
        {"since": P(Day(past=True), "first day", "Only news since this day, as YYYY-MM-DD.", ("Only news since {since}, please.", "Start with {since}.")), "limit": P(Int(3, 15, 1, 50), "number of items", "How many items.", ("{limit} items will do.", "Limit it to {limit} items."))},
        ("What is new about {topic}?", "get the news[ about {topic}]", "Is there any news on {topic}?", "show me the latest news[ about {topic}]"),
        {"found": Int(2, 20)}, "There are {found} new items about {topic}."),
    Tool(
        "convert_length", "conversion", "Convert a length from one unit into another.",
        {"value": P(Decimal(2, 400, 1), "value", "The number."), "from": P(UNIT, "unit", "Its unit."), "to": P(UNIT, "target unit", "The wanted unit.")}, {},
        ("How many {to} are {value} {from}?", "convert {value} {from}[ into {to}]", "What is {value} {from} in {to}?", "express {value} {from} in {to}"),
        {"result": Decimal(1, 900, 1)}, "{value} {from} are {result} {to}."),
    Tool(
        "get_time", "conversion", "Get the current time in a city.",
        {"city": P(CITY, "city", "The city.")}, {},
        ("What time is it in {city}?", "tell me the time[ in {city}]", "How late is it in {city} now?", "check the local time[ in {city}]"),
        {"time": TIME}, "In {city} it is {time}."),
    # --- food and culture
    Tool(
        "book_table", "food", "Reserve a table at a restaurant.",
        {"restaurant": P(RESTAURANT, "restaurant", "Name of the restaurant."), "people": P(Int(2, 12, 1, 30), "number of people", "How many people."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD."), "time": P(Clock(11, 21), "time", "The time, as HH:MM.")},
        {"place": P(Choice({"inside": ("inside",), "terrace": ("on the terrace",), "window": ("by the window",)}), "place", "Where to sit.", ("We want to sit {place}.", "A seat {place} would be nice.")),
         "name": P(FULL_NAME, "name", "Name for the reservation.", ("The reservation goes under the name {name}.", "Use the name {name}."))},
        ("book a table at the {restaurant}[ for {people} people][ {date}][ at {time}]", "reserve a table for {people} people at the {restaurant}[ {date}][ at {time}]", "get us a table[ {date}][ at {time}] at the {restaurant}[ for {people} people]", "We are {people} people and want to eat at the {restaurant} {date} at {time}: reserve a table."),
        {"booking": Code("T-#####")}, "Your table at the {restaurant} is booked, {date} at {time}."),
    Tool(
        "order_food", "food", "Order food to be delivered.",
        {"items": P(Several(ITEM, 1, 3), "dishes", "What to order."), "address": P(ADDRESS, "address", "Where to bring it.")},
        {"time": P(Clock(11, 21), "time of delivery", "When to bring it, as HH:MM.", ("Bring it at {time}.", "It should be here at {time}.")), "note": P(Choice({"ring": ("Ring the bell",), "leave_at_door": ("Leave it at the door",), "call": ("Call me when you are there",)}), "instruction", "What the rider should do.", ("{note}.",))},
        ("order {items}[ to {address}]", "have {items} delivered[ to {address}]", "get me {items}[, delivered to {address}]", "We would like {items} at {address}."),
        {"minutes": Int(20, 60), "price": Decimal(12, 90)}, "The food costs {price} euros and comes in {minutes} minutes."),
    Tool(
        "find_recipe", "food", "Find recipes for a dish.",
        {"dish": P(DISH, "dish", "What to cook.")},
        {"max_minutes": P(Int(15, 90, 5, 600), "longest time", "Longest cooking time in minutes.", ("It should take at most {max_minutes} minutes.", "I have {max_minutes} minutes.")), "servings": P(Int(2, 10, 1, 40), "servings", "For how many people.", ("I cook for {servings} people.", "It has to feed {servings} people.")),
         "without": P(Several(Choice({word: (word,) for word in ("nuts", "milk", "gluten", "eggs", "garlic", "sugar")}), 1, 2), "ingredients to leave out", "Ingredients it must not have.", ("It must not contain {without}.", "Somebody cannot eat {without}."))},
        ("find a recipe for {dish}", "How do I make {dish}?", "look up recipes for {dish}", "I want to cook {dish}; find a recipe."),
        {"found": Int(2, 30)}, "There are {found} recipes for {dish}."),
    Tool(
        "find_events", "culture", "Find public events in a city.",
        {"city": P(CITY, "city", "The city."), "kind": P(Choice({"concert": ("concerts",), "theatre": ("plays",), "exhibition": ("exhibitions",), "market": ("street markets",), "reading": ("readings",)}, "kind", "what"), "kind of event", "Kind of event."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD.")},
        {"free_only": P(Choice({True: ("without an entrance fee", "that cost nothing")}), "free only", "Whether to list only free ones.", ("I only want those {free_only}.",))},
        ("Which {kind} are there in {city} {date}?", "find {kind}[ in {city}][ {date}]", "list the {kind}[ in {city}] {date}", "Are there {kind} in {city} {date}?"),
        {"found": Int(2, 15)}, "I found {found} {kind} in {city}."),
    Tool(
        "renew_loan", "culture", "Extend the loan of a library book.",
        {"title": P(BOOK, "title", "Title of the book."), "card": P(Code("L-#####", "card", "number"), "library card number", "Number of the library card.")}, {"weeks": P(Int(2, 6, 1, 8), "number of weeks", "By how many weeks.", ("Extend it by {weeks} weeks.", "{weeks} more weeks would be good."), 4)},
        ('renew my loan of "{title}"[, card {card}]', 'extend the loan of "{title}"[ on the card {card}]', 'I have not finished "{title}": renew it on card {card}.', 'renew "{title}" at the library[ with card {card}]'),
        {"due": DAY}, "{title} is due on {due}."),
    # --- company
    Tool(
        "create_ticket", "support", "Open a ticket for a problem.",
        {"title": P(ISSUE, "title", "The problem in a few words."), "priority": P(LEVEL, "priority", "How urgent it is.")},
        {"assignee": P(FULL_NAME, "assignee", "Who should work on it.", ("Assign it to {assignee}.", "{assignee} should work on it.")), "due": P(WHEN, "due date", "By when, as YYYY-MM-DD.", ("It is due {due}.", "The deadline is {due}.")),
         "labels": P(Several(Choice({word: (word,) for word in ("backend", "frontend", "mobile", "data", "security")}), 1, 3), "labels", "Labels of the ticket.", ("The labels are {labels}.", "Label it {labels}."))},
        ("open a ticket: {title}[, priority {priority}]", "create a ticket with the title {title}[ and {priority} priority]", "file {title} as a ticket[ of {priority} priority]", "report {title}[ with priority {priority}] as a ticket"),
        {"ticket": TICKET}, "The ticket {title} is open."),
    Tool(
        "update_ticket", "support", "Change the status of a ticket.",
        {"ticket_id": P(TICKET, "ticket number", "Number of the ticket."), "status": P(STATUS, "status", "The new status.")},
        {"comment": P(ISSUE, "comment", "A comment for the ticket.", ("Add the comment {comment}.", "The comment for it: {comment}."))},
        ("set ticket {ticket_id} to {status}", "change the status of {ticket_id}[ to {status}]", "mark ticket {ticket_id}[ as {status}]", "{ticket_id} is {status} now; update it."),
        {"status_now": Choice({"saved": ("saved",)})}, "The change to {ticket_id} is {status_now}."),
    Tool(
        "request_leave", "company", "Ask for days off work.",
        {"from": P(DAY, "first day", "First day off, as YYYY-MM-DD."), "to": P(DAY, "last day", "Last day off, as YYYY-MM-DD."), "kind": P(Choice({"vacation": ("vacation", "holiday"), "parental": ("parental leave",), "training": ("training",), "unpaid": ("unpaid leave",)}, "kind", "type"), "kind of leave", "Kind of leave.")},
        {"substitute": P(FULL_NAME, "substitute", "Who takes over.", ("{substitute} takes over for me.", "My substitute is {substitute}."))},
        ("request {kind} for me from {from}[ to {to}]", "put in for {kind}[ from {from}][ until {to}]", "I want to take {kind} from {from} to {to}: send the request.", "apply for {kind} from {from}[ to {to}]"),
        {"request": Code("LV-####")}, "Your request is in."),
    Tool(
        "submit_expense", "company", "Hand in an expense.",
        {"amount": P(Decimal(4, 600), "amount", "The amount."), "currency": P(CURRENCY, "currency", "ISO code of the currency."), "category": P(Choice({"travel": ("travel",), "meals": ("meals",), "equipment": ("equipment",), "training": ("training",)}, "category", "what", "kind"), "category", "What it was spent on.")},
        {"date": P(Day(on=True, past=True, within=40), "date", "Day of the expense, as YYYY-MM-DD.", ("I paid it {date}.", "It was spent {date}.")), "project": P(Code("PRJ-###"), "project", "The project that pays.", ("The project is {project}.", "Book it on {project}."))},
        ("hand in an expense of {amount} {currency}[ for {category}]", "submit {amount} {currency}[ spent on {category}] as an expense", "I spent {amount} {currency} on {category}: submit it as an expense.", "enter an expense of {amount} {currency}[ under {category}]"),
        {"expense": Code("EX-####")}, "The expense of {amount} {currency} is handed in."),
    Tool(
        "book_room", "company", "Book a meeting room.",
        {"room": P(Code("B-###", "room"), "room number", "Number of the room."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD."), "start": P(Clock(8, 17), "start time", "Start, as HH:MM."), "minutes": P(Int(30, 180, 15, 480), "duration in minutes", "How long, in minutes.")},
        {"equipment": P(Several(Choice({"projector": ("a projector",), "whiteboard": ("a whiteboard",), "camera": ("a camera",)}), 1, 2), "equipment", "What has to be in the room.", ("We need {equipment}.", "There should be {equipment}."))},
        ("book room {room}[ {date}][ at {start}][ for {minutes} minutes]", "reserve the meeting room {room}[ {date}][ from {start} on][ for {minutes} minutes]", "I need meeting room {room} {date} at {start} for {minutes} minutes."),
        {"booking": Code("RM-####")}, "Room {room} is yours, {date} at {start}."),
    # --- code
    Tool(
        "restart_service", "operations", "Restart a service on a server.",
        {"service": P(SERVICE, "service", "Which service."), "environment": P(Choice({"staging": ("staging",), "production": ("production",), "test": ("the test environment",)}, "environment", "where"), "environment", "Where it runs.")},
        {"grace_seconds": P(Int(5, 120, 0, 600), "grace period", "Seconds to wait for open requests.", ("Wait {grace_seconds} seconds for open requests.", "Give it {grace_seconds} seconds to finish."))},
        ("restart {service}[ in {environment}]", "reboot {service}[ on {environment}]", "bring {service} down and up again[ in {environment}]"),
        {"seconds": Int(3, 90)}, "It took {seconds} seconds to restart {service}."),
    Tool(
        "get_logs", "operations", "Get the log lines of a service.",
        {"service": P(SERVICE, "service", "Which service.")},
        {"level": P(Choice({"error": ("errors",), "warning": ("warnings",), "info": ("notices",)}), "level", "Which lines.", ("I only need the {level}.", "Only {level} matter.")), "lines": P(Int(20, 500, 1, 5000), "number of lines", "How many lines.", ("{lines} lines are enough.", "Show {lines} lines."), 100),
         "window": P(Record({"from": TIME, "to": TIME}, ("from {from} to {to}", "between {from} and {to}")), "time window", "Between which times of today.", ("Take the time {window}.", "It happened {window}."))},
        ("show me the logs[ of {service}]", "What do the logs of {service} say?", "get the log lines[ of {service}]", "pull the logs[ of {service}]"),
        {"lines": Int(20, 400)}, "I have {lines} lines of {service}."),
    Tool(
        "find_colleague", "company", "Find out who in the company knows about a topic.",
        {"topic": P(TOPIC, "topic", "The topic.")}, {"office": P(CITY, "office", "Only people at this office.", ("It should be somebody from the office in {office}.", "I am thinking of the office in {office}."))},
        ("Who in the company knows about {topic}?", "find a colleague who knows about {topic}", "Which colleague can I ask about {topic}?"),
        {"name": FULL_NAME}, "{name} knows about {topic}."),
)  # fmt: skip
