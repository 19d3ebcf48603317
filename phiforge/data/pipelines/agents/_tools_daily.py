"""Tools of the day: weather, messages, mail, calendar, contacts, notes, timers, home, music, health and sport."""

from __future__ import annotations

from phiforge.data.pipelines.agents._groups import Several
from phiforge.data.pipelines.agents._kinds import (
    ADDRESS,
    CITY,
    DISH,
    DOCTOR,
    DOOR,
    EVENT,
    EVENT_ID,
    EXERCISE,
    FULL_NAME,
    GENRE,
    LEAGUE,
    LIST_ITEM,
    LIST_NAME,
    MEAL,
    MEDICINE,
    MESSAGE,
    NOTE,
    PERSON,
    PLAYLIST,
    ROOM,
    SONG,
    SUBJECT,
    TASK,
    TEAM,
    TOPIC,
)  # fmt: skip
from phiforge.data.pipelines.agents._moments import Clock, Day
from phiforge.data.pipelines.agents._toolbox import Param as P
from phiforge.data.pipelines.agents._toolbox import Tool
from phiforge.data.pipelines.agents._values import Choice, Code, Decimal, Email, Int

WHEN, DAY, TIME = Day(on=True), Day(), Clock()
SCALE = Choice({"celsius": ("Celsius", "degrees Celsius"), "fahrenheit": ("Fahrenheit", "degrees Fahrenheit")}, "unit")
SKY = Choice(
    {"cloudy": ("cloudy",), "sunny": ("sunny",), "rainy": ("rainy",), "windy": ("windy",), "foggy": ("foggy",)}
)
MINUTES = Int(2, 90, 1, 600)

