"""The values that tools of everyday life take: cities, people, addresses, messages, tasks, rooms, goods, codes and so on."""

from __future__ import annotations

from phiforge.data.pipelines.agents._groups import Record
from phiforge.data.pipelines.agents._values import SURNAMES, Choice, Code, Int, Pair, Phrase, Words
from phiforge.data.words import PEOPLE

_CITIES = """Accra|Adelaide|Almaty|Amman|Antwerp|Athens|Auckland|Bamako|Bangalore|Barcelona|Basel|Beirut|Belgrade|Bergen|Berlin|Bilbao|Bogota|Bologna|
Bordeaux|Boston|Bremen|Brisbane|Bucharest|Budapest|Cairo|Calgary|Cape Town|Cardiff|Chennai|Chicago|Cologne|Copenhagen|Cordoba|Cork|Dakar|Dallas|Denver|
Dresden|Dublin|Edinburgh|Florence|Gdansk|Geneva|Genoa|Ghent|Glasgow|Graz|Hamburg|Hanoi|Havana|Helsinki|Houston|Istanbul|Izmir|Jaipur|Kampala|Kigali|
Krakow|Kyoto|La Paz|Lagos|Leipzig|Lima|Lisbon|Ljubljana|Lyon|Madrid|Malaga|Manila|Marseille|Melbourne|Milan|Montreal|Mumbai|Munich|Nairobi|Nantes|
Naples|Nice|Osaka|Oslo|Ottawa|Palermo|Perth|Porto|Prague|Quito|Reykjavik|Riga|Rome|Rotterdam|Salzburg|San Diego|Santiago|Sapporo|Seattle|Seoul|Seville|
Singapore|Sofia|Stockholm|Sydney|Tallinn|Tampere|Tbilisi|Toronto|Trieste|Tunis|Turin|Utrecht|Valencia|Vancouver|Venice|Vienna|Vilnius|Warsaw|Zagreb|
Zurich"""
_STREETS = ("Mill", "Church", "Station", "Park", "River", "Garden", "Harbour", "School", "Bridge", "Market", "Linden", "Castle", "Meadow", "Orchard", "Tower", "Victoria")  # fmt: skip
_WAYS = ("Street", "Lane", "Road", "Avenue", "Square", "Row")

