"""Names and things for questions: people of many places, and how to speak of one thing or several."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from phiforge.data.draw import Draw


class Person(NamedTuple):
    """A first name with its pronouns: "Amara", "she", "her" (object), "her" (possessive)."""

    name: str
    they: str
    them: str
    their: str

    @property
    def They(self) -> str:
        return self.they.capitalize()

    def __str__(self) -> str:
        return self.name


_SHE = """Amara Ana Aisha Beatriz Carmen Chloe Dalia Deepa Elena Emi Esther Fatima Freya Gabriela Grace Hana Helga Ines
Ingrid Isla Jasmin Joana Kavya Keiko Leila Lena Lucia Mai Maria Mei Mina Nadia Naomi Nia Noor Olga Paula Priya
Rania Rosa Sara Sofia Tamar Thandi Uma Valeria Wanda Yara Yuki Zainab Zoe Abena Bianca Camille Dunja Elif Fiona
Greta Hilda Irina Jelena Karina Linh Malika Nora Oksana Petra Rukmini Sigrid Teresa Vesna Xiomara Yasmin Zofia"""
_HE = """Abdul Adam Ahmed Alejandro Anton Arjun Ben Bruno Carlos Chen Daniel David Diego Emre Erik Felix Filip George
Goran Hamid Hans Hiro Ibrahim Igor Ivan Jamal Jan Javier Jonas Karl Kenji Kofi Kwame Lars Leo Liam Lukas Marco
Mateo Max Mehdi Milan Nikhil Noah Oliver Omar Oscar Pablo Pavel Peter Rafael Ravi Roman Samuel Sanjay Stefan
Tariq Tomas Umar Viktor Wei Yusuf Zoran Andrei Bogdan Cyrus Dmitri Farid Gustav Hassan Ismail Joaquin Kemal Luca
Magnus Nuno Osei Quentin Rohan Salim Tunde"""

PEOPLE = tuple(Person(name, "she", "her", "her") for name in _SHE.split()) + tuple(
    Person(name, "he", "him", "his") for name in _HE.split()
)


def people(draw: Draw, n: int) -> list[Person]:
    """`n` different people."""
    return draw.sample(PEOPLE, n)


def count(n: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 box", "3 boxes"."""
    return f"{n} {one if n == 1 else many or plural(one)}"


def plural(noun: str) -> str:
    """The plural of a regular noun, of which the last word is bent."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def listed(parts: list[str], last: str = "and") -> str:
    """Several in a row: "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def article(noun: str) -> str:
    """ "a" or "an" by the first letter."""
    return f"{'an' if noun[0].lower() in 'aeiou' else 'a'} {noun}"


def decimal(value: Fraction | int) -> str:
    """A number that ends within four decimal places as a decimal, any other as a fraction."""
    scaled = Fraction(value) * 10**4
    return f"{float(value):.4f}".rstrip("0").rstrip(".") if scaled.denominator == 1 else str(value)