DAILY = (
    # --- weather
    Tool(
        "get_weather", "weather", "Get the weather forecast for a city on a day.",
        {"city": P(CITY, "city", "The city.")},
        {"date": P(WHEN, "date", "The day, as YYYY-MM-DD; today if left out.", ("I mean the weather {date}.", "It is about the weather {date}.")),
         "unit": P(SCALE, "unit", "The unit of temperatures.", ("Give me the temperatures in {unit}.", "I think in {unit}.", "Use {unit}."), "celsius")},
        ("What will the weather be like in {city}[ {date}]?", "How is the weather in {city}[ {date}]?", "tell me the weather forecast for {city}[ {date}]", "Do I need an umbrella in {city}[ {date}]?", "look up how warm it gets in {city}[ {date}]", "check the forecast[ for {city}][ {date}]"),
        {"temperature": Int(-5, 34), "sky": SKY, "rain_mm": Int(0, 18)}, "The forecast for {city} is {temperature} degrees and {sky} with {rain_mm} mm of rain."),
    Tool(
        "get_air_quality", "weather", "Get the air quality index of a city right now.",
        {"city": P(CITY, "city", "The city.")},
        {"pollutant": P(Choice({"pm25": ("fine dust",), "ozone": ("ozone",), "no2": ("nitrogen dioxide",)}, "pollutant"), "pollutant", "A single pollutant to report.", ("I only care about {pollutant}.", "Only {pollutant} matters to me."))},
        ("How clean is the air in {city}?", "What is the air quality in {city}?", "check the air quality[ in {city}]", "Is the air in {city} fit for a run?", "find out how polluted the air in {city} is"),
        {"index": Int(10, 180)}, "The air quality index of {city} is {index}."),
    Tool(
        "get_sunrise", "weather", "Get the times of sunrise and sunset in a city on a day.",
        {"city": P(CITY, "city", "The city."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD.")}, {},
        ("When does the sun rise in {city} {date}?", "At what time will the sun set in {city} {date}?", "tell me when it gets light[ in {city}][ {date}]", "look up sunrise and sunset[ in {city}][ {date}]"),
        {"sunrise": Clock(5, 8), "sunset": Clock(17, 21)}, "In {city} the sun rises at {sunrise} and sets at {sunset}."),
    # --- messages and mail
    Tool(
        "send_message", "messages", "Send a text message to one of the user's contacts.",
        {"to": P(PERSON, "recipient", "First name of the contact."), "text": P(MESSAGE, "text of the message", "What the message says.")},
        {"at": P(TIME, "time of sending", "When to send it, as HH:MM; at once if left out.", ("Do not send it before {at}.", "It should go out at {at}."))},
        ("text {to}[: {text}]", "send {to} a message[ that says {text}]", "send a message[ to {to}][: {text}]", "let {to} know[: {text}]", "write a message[ to {to}][ with the words {text}]"),
        {"message_id": Code("M-####")}, "Your message to {to} is on its way."),
    Tool(
        "send_email", "mail", "Send an email.",
        {"to": P(Several(Email(), 1, 2), "recipient's address", "Addresses of the recipients."), "subject": P(SUBJECT, "subject", "The subject line."), "body": P(MESSAGE, "text of the mail", "The text of the mail.")},
        {"priority": P(Choice({"high": ("high",), "low": ("low",)}, "priority"), "priority", "Priority of the mail.", ("Its priority is {priority}.", "Give it {priority} priority.")),
         "read_receipt": P(Choice({True: ("with a read receipt",), False: ("without a read receipt",)}), "read receipt", "Whether to ask for a read receipt.", ("Send it {read_receipt}.",))},
        ("send an email[ to {to}][, subject {subject}][, text {body}]", "mail {to}[ under the subject {subject}][: {body}]", "write a mail[ to {to}][, subject {subject}][, saying {body}]", "email {to}[ about {subject}][ with this text: {body}]"),
        {"message_id": Code("M-####")}, "The mail with the subject {subject} is sent."),
    Tool(
        "search_mail", "mail", "Search the user's mailbox.",
        {"sender": P(FULL_NAME, "sender", "Full name of the sender.")},
        {"since": P(Day(past=True), "first day", "Only mails since this day, as YYYY-MM-DD.", ("Only what came since {since} matters.", "Leave out what is older than {since}.")),
         "unread_only": P(Choice({True: ("only unread mails", "nothing but unread mails")}), "unread only", "Whether to list only unread mails.", ("Show {unread_only}.",)),
         "limit": P(Int(3, 25, 1, 100), "limit", "How many mails to list at most.", ("At most {limit} of them, please.", "Stop after {limit} mails."))},
        ("find the mails[ from {sender}]", "Which mails did {sender} send me?", "search my mailbox for mails[ by {sender}]", "Has {sender} written to me by mail?", "dig up what {sender} mailed me"),
        {"found": Int(2, 30)}, "There are {found} mails from {sender}."),
    # --- calendar
    Tool(
        "create_event", "calendar", "Add an event to the user's calendar.",
        {"title": P(EVENT, "title", "What the event is called."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD."), "start": P(TIME, "start time", "When it begins, as HH:MM.")},
        {"minutes": P(Int(20, 180, 5, 1440), "duration in minutes", "How long it lasts, in minutes.", ("It takes {minutes} minutes.", "It lasts {minutes} minutes.", "Block {minutes} minutes for it."), 60),
         "attendees": P(Several(Email(), 1, 3), "attendees", "Mail addresses of the people to invite.", ("Invite {attendees}.", "The invitation goes to {attendees}.")),
         "location": P(ADDRESS, "location", "Where it takes place.", ("It takes place at {location}.", "We meet at {location}."))},
        ("put {title} into my calendar[ {date}][ at {start}]", "create an event called {title}[ {date}][ at {start}]", "add {title} to my calendar[ {date}][, starting at {start}]", "schedule {title}[ {date}][ at {start}]", "enter {title}[ {date}][ at {start}] in my calendar"),
        {"event_id": EVENT_ID}, "{title} is in your calendar, {date} at {start}."),
    Tool(
        "list_events", "calendar", "List the events in the user's calendar between two days.",
        {"from": P(DAY, "first day", "First day, as YYYY-MM-DD."), "to": P(DAY, "last day", "Last day, as YYYY-MM-DD.")},
        {"with": P(PERSON, "person", "Only events with this person.", ("Only those with {with} matter.", "I only want the ones with {with}."))},
        ("What is in my calendar from {from} to {to}?", "list my events[ from {from}][ until {to}]", "Which events do I have between {from} and {to}?", "show me my calendar[ from {from}][ up to {to}]"),
        {"count": Int(2, 14)}, "There are {count} events in that time."),
    Tool(
        "move_event", "calendar", "Move an event of the calendar to another time.",
        {"event_id": P(EVENT_ID, "event's id", "The id of the event."), "date": P(WHEN, "new date", "The new day, as YYYY-MM-DD."), "start": P(TIME, "new start time", "The new start, as HH:MM.")},
        {"notify": P(Choice({True: ("Tell the other people about it", "Let the guests know"), False: ("Do not tell the other people about it", "Do not notify anybody")}), "notification", "Whether to tell the attendees.", ("{notify}.",))},
        ("move the event {event_id}[; it should take place {date}][; let it start at {start}]", "reschedule event {event_id}[; I want it {date}][; it should start at {start}]", "shift event {event_id}[: it should be {date}][, with {start} as its start]", "Event {event_id} has to take place {date} at {start}: please move it."),
        {"status": Choice({"moved": ("moved",)})}, "Event {event_id} is {status}."),
    # --- contacts
    Tool(
        "find_contact", "contacts", "Look up a person in the user's contacts.",
        {"name": P(FULL_NAME, "name", "Full name of the person.")},
        {"field": P(Choice({"phone": ("phone number",), "email": ("mail address",), "address": ("home address",), "birthday": ("birthday",)}), "detail", "The only detail to return.", ("I only need the {field}.", "Only the {field} is of interest.", "What I want is the {field}."))},
        ("look up {name} in my contacts", "find the contact[ of {name}]", "What do my contacts say about {name}?", "open the contact card[ of {name}]", "Is {name} among my contacts?"),
        {"phone": Code("0### ######"), "email": Email()}, "{name} has the number {phone} and the address {email}."),
    Tool(
        "add_contact", "contacts", "Save a new contact.",
        {"name": P(FULL_NAME, "name", "Full name of the person."), "phone": P(Code("0### ######", "phone", "number"), "phone number", "The phone number.")},
        {"email": P(Email(), "mail address", "The mail address.", ("The mail address is {email}.", "Mail goes to {email}.")),
         "address": P(ADDRESS, "home address", "Where the person lives.", ("The address is {address}.", "Home is {address}.")),
         "group": P(Choice({"family": ("family",), "work": ("work",), "friends": ("friends",)}), "group", "The group of the contact.", ("Put the contact into the group {group}.", "It belongs to the group {group}."))},
        ("save {name} as a new contact[ with the number {phone}]", "add {name} to my contacts[, phone {phone}]", "create a contact for {name}[ with phone number {phone}]", "make a new contact[ for {name}][; the number is {phone}]"),
        {"contact_id": Code("C-####")}, "{name} is saved."),
    # --- notes, lists, timers
    Tool(
        "create_note", "notes", "Save a note.",
        {"text": P(NOTE, "text of the note", "What the note says.")},
        {"tags": P(Several(Choice({word: (word,) for word in ("home", "work", "family", "ideas", "money", "travel")}), 1, 3), "tags", "Tags by which it is found.", ("Tag it with {tags}.", "The tags are {tags}.")),
         "pinned": P(Choice({True: ("Pin it to the top", "Keep it pinned")}), "pin", "Whether it stays on top.", ("{pinned}.",))},
        ("make a note: {text}", "note this down: {text}", "save {text} as a note", "write {text} into my notes", "keep this as a note: {text}"),
        {"note_id": Code("N-####")}, "The note {text} is saved."),
    Tool(
        "search_notes", "notes", "Search the user's notes for a topic.",
        {"query": P(TOPIC, "topic", "What to look for.")},
        {"since": P(Day(past=True), "first day", "Only notes since this day, as YYYY-MM-DD.", ("Only notes since {since} count.", "Nothing from before {since}."))},
        ("find my notes[ about {query}]", "What did I note down about {query}?", "search my notes[ for {query}]", "Do I have any notes on {query}?", "look through my notes[ for {query}]"),
        {"found": Int(2, 12)}, "You have {found} notes about {query}."),
    Tool(
        "add_to_list", "notes", "Add things to one of the user's lists.",
        {"list": P(LIST_NAME, "list", "Which list."), "items": P(Several(LIST_ITEM, 1, 4), "items", "What to add.")}, {},
        ("add {items} to {list}", "put {items} on {list}", "write {items} on {list}", "Note {items} on {list}, please."),
        {"length": Int(5, 20)}, "Done: the list has {length} entries now."),
    Tool(
        "set_timer", "timers", "Start a countdown.",
        {"minutes": P(MINUTES, "number of minutes", "How many minutes it runs.")},
        {"label": P(DISH, "label", "What the timer is for.", ("It is for the {label}.", "Label it {label}."))},
        ("set a timer[ for {minutes} minutes]", "start a countdown[ of {minutes} minutes]", "wake the kitchen timer[ for {minutes} minutes]", "Let a timer run for {minutes} minutes.", "count down {minutes} minutes"),
        {"timer_id": Code("T-###")}, "The timer runs for {minutes} minutes."),
    Tool(
        "set_alarm", "timers", "Set an alarm for a time of day.",
        {"time": P(Clock(4, 10), "time", "When it rings, as HH:MM.")},
        {"days": P(Several(Choice({day[:3].lower(): (day,) for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}), 1, 3), "weekdays", "Weekdays on which it repeats.", ("Repeat it every {days}.", "I need it every {days}.")),
         "sound": P(Choice({"bell": ("the bell",), "birds": ("the birds",), "radio": ("the radio",), "waves": ("the waves",)}), "sound", "What it plays.", ("Use {sound} as the sound.", "Let it play {sound}."))},
        ("set an alarm[ for {time}]", "wake me[ at {time}]", "I have to get up at {time}; set an alarm.", "make the alarm ring[ at {time}]"),
        {"alarm_id": Code("A-###")}, "The alarm is set for {time}."),
    Tool(
        "create_reminder", "timers", "Remind the user of something to be done.",
        {"date": P(WHEN, "date", "The day, as YYYY-MM-DD."), "task": P(TASK, "task", "What is to be done.")},
        {"time": P(TIME, "time", "The time of day, as HH:MM.", ("The reminder should come at {time}.", "I want the reminder at {time}."), "09:00")},
        ("remind me[ {date}][ at {time}] to {task}", "set a reminder[ for me {date}][ at {time}] to {task}", "create a reminder[ {date}][ at {time}] to {task}", "make sure that I am reminded[ {date}][ at {time}] to {task}"),
        {"reminder_id": Code("R-###")}, "You will be reminded {date} to {task}."),
    # --- home
    Tool(
        "set_light", "home", "Change the light in a room.",
        {"room": P(ROOM, "room", "Which room."), "brightness": P(Int(5, 100, 0, 100), "brightness in percent", "Brightness in percent; 0 is off.")},
        {"colour": P(Choice({word: (word,) for word in ("warm white", "cold white", "red", "green", "blue", "amber")}), "colour", "Colour of the light.", ("The colour should be {colour}.", "Make it {colour}.")),
         "fade_seconds": P(Int(2, 60, 0, 300), "fade in seconds", "How slowly it changes, in seconds.", ("Let it change over {fade_seconds} seconds.", "Take {fade_seconds} seconds for it."))},
        ("set the light in {room}[ to {brightness} percent]", "dim the lamps in {room}[ to {brightness} percent]", "turn the light[ in {room}] to {brightness} percent", "bring the lights in {room}[ to {brightness} percent]"),
        {"status": Choice({"ok": ("as you wished",)})}, "The light in {room} is at {brightness} percent now."),
    Tool(
        "set_thermostat", "home", "Set the temperature of a room.",
        {"room": P(ROOM, "room", "Which room."), "degrees": P(Decimal(15, 25, 1), "temperature", "Wanted temperature in degrees Celsius.")},
        {"until": P(TIME, "end time", "Until when, as HH:MM.", ("Keep it like this until {until}.", "Only until {until}, though."))},
        ("heat {room}[ to {degrees} degrees]", "set the thermostat in {room}[ to {degrees} degrees]", "I want {degrees} degrees in {room}.", "make {room} {degrees} degrees warm"),
        {"status": Choice({"heating": ("heating",)})}, "The thermostat in {room} is set to {degrees} degrees."),
    Tool(
        "lock_door", "home", "Lock or unlock a door of the home.",
        {"door": P(DOOR, "door", "Which door."), "action": P(Choice({"lock": ("lock",), "unlock": ("unlock",)}), "action", "What to do.")},
        {"for_minutes": P(Int(2, 30, 1, 120), "minutes", "After how many minutes it goes back to what it was.", ("Reverse it after {for_minutes} minutes.", "Undo it {for_minutes} minutes later."))},
        ("use the smart lock to {action} {door}", "make sure to {action} {door}", "I forgot about {door}: {action} it for me.", "see to it that you {action} {door}"),
        {"status": Choice({"done": ("done",)})}, "It is done: you asked me to {action} {door}."),
    Tool(
        "start_vacuum", "home", "Send the robot vacuum cleaner to rooms.",
        {"rooms": P(Several(ROOM, 1, 3), "rooms", "The rooms to clean.")},
        {"mode": P(Choice({"quiet": ("quiet",), "strong": ("strong",), "eco": ("eco",)}), "mode", "How it cleans.", ("Use the {mode} mode.", "The {mode} mode is best.")),
         "start": P(TIME, "start time", "When it begins, as HH:MM.", ("Do not begin before {start}.", "Begin at {start}."))},
        ("vacuum {rooms}", "have the robot clean {rooms}", "send the vacuum cleaner[ to {rooms}]", "let the robot vacuum[ {rooms}]"),
        {"battery": Int(40, 100)}, "The robot is on its way; its battery is at {battery} percent."),
    # --- music
    Tool(
        "play_song", "music", "Play a song.",
        {"title": P(SONG, "title", "Title of the song.")},
        {"artist": P(FULL_NAME, "artist", "Who sings it.", ("I mean the one by {artist}.", "It is by {artist}.")),
         "speaker": P(ROOM, "speaker", "The room of the speaker.", ("Use the speaker in {speaker}.", "Let it sound in {speaker}.")),
         "volume": P(Int(10, 90, 0, 100), "volume", "Volume in percent.", ("The volume should be {volume} percent.", "Set the volume to {volume} percent."))},
        ("play {title}", "put on the song {title}", "play the song[ {title}]", "I would love to hear {title} now.", "start the track[ {title}]"),
        {"seconds": Int(120, 300)}, "{title} is playing; it lasts {seconds} seconds."),
    Tool(
        "create_playlist", "music", "Create a playlist.",
        {"name": P(PLAYLIST, "name of the playlist", "What it is called."), "genre": P(GENRE, "genre", "Kind of music in it.")},
        {"songs": P(Int(10, 60, 1, 500), "number of songs", "How many songs it gets.", ("Put {songs} songs on it.", "It should have {songs} songs.")),
         "public": P(Choice({True: ("public",), False: ("private",)}), "visibility", "Whether others can see it.", ("Make it {public}.", "It has to be {public}."))},
        ("make a playlist called {name}[ with {genre}]", "create the playlist {name}[ with {genre} music]", "put together a[ {genre}] playlist called {name}", "start a new playlist[ of {genre}], {name}"),
        {"playlist_id": Code("PL-###")}, "The playlist {name} is there."),
    # --- health and sport
    Tool(
        "log_meal", "health", "Enter a meal into the food diary.",
        {"meal": P(MEAL, "meal", "Which meal."), "dish": P(DISH, "dish", "What was eaten."), "calories": P(Int(150, 950, 0, 5000), "calories", "How many kilocalories it had.")}, {},
        ("I had {dish} for {meal}, {calories} calories; put it into my food diary.", "log {dish} for {meal}[ with {calories} calories]", "enter {dish} in the food diary[ as my {meal}][, {calories} calories]", "note in the food diary that I ate {dish}[ for {meal}][, {calories} calories]"),
        {"total": Int(900, 2400)}, "That makes {total} calories today."),
    Tool(
        "log_workout", "health", "Enter a workout into the training diary.",
        {"activity": P(EXERCISE, "activity", "Kind of exercise."), "minutes": P(Int(15, 150, 1, 600), "duration in minutes", "How long it took, in minutes.")},
        {"distance_km": P(Decimal(2, 60, 1), "distance", "Distance in kilometres.", ("I covered {distance_km} kilometres.", "The distance was {distance_km} km.")),
         "effort": P(Int(2, 10, 1, 10), "effort", "How hard it was, from 1 to 10.", ("The effort was {effort} out of 10.", "I would call the effort {effort} out of 10."))},
        ("log {activity} of {minutes} minutes", "enter {activity} of {minutes} minutes into my training diary", "My training today was {activity}, {minutes} minutes; write it down.", "record {activity}[ of {minutes} minutes] as a workout"),
        {"week_minutes": Int(160, 400)}, "This week you have trained {week_minutes} minutes."),
    Tool(
        "book_appointment", "health", "Book an appointment at a doctor's practice.",
        {"doctor": P(DOCTOR, "kind of doctor", "Which kind of doctor."), "date": P(WHEN, "date", "The day, as YYYY-MM-DD."), "time": P(Clock(8, 16), "time", "The time, as HH:MM.")},
        {"patient": P(FULL_NAME, "patient", "Who the patient is, if not the user.", ("The patient is {patient}.", "It is for {patient}.")),
         "first_visit": P(Choice({True: ("the first visit",), False: ("not the first visit",)}), "first visit", "Whether it is the first visit.", ("It is {first_visit}.",))},
        ("book an appointment with {doctor}[ {date}][ at {time}]", "get me an appointment[ {date}][ at {time}] with {doctor}", "make an appointment[ with {doctor}][ {date}][ at {time}]", "I have to see {doctor} {date} at {time}: book it."),
        {"booking": Code("B-####")}, "Your appointment with {doctor} is booked, {date} at {time}."),
    Tool(
        "set_medicine_reminder", "health", "Remind the user to take a medicine every day.",
        {"medicine": P(MEDICINE, "medicine", "Name of the medicine."), "times": P(Several(TIME, 1, 3), "times", "Times of day, as HH:MM.")},
        {"until": P(DAY, "last day", "Last day, as YYYY-MM-DD.", ("I take it until {until}.", "The last day is {until}."))},
        ("remind me every day[ at {times}] to take {medicine}", "I take {medicine} daily at {times}; remind me of it.", "set up a daily reminder for {medicine}[ at {times}]"),
        {"status": Choice({"active": ("active",)})}, "The reminder for {medicine} is {status}."),
    Tool(
        "get_score", "sport", "Get the result of a team's latest match.",
        {"team": P(TEAM, "team", "Name of the team.")},
        {"league": P(LEAGUE, "league", "The competition.", ("It is about {league}.", "I mean the match in {league}."))},
        ("How did {team} play?", "What was the score of {team}'s last match?", "tell me the latest result[ of {team}]", "Did {team} win?", "check how the match[ of {team}] ended"),
        {"scored": Int(0, 5), "conceded": Int(0, 5)}, "{team} scored {scored} and conceded {conceded}."),
    Tool(
        "get_standings", "sport", "Get the table of a league.",
        {"league": P(LEAGUE, "league", "Which league.")},
        {"top": P(Int(3, 10, 1, 30), "number of teams", "How many teams to show.", ("The first {top} teams are enough.", "Show the top {top}."))},
        ("show me the table[ of {league}]", "Who leads {league}?", "What are the standings in {league}?", "get the standings[ of {league}]"),
        {"leader": TEAM, "points": Int(20, 70)}, "{leader} lead with {points} points."),
)  # fmt: skip