CITY = Words([city.strip() for city in _CITIES.split("|")], "city", "where", "place", "town")
PERSON = Words([person.name for person in PEOPLE], "who", "whom", "name", "person")
FULL_NAME = Pair([person.name for person in PEOPLE], SURNAMES, "who", "whom", "name", "person")
STREET = Pair(_STREETS, _WAYS, "street", "address", "where")
ADDRESS = Record(
    {"street": STREET, "number": Int(1, 180), "city": CITY},
    ("{number} {street}, {city}", "{number} {street} in {city}", "{street} {number}, {city}"),
    "address", "where",
)  # fmt: skip
LANGUAGE = Choice(
    {code: (name,) for code, name in zip(
        ("ar", "cs", "da", "nl", "fi", "fr", "de", "el", "hi", "hu", "it", "ja", "ko", "no", "pl", "pt", "ro", "es", "sv", "sw", "tr", "vi"),
        ["Arabic", "Czech", "Danish", "Dutch", "Finnish", "French", "German", "Greek", "Hindi", "Hungarian", "Italian", "Japanese", "Korean", "Norwegian", "Polish", "Portuguese", "Romanian", "Spanish", "Swedish", "Swahili", "Turkish", "Vietnamese"],
        strict=True)},
    "language",
)  # fmt: skip
CURRENCY = Choice(
    {"EUR": ("euros", "EUR"), "USD": ("US dollars", "USD"), "GBP": ("British pounds", "GBP"), "CHF": ("Swiss francs", "CHF"),
     "SEK": ("Swedish kronor", "SEK"), "PLN": ("Polish zloty", "PLN"), "INR": ("Indian rupees", "INR"), "CAD": ("Canadian dollars", "CAD"), "NOK": ("Norwegian kroner", "NOK")},
    "currency",
)  # fmt: skip
CUISINE = Choice({word.lower(): (word,) for word in ["Italian", "Indian", "Thai", "Mexican", "Greek", "Japanese", "Lebanese", "Ethiopian", "Korean", "French"]}, "cuisine", "kind of food")  # fmt: skip
PLACE = Choice(
    {"pharmacy": ("pharmacies",), "cafe": ("cafes", "coffee shops"), "bakery": ("bakeries",), "supermarket": ("supermarkets",), "parking": ("car parks",), "museum": ("museums",),
     "charging_station": ("charging stations",), "library": ("libraries",), "playground": ("playgrounds",), "gym": ("gyms",), "cinema": ("cinemas",)},
    "what kind", "which kind", "what sort",
)  # fmt: skip
RESTAURANT = Pair(("Golden", "Little", "Old", "Blue", "Green", "Silver", "Hidden", "Copper"), ("Lantern", "Fig Tree", "Anchor", "Olive", "Pepper Mill", "Heron", "Saffron House", "Oven"), "restaurant", "where", "place")  # fmt: skip
HOTEL = Pair(("Grand", "Park", "Harbour", "Central", "Garden", "Royal", "Lakeside", "Corner"), ("Hotel", "Inn", "Lodge", "Residence"), "hotel", "where")  # fmt: skip
ROOM = Choice({word.replace(" ", "_"): (f"the {word}",) for word in ("kitchen", "bedroom", "living room", "bathroom", "hallway", "study", "nursery", "garage", "dining room", "attic")}, "room", "where")  # fmt: skip
DOOR = Choice({word.replace(" ", "_"): (f"the {word}",) for word in ("front door", "back door", "garage door", "garden gate", "cellar door", "balcony door")}, "door")  # fmt: skip
PRODUCT = Words("""running shoes|desk lamps|rain jackets|electric kettles|hiking boots|office chairs|wool blankets|bluetooth speakers|cast iron pans|board games|yoga mats|bike helmets|
water bottles|wireless keyboards|garden hoses|coffee grinders|phone cases|travel pillows|sleeping bags|noise cancelling headphones|bread knives|bookshelves|watering cans|picture frames|
umbrellas|winter gloves|storage boxes|wall clocks|baking trays|camping stoves|monitor stands|toolboxes""".replace("\n", "").split("|"), "product", "what", "which item")  # fmt: skip
GENRE = Choice({word: (word,) for word in ("jazz", "rock", "folk", "soul", "techno", "opera", "reggae", "blues", "country", "samba")}, "genre", "kind of music")  # fmt: skip
SONG = Pair(("Paper", "Midnight", "Silver", "Summer", "Lonely", "Electric", "Golden", "Winter", "Velvet", "Broken", "Quiet", "Crimson"), ("Boats", "Highway", "Garden", "Letters", "Mirror", "Harbour", "Skyline", "Lullaby", "Compass", "Orchard"), "song", "title", "what", "which")  # fmt: skip
PLAYLIST = Pair(("Morning", "Rainy", "Focus", "Road", "Sunday", "Kitchen", "Late", "Gym"), ("Mix", "Songs", "Tunes", "Trip", "Hours", "Favourites"), "playlist")  # fmt: skip
BOOK = Pair(("The Last", "The Glass", "A Short", "The Silent", "The Salt", "The Northern", "An Honest", "The Second"), ("Lighthouse", "Orchard", "Winter", "Cartographer", "Harbour", "Kingdom", "Letter", "Summer", "Clockmaker"), "book", "title")  # fmt: skip
DISH = Words("""vegetable curry|mushroom risotto|lentil soup|chicken pie|tomato tart|pumpkin gnocchi|bean chili|fish stew|spinach lasagne|potato salad|apple crumble|rice pudding|beetroot soup|
noodle soup|falafel wraps|stuffed peppers|onion quiche|carrot cake|pea risotto|shepherd's pie""".replace("\n", "").split("|"), "dish", "what")  # fmt: skip
MEAL = Choice({word: (word,) for word in ("breakfast", "lunch", "dinner")}, "meal")
EXERCISE = Choice({"running": ("running", "a run"), "cycling": ("cycling", "a bike ride"), "swimming": ("swimming", "a swim"), "rowing": ("rowing",), "yoga": ("yoga",), "climbing": ("climbing",), "hiking": ("hiking", "a hike")}, "activity", "exercise", "what kind")  # fmt: skip
TEAM = Pair(("Harbour", "Northside", "Riverside", "Eastgate", "Valley", "Union", "Mountain", "Central"), ("Rovers", "United", "Lions", "Athletic", "Wanderers", "Falcons", "Comets", "Stars"), "team")  # fmt: skip
LEAGUE = Choice({word.lower().replace(" ", "_"): (f"the {word}",) for word in ("Premier Division", "Northern League", "Coastal Cup", "Winter Series", "National League")}, "league")  # fmt: skip
MEDICINE = Words(("ibuprofen", "paracetamol", "vitamin D", "the iron tablets", "the cough syrup", "the allergy pills", "magnesium", "the eye drops"), "medicine", "what")  # fmt: skip
DOCTOR = Choice({"dentist": ("the dentist",), "general_practitioner": ("the general practitioner", "the GP"), "dermatologist": ("the dermatologist",), "optician": ("the optician",), "physiotherapist": ("the physiotherapist",)}, "doctor", "practice", "whom", "who")  # fmt: skip
LIST_ITEM = Words(("oat milk", "rye bread", "light bulbs", "dish soap", "bananas", "batteries", "olive oil", "red lentils", "stamps", "cat food", "toothpaste", "eggs", "onions", "coffee beans", "printer paper", "sponges", "brown sugar", "lemons", "yoghurt", "candles"), "what", "item")  # fmt: skip
LIST_NAME = Choice({word: (f"the {word} list",) for word in ("shopping", "packing", "wish", "party", "hardware", "garden")}, "list")  # fmt: skip
FOLDER = Pair(("/home", "/work", "/shared", "/archive"), ("invoices", "photos", "reports", "recipes", "contracts", "drafts", "slides", "music"), "folder", "where", between="/")  # fmt: skip
FILE = Pair(("budget", "minutes", "travel_plan", "logo", "inventory", "survey", "thesis", "schedule", "poster", "lease"), ("2024.xlsx", "2025.pdf", "final.docx", "v2.pdf", "draft.txt", "scan.png"), "file", between="_")  # fmt: skip
STATION = Pair(CITY.words, ("Central", "North", "Airport", "Harbour"), "station", "where", "from", "to")
COMPANY = Pair(("Aldermoor", "Brightwater", "Castlegate", "Dovetail", "Elmfield", "Fairhaven", "Greywacke", "Highmark"), ("Energy", "Foods", "Motors", "Robotics", "Textiles", "Shipping", "Biotech", "Software"), "company")  # fmt: skip
TOPIC = Words("""solar panels|electric buses|sourdough bread|coral reefs|medieval bridges|urban beekeeping|heat pumps|sign language|volcanoes|tidal power|rail strikes|chess openings|
space telescopes|wind farms|bird migration|watch making|the housing market|football transfers|river restoration|mountain rescue|old maps|cheese making""".replace("\n", "").split("|"), "topic", "what", "about")  # fmt: skip
SERVICE = Choice({word: (f"the {word} service",) for word in ("billing", "login", "search", "payments", "upload", "report", "mailing")}, "service")  # fmt: skip

