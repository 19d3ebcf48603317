"""What people ask for every day, how they want it written, and what nobody could know: requests of the data of
phiforge-135m-reasoning."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

from phiforge.records import Example, Message, Problem, Provenance

TOPICS = ["the moon", "volcanoes", "how bread is baked", "the water cycle", "bees", "the Roman empire", "photosynthesis",
          "earthquakes", "glass", "the human heart", "rainbows", "electricity", "the printing press", "whales", "tides",
          "vaccines", "bridges", "chess", "the violin", "coral reefs", "deserts", "migration of birds", "steam engines",
          "the sun", "honey", "tea", "paper", "dreams", "the alphabet", "clocks", "snow", "magnets"]  # fmt: skip
REQUESTS = ["Tell me about {}.", "Explain {} to a child.", "Write two sentences about {}.", "Why do people find {} interesting?",
            "Give me three facts about {}.", "Write a short poem about {}.", "What should a beginner know about {}?"]  # fmt: skip
SMALL_TALK = ["Hello!", "Hi, how are you?", "Who are you?", "Thank you for your help.", "Good morning!", "What can you do?",
              "Can you help me write an email to my teacher?", "Give me a name for a cat.", "I am bored. What could I do?",
              "How do I make a cup of tea?", "What is a good breakfast?", "Suggest a weekend activity.",
              "Write a thank-you note to a neighbour.", "How can I sleep better?", "Tell me a joke.",
              "What is the difference between a simile and a metaphor?", "How do I start a conversation?"]  # fmt: skip

TASKS = ["adds two numbers", "reverses a string", "finds the largest number in a list", "counts the vowels in a word",
         "checks whether a number is prime", "sorts a list of names", "reads a file line by line",
         "removes duplicates from a list", "computes a factorial", "converts Celsius to Fahrenheit", "joins two lists",
         "prints the numbers from 1 to 10"]  # fmt: skip
CODE = ["Write a Python function that {}.", "Show me code that {}.", "How do I write a program that {}?",
        "Explain how a function that {} works."]  # fmt: skip
PEOPLE = [
    "my boss",
    "a friend",
    "my teacher",
    "the landlord",
    "a customer",
    "my grandmother",
    "the school",
    "a colleague",
]
MAILS = ["Write an email to {} to ask for a day off.", "Write a short apology to {}.", "Write a message to {} about a delay.",
         "Help me thank {} for a gift.", "Draft an invitation to {} for Saturday."]  # fmt: skip
THINGS = ["a command-line tool that trains models", "a Python library for charts", "a web server", "a speech recogniser",
          "a test framework", "a program that finds private data", "an evaluation harness", "a package manager"]  # fmt: skip
MANUALS = ["Write the README of {}.", "Write the installation notes of {}.", "Write a page of documentation for {}.",
           "List the settings of {} and what they do.", "Write the release notes of {}."]  # fmt: skip
EVERYDAY = ["What is the capital of {}?|France;Japan;Canada;Egypt;Brazil;Norway;Kenya;India",
            "Translate '{}' into Spanish.|good morning;thank you;where is the station;I am hungry;see you tomorrow",
            "What can I cook with {}?|eggs and spinach;rice and beans;potatoes;chicken and lemon;tomatoes",
            "Suggest a name for a {}.|bakery;bookshop;dog;boat;rock band;village",
            "I feel {} today.|sad;tired;happy;nervous;lonely",
            "Who wrote {}?|Romeo and Juliet;Don Quixote;Moby Dick;Pride and Prejudice;Faust",
            "Give me three tips for {}.|learning the guitar;saving money;sleeping well;public speaking;running",
            "List five {}.|planets;fruits;inventions;rivers;musical instruments;European cities"]  # fmt: skip

# What nobody could know from books: live figures, one's own life, people and places that there are not.
UNKNOWN = ["What is the weather like in {} right now?|Paris;Lima;Oslo;Cairo;Toronto;Mumbai|what the weather is at the moment",
           "What time is it in {}?|Tokyo;Rome;Sydney;Boston;Nairobi|what time it is now",
           "What does a share of {} cost today?|a car maker;an airline;the largest bank;a steel mill|today's prices",
           "Who won the {} yesterday?|football match;chess tournament;bicycle race;election|what happened yesterday",
           "What did I {}?|have for breakfast;dream last night;buy last week;say to my sister|anything about your life",
           "Where have I left my {}?|keys;glasses;umbrella;wallet;phone|where your things are",
           "What is the name of my {}?|neighbour;first teacher;dog;boss;cousin|who that is",
           "When was {} born?|Ottilie Brandvoort;Hamish Quarrel;Ludo Ferrante-Nwosu;Petra Olmstrand;Idris Vanterpool|that person",
           "What is {} famous for?|the village of Brunnendahl;the river Sorvik;Castle Merrowby;the island of Tamako|that place",
           "Who wrote the novel {}?|The Clockwork Orchard of Lund;A Hundred Grey Doors;Salt for the Beekeeper|that book",
           "What will {} next year?|the lottery numbers be;bread cost;the weather be like in May|the future"]  # fmt: skip
ADMIT = ["I don't know {}, and I would rather not guess.", "I have no way to know {}.", "I can't tell: I do not know {}.",
         "That I don't know. I have nothing that tells me about {}."]  # fmt: skip

# How it should be written: a sentence and what checks it, `{}` for one of the choices.
FORMS = ["Write a blog post about {}.", "Write a letter to a friend about {}.", "Explain {}.", "Write a riddle about {}.",
         "Describe {} to a visitor.", "Write a song about {}.", "Write an advertisement for a museum of {}.",
         "Tell a story in which {} matters.", "Summarise what is known about {}."]  # fmt: skip
WISHES: list[tuple[str, str, str, list[Any]]] = [
    ("Use at least {} words.|Your answer should have {} words or more.",
     "length_constraints:number_words", "num_words", [40, 80, 150]),
    ("Answer in fewer than {} words.|Keep it under {} words.", "length_constraints:number_words", "num_words", [40, 60, 100]),
    ("Use at least {} sentences.|Write {} sentences or more.",
     "length_constraints:number_sentences", "num_sentences", [3, 5, 8]),
    ("Write fewer than {} sentences.", "length_constraints:number_sentences", "num_sentences", [4, 6]),
    ("Do not use any commas.|Leave out all commas.|No commas, please.", "punctuation:no_comma", "", []),
    ("Use only lower case letters.|Everything has to be in lower case.", "change_case:english_lowercase", "", []),
    ("Use only capital letters.|Your whole answer should be in capitals.", "change_case:english_capital", "", []),
    ("Put your whole answer in double quotation marks.", "startend:quotation", "", []),
    ("Give it a title in double angular brackets, as in <<title>>.", "detectable_format:title", "", []),
    ("Give exactly {} bullet points, each after '* '.|Use {} bullet points, marked by '* '.",
     "detectable_format:number_bullet_lists", "num_bullets", [2, 3, 4, 5]),
    ("Highlight at least {} parts with asterisks, *like this*.",
     "detectable_format:number_highlighted_sections", "num_highlights", [1, 2, 3]),
    ("Leave at least {} placeholders in square brackets, such as [name].",
     "detectable_content:number_placeholders", "num_placeholders", [1, 2, 3]),
    ("Use the word '{}'.|The word '{}' has to be in it.",
     "keywords:existence", "keywords", [["weather"], ["friend"], ["simple"], ["travel"]]),
    ("Do not use the word '{}'.|Avoid the word '{}'.",
     "keywords:forbidden_words", "forbidden_words", [["very"], ["is"], ["nice"], ["people"]]),
    ("End with exactly these words: {}",
     "startend:end_checker", "end_phrase", ["That is all.", "Any questions?", "Have a good day!"]),
    ("Add a postscript that begins with {}", "detectable_content:postscript", "postscript_marker", ["P.S.", "P.P.S"]),
    ("Divide it into {} paragraphs by ***.", "length_constraints:number_paragraphs", "num_paragraphs", [2, 3]),
    ("First repeat this request word for word, then answer it.", "combination:repeat_prompt", "prompt_to_repeat", []),
]  # fmt: skip


def wishes(n: int, seed: int = 0) -> Iterator[Problem]:
    """Requests with one or two wishes about how the answer is written, of the kinds that IFEval checks, in our own words."""
    random = Random(f"wishes {seed}")
    for number in range(n):
        asked = random.choice(FORMS).format(random.choice(TOPICS))
        sentences, constraints = [], []
        for forms, kind, name, choices in random.sample(WISHES, random.choice((1, 1, 2))):
            chosen = random.choice(choices) if choices else asked
            shown = chosen[0] if isinstance(chosen, list) else chosen
            sentences.append(random.choice(forms.split("|")).format(shown))
            constraint = {"kind": kind} | ({name: chosen} if name else {})
            if kind in ("length_constraints:number_words", "length_constraints:number_sentences"):
                constraint["relation"] = "less than" if "fewer" in forms else "at least"
            constraints.append(constraint)
        request = Message("user", " ".join([asked, *sentences]))
        yield Problem(f"wishes {number}", [request], "", "instructions", {"constraints": constraints})


def requests() -> list[str]:
    """Requests of all kinds."""
    wanted = list(SMALL_TALK)
    for forms, subjects in ((REQUESTS, TOPICS), (CODE, TASKS), (MAILS, PEOPLE), (MANUALS, THINGS)):
        wanted += [form.format(subject) for form, subject in itertools.product(forms, subjects)]
    for form, subjects in (each.split("|") for each in EVERYDAY):
        wanted += [form.format(subject) for subject in subjects.split(";")]
    return wanted


def unknown() -> Iterator[Example]:
    """Questions without an answer that could be known, each with every way to say so."""
    for form, subjects, of in (each.split("|") for each in UNKNOWN):
        for subject, admit in itertools.product(subjects.split(";"), ADMIT):
            asked = Problem(f"unknown {subject}", [Message("user", form.format(subject))])
            yield Example(asked, Message("assistant", admit.format(of)), Provenance("phiforge"))
