"""Clauses of everyday situations, each with its negation, for premises in words."""

from __future__ import annotations

from typing import NamedTuple

from phiforge.data.draw import Draw
from phiforge.data.words import people


class Clause(NamedTuple):
    """Something that may be so or not, said both ways: "the door is locked", "the door is unlocked"."""

    yes: str
    no: str

    def said(self, true: bool) -> str:
        return self.yes if true else self.no


_OF_PEOPLE = (
    ("{} comes to the party", "{} stays away from the party"), ("{} joins the trip", "{} does not join the trip"),
    ("{} signs the petition", "{} does not sign the petition"), ("{} votes for the plan", "{} votes against the plan"),
    ("{} is in the office", "{} is not in the office"), ("{} passes the exam", "{} fails the exam"),
    ("{} sings in the concert", "{} does not sing in the concert"), ("{} knows the code", "{} does not know the code"),
    ("{} takes the early train", "{} does not take the early train"), ("{} is on the team", "{} is not on the team"),
    ("{} tells the truth", "{} lies"), ("{} gets a prize", "{} gets no prize"), ("{} is awake", "{} is asleep"),
    ("{} buys a ticket", "{} buys no ticket"), ("{} learns to dance", "{} does not learn to dance"),
    ("{} works on Sunday", "{} is free on Sunday"), ("{} saw the comet", "{} missed the comet"),
    ("{} has read the letter", "{} has not read the letter"),
)  # fmt: skip
_OF_THINGS = (
    """the alarm rings|the alarm stays silent; the window is open|the window is closed; the dog barks|the dog is quiet; the lamp is on|the lamp is off
    the key is in the drawer|the key is not in the drawer; the door is locked|the door is unlocked; the cat is inside|the cat is outside""",
    """it rains|it stays dry; the match is played|the match is cancelled; the ferry sails|the ferry stays in port; the market is open|the market is closed
    the wind is strong|the wind is weak; the flag is up|the flag is down; the beach is crowded|the beach is empty""",
    """the pump runs|the pump stands still; the valve is open|the valve is closed; the red light glows|the red light is dark; the tank is full|the tank is not full
    the sensor is faulty|the sensor works; the fan turns|the fan does not turn; the pressure is high|the pressure is not high""",
    """all tests pass|some test fails; the server is up|the server is down; the cache is empty|the cache is not empty; the certificate is valid|the certificate has expired
    the backup is complete|the backup is incomplete; the log shows a warning|the log shows no warning; the new version is released|the new version is held back""",
    """the roses bloom|the roses do not bloom; the soil is moist|the soil is dry; the bees come|the bees stay away; the pond is frozen|the pond is not frozen
    the hedge is trimmed|the hedge is not trimmed; the sprinkler runs|the sprinkler is off; the apples are ripe|the apples are not ripe""",
    """the letter is genuine|the letter is forged; the safe is empty|the safe is not empty; the butler lies|the butler tells the truth; the clock is right|the clock is wrong
    the gardener was at home|the gardener was away; the map is missing|the map is in its place; the cellar was locked|the cellar was not locked""",
    """the dough has risen|the dough has not risen; the oven is hot|the oven is cold; the shop opens early|the shop does not open early; the flour has arrived|the flour has not arrived
    the rolls are sold out|the rolls are not sold out; the mixer works|the mixer is broken; the baker is in a good mood|the baker is in a bad mood""",
    """the bell rings|the bell does not ring; the gym is free|the gym is taken; the teacher is ill|the teacher is well; the bus is late|the bus is on time
    the test is postponed|the test is not postponed; the library is open|the library is closed; the class goes to the museum|the class stays at school""",
    """the anchor is up|the anchor is down; the tide is high|the tide is low; the lighthouse is lit|the lighthouse is dark; the cargo is loaded|the cargo is not loaded
    the captain is aboard|the captain is ashore; the radio works|the radio is silent; the bridge is raised|the bridge is lowered""",
    """the curtain is up|the curtain is down; the orchestra plays|the orchestra is silent; the house is sold out|the house is not sold out; the lead actor is present|the lead actor is absent
    the critic is in the audience|the critic is not in the audience; the trapdoor is open|the trapdoor is shut; the fog machine is on|the fog machine is off""",
    """the volcano smokes|the volcano does not smoke; the village is evacuated|the village is not evacuated; the river is warm|the river is cold; the birds are gone|the birds are still there
    the road is blocked|the road is clear; the seismograph moves|the seismograph is still; the guide turns back|the guide goes on""",
    """the patient has a fever|the patient has no fever; the rash spreads|the rash does not spread; the blood test is positive|the blood test is negative; the ward is full|the ward is not full
    the drug is in stock|the drug is out of stock; the doctor is on call|the doctor is off duty; the scan is clear|the scan is not clear""",
)  # fmt: skip
SITUATIONS = tuple(
    tuple(Clause(*clause.strip().split("|")) for line in text.split("\n") for clause in line.split(";"))
    for text in _OF_THINGS
)
MOST = 7  # clauses of one situation


def clauses(draw: Draw, n: int) -> tuple[str, list[Clause]]:
    """The name of a situation and `n` clauses of it, `n` at most `MOST`."""
    if draw.chance(0.5):
        which = draw.between(0, len(_OF_PEOPLE) - 1)
        yes, no = _OF_PEOPLE[which]
        return f"people {which}", [Clause(yes.format(who), no.format(who)) for who in people(draw, n)]
    which = draw.between(0, len(SITUATIONS) - 1)
    return f"things {which}", draw.sample(SITUATIONS[which], n)


def sentence(text: str) -> str:
    """A clause as a sentence."""
    return f"{text[0].upper()}{text[1:]}."