TASK = Phrase(("call {who}", "water the plants", "pay the electricity bill", "take out the recycling", "give {thing} back to {who}", "fetch {thing} from {who}", "book a table for {n} people", "renew the library card",
    "send {who} the photos", "ask {who} about {thing}", "feed {who}'s cat", "defrost the soup", "check the tyre pressure", "bring {thing} to {who}", "order {n} chairs", "wish {who} a happy birthday",
    "print {n} copies of the form", "tell {who} about the visit of {other}", "pick up {who} from the station", "clean the coffee machine"), "what", "about", "remind you of", quoted=False)  # fmt: skip
MESSAGE = Phrase(("I will be {n} minutes late", "The keys are with {who}", "Dinner is at {time} at {who}'s place", "Can you bring {thing} on {weekday}?", "The meeting on {weekday} is cancelled", "{who} has moved to room {n}",
    "Please call {who} back before {time}", "We need {n} more chairs for {weekday}", "The parcel for {who} has arrived", "Please do not forget {thing}", "{who} and {other} are coming too", "The train leaves at {time}", "Happy birthday!",
    "I left {thing} at your place", "Have you heard from {who}?", "The plumber comes on {weekday} at {time}", "Good luck on {weekday}!", "{who} has found {thing}", "Let us start at {time} instead", "I have paid for {n} tickets"), "message", "what", "text")  # fmt: skip
SUBJECT = Phrase(("Keys for the flat", "Offer of {weekday}", "Lunch on {weekday}", "Minutes of the {weekday} meeting", "Invoice {n}", "Question about {thing}", "Visit of {who}", "Room {n}", "Thanks for {thing}", "Plan for {weekday}",
    "News from {who}", "Order of {n} chairs", "Training on {weekday}", "Trip with {who} and {other}"), "subject")  # fmt: skip
EVENT = Phrase(("Lunch with {who}", "Team meeting", "Budget review", "Choir practice", "Call with {who}", "Parents' evening", "Interview with {who}", "Workshop on {n} ideas", "Dinner with {who} and {other}", "Board meeting {n}", "Site visit",
    "Piano lesson", "Planning with {who}", "Farewell party for {who}", "Yoga class", "Chess evening", "Code review with {who}", "Rehearsal {n}"), "title", "what", "called", "name")  # fmt: skip
NOTE = Phrase(("The wifi password is on {thing}", "{who} likes tea without milk", "Meter reading {n}", "Ideas for {who}'s birthday", "The spare part has number {n}", "{who} owes me {n} euros", "Paint for the hall: {n} litres", "Ask {who} for {thing}",
    "{other} recommends {who} as a plumber", "The gate code changes on {weekday}", "Bus {n} leaves at {time}", "{who} keeps {thing}"), "note", "what", "text")  # fmt: skip
SENTENCE = Phrase(("Where is the station?", "The bill, please.", "I would like {n} stamps.", "My luggage has not arrived.", "{who} is allergic to nuts.", "The shop closes at {time}.", "We have lost {thing}.", "Is this seat free?", "{who} lives next door.",
    "Does this bus stop at the market?", "See you on {weekday}.", "The room is too cold.", "I am looking for {who}.", "We need {n} plates."), "text", "sentence", "what")  # fmt: skip
WORD = Words(["ephemeral", "gregarious", "ledger", "quorum", "isthmus", "pragmatic", "tangible", "verdant", "zealous", "arduous", "benevolent", "candid", "diligent", "frugal", "lucid", "meticulous", "nocturnal", "obsolete", "placid", "resilient", "serene", "tenacious", "ubiquitous", "wistful", "aberration", "brevity", "catalyst", "dissent"], "word")  # fmt: skip
ISSUE = Phrase(("The login page is blank", "Export of {n} rows fails", "Search returns no results for {who}", "Dates are off by one day", "The button on page {n} does nothing", "Upload stops after {n} minutes", "Wrong total on invoice {n}", "Mails to {who} are sent twice",
    "The chart for {weekday} is empty", "Printing cuts off line {n}"), "title", "what", "problem", "about")  # fmt: skip

ORDER = Code("ORD-#####", "order")
FLIGHT = Code("@@ ###", "flight")
TICKET = Code("TCK-####", "ticket")
ITEM_ID = Code("P-####", "product", "item", "id")
PLATE = Code("@@ ####", "plate", "car")
EVENT_ID = Code("EV-####", "event", "id")
PARCEL = Code("@@########", "parcel", "tracking", "number")
