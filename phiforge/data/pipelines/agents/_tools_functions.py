"""Functions of programs that compute something: shapes, numbers, statistics, money, physics, health, text, units and chance.

A model that can compute is tempted to do so itself: here the call is what is wanted.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from phiforge.data.draw import Draw
from phiforge.data.pipelines.agents._groups import Several
from phiforge.data.pipelines.agents._kinds import CITY, CURRENCY, PRODUCT, SENTENCE, WORD
from phiforge.data.pipelines.agents._toolbox import Param as P
from phiforge.data.pipelines.agents._toolbox import Tool
from phiforge.data.pipelines.agents._values import Choice, Decimal, Int, Kind, Words


class Rate(Kind):
    """A share that is said in percent, and is given as a decimal: "4.5%" is 0.045."""

    asked = ("what rate", "which rate", "how much")
    pattern = r"\d+(?:\.\d)?(?:%| percent)"

    def schema(self) -> dict[str, Any]:
        return {"type": "number"}

    def draw(self, draw: Draw, today: date) -> float:
        return draw.between(5, 180) / 1000

    def say(self, value: Any, draw: Draw, today: date) -> str:
        return f"{value * 100:g}{draw.pick(('%', '%', ' percent'))}"

    def read(self, text: str, today: date) -> float:
        return round(float(text.removesuffix("%").removesuffix(" percent")) * 10) / 1000


SIDE, AMOUNT, COUNT, YEARS, RATE = Int(2, 60), Int(100, 20_000, 0), Int(2, 40), Int(1, 30), Rate()
MEASURE, SMALL, WHOLE = Decimal(1, 90, 1), Decimal(1, 12, 1), Int(2, 400)
VALUES = Several(Int(1, 95, 0), 4, 7)
SCALE = Choice({"celsius": ("Celsius",), "fahrenheit": ("Fahrenheit",), "kelvin": ("Kelvin",)}, "scale")
LENGTH_UNIT = Choice({"cm": ("centimetres", "cm"), "m": ("metres",), "in": ("inches",), "ft": ("feet",)}, "unit")
PLACES = P(
    Int(1, 6, 0, 12),
    "number of decimals",
    "Decimals of the result.",
    ("Round to {precision} decimals.", "Give me {precision} decimals."),
    2,
)
RESULT = {"result": Decimal(2, 900)}
UNIT = P(
    LENGTH_UNIT, "unit", "Unit of the lengths.", ("Everything is in {unit}.", "All lengths are given in {unit}."), "cm"
)
ROUND = Choice(
    {True: ("Round the result", "I want a rounded result"), False: ("Do not round the result",)}, "rounding"
)


def _asked(name: str, domain: str, about: str, need: dict[str, P], may: dict[str, P], *asks: str) -> Tool:
    return Tool(name, domain, about, need, may, asks, RESULT, "The result is {result}.")


# fmt: off
FUNCTIONS = (
    # --- shapes
    _asked("rectangle_area", "geometry", "Compute the area of a rectangle.",
        {"length": P(SIDE, "length", "Length of the rectangle."), "width": P(SIDE, "width", "Width of the rectangle.")}, {"unit": UNIT},
        "What is the area of a rectangle that is {length} long and {width} wide?", "find the area of a rectangle with a length of {length} and a width of {width}", "calculate how much surface a rectangle of {length} by {width} has"),
    _asked("rectangle_perimeter", "geometry", "Compute the perimeter of a rectangle.",
        {"length": P(SIDE, "length", "The longer side."), "width": P(SIDE, "width", "The shorter side.")}, {},
        "What is the perimeter of a rectangle of {length} by {width}?", "work out the perimeter of a rectangle with sides {length} and {width}"),
    _asked("area_of_triangle", "geometry", "Compute the area of a triangle, from one side and the height on it.",
        {"side": P(SIDE, "side", "The side on which the triangle stands."), "height": P(SIDE, "height", "Height over that side.")}, {"unit": UNIT},
        "How large is a triangle that stands on a side of {side} and is {height} high?", "compute the area of a triangle with a side of {side} and a height of {height} over it"),
    _asked("calculate_circle_area", "geometry", "Calculate the area of a circle from its radius.",
        {"radius": P(MEASURE, "radius", "Radius of the circle.")}, {"precision": PLACES},
        "What area does a circle with a radius of {radius} cover?", "calculate the area of a circle of radius {radius}", "get the area of the circle whose radius is {radius}"),
    _asked("circumference", "geometry", "Work out the circumference of a circle.",
        {"diameter": P(MEASURE, "diameter", "Diameter of the circle.")}, {"precision": PLACES},
        "How long is the edge of a circle with a diameter of {diameter}?", "find the circumference of a circle whose diameter is {diameter}"),
    _asked("cylinder_volume", "geometry", "Compute the volume of a cylinder.",
        {"radius": P(SMALL, "radius", "Radius of the base."), "height": P(MEASURE, "height", "Height of the cylinder.")}, {},
        "What is the volume of a cylinder with a radius of {radius} and a height of {height}?", "compute how much fits into a cylinder of radius {radius} and height {height}"),
    _asked("box_volume", "geometry", "Compute the volume of a box with right angles.",
        {"a": P(SIDE, "first edge", "First edge."), "b": P(SIDE, "second edge", "Second edge."), "c": P(SIDE, "third edge", "Third edge.")}, {"unit": UNIT},
        "What is the volume of a box that measures {a} by {b} by {c}?", "calculate the volume of a box with edges {a}, {b} and {c}"),
    _asked("sphere_surface", "geometry", "Compute the surface of a sphere.",
        {"radius": P(MEASURE, "radius", "Radius of the sphere.")}, {},
        "How much surface does a ball with a radius of {radius} have?", "calculate the surface of a sphere of radius {radius}"),
    _asked("distance_between_points", "geometry", "Compute the distance of two points in the plane.",
        {"x1": P(COUNT, "first x", "x of the first point."), "y1": P(COUNT, "first y", "y of the first point."), "x2": P(COUNT, "second x", "x of the second point."), "y2": P(COUNT, "second y", "y of the second point.")}, {},
        "How far apart are the points ({x1}, {y1}) and ({x2}, {y2})?", "compute the distance from point ({x1}, {y1}) to point ({x2}, {y2})"),
    # --- numbers
    _asked("power", "numbers", "Raise a number to a power.",
        {"number": P(COUNT, "number", "The number."), "exponent": P(Int(2, 12), "exponent", "The power.")}, {"modulus": P(WHOLE, "modulus", "Number to take the remainder by.", ("Take the remainder by {modulus}.", "I need it modulo {modulus}."))},
        "What is {number} to the power of {exponent}?", "raise {number} to the power {exponent}", "compute {number} to the {exponent}th power"),
    _asked("nth_prime", "numbers", "Find the n-th prime number.",
        {"n": P(WHOLE, "place", "Which prime, counted from 1.")}, {},
        "Which prime number is number {n} in the list of primes?", "find prime number {n}, counted from 2"),
    _asked("is_prime", "numbers", "Tell whether a whole number is prime.",
        {"number": P(WHOLE, "number", "The number to test.")}, {},
        "Is {number} a prime number?", "check whether {number} is prime", "find out if the number {number} has no divisors but itself and 1"),
    _asked("prime_factors", "numbers", "Split a whole number into its prime factors.",
        {"number": P(WHOLE, "number", "The number to split.")}, {},
        "What are the prime factors of {number}?", "factor {number} into primes", "take {number} apart into prime factors"),
    _asked("greatest_common_divisor", "numbers", "Compute the greatest common divisor of two whole numbers.",
        {"a": P(WHOLE, "first number", "First number."), "b": P(WHOLE, "second number", "Second number.")}, {},
        "What is the greatest common divisor of {a} and {b}?", "find the largest number that divides both {a} and {b}"),
    _asked("lcm", "numbers", "Compute the least common multiple of whole numbers.",
        {"numbers": P(Several(Int(2, 40, 1), 2, 4), "numbers", "The numbers.")}, {},
        "What is the least common multiple of {numbers}?", "find the smallest number that is divisible by {numbers}"),
    _asked("fibonacci", "numbers", "List the Fibonacci sequence up to a place.",
        {"n": P(COUNT, "length", "How many numbers of the sequence.")}, {},
        "What are the first {n} Fibonacci numbers?", "list {n} numbers of the Fibonacci sequence"),
    _asked("solve_quadratic", "numbers", "Solve the equation a x^2 + b x + c = 0.",
        {"a": P(Int(1, 9, -100), "first coefficient", "Coefficient of x squared."), "b": P(Int(-20, 20, -100), "second coefficient", "Coefficient of x."), "c": P(Int(-30, 30, -100), "constant", "The constant term.")},
        {"root_type": P(Choice({"real": ("real",), "all": ("all", "all, also complex")}, "kind"), "kind of roots", "Which roots to return.", ("I want {root_type} roots.", "Return {root_type} roots."), "all")},
        "What are the roots of the quadratic equation with a = {a}, b = {b} and c = {c}?", "solve the quadratic equation with the coefficients a={a}, b={b}, c={c}"),
    _asked("to_base", "numbers", "Write a whole number in another base.",
        {"number": P(WHOLE, "number", "The number, in base 10."), "base": P(Int(2, 16, 2, 36), "base", "The base to write it in.")}, {},
        "How is the number {number} written in base {base}?", "convert the decimal number {number} to base {base}"),
    _asked("percentage_of", "numbers", "Compute a percentage of a number.",
        {"percent": P(Int(1, 95), "percentage", "The percentage, 25 for a quarter."), "number": P(AMOUNT, "number", "The number.")}, {},
        "How much is {percent} percent of {number}?", "calculate {percent}% of {number}"),
    # --- statistics
    _asked("mean", "statistics", "Compute the arithmetic mean of numbers.",
        {"numbers": P(VALUES, "numbers", "The numbers.")}, {"precision": PLACES},
        "What is the mean of {numbers}?", "compute the average of the numbers {numbers}", "average these values: {numbers}"),
    _asked("calculate_median", "statistics", "Calculate the median of a list of numbers.",
        {"values": P(VALUES, "values", "List of the numbers.")}, {},
        "What is the median of {values}?", "determine the median of the values {values}", "find the middle value of {values}"),
    _asked("standard_deviation", "statistics", "Compute the standard deviation of a list of numbers.",
        {"data": P(VALUES, "data", "The numbers.")}, {"sample": P(Choice({True: ("a sample",), False: ("the whole population",)}, "sample"), "whether it is a sample", "Whether the numbers are a sample of more.", ("The data are {sample}.", "Treat the data as {sample}."))},
        "What is the standard deviation of {data}?", "calculate how far the values {data} spread, as their standard deviation"),
    _asked("max_value", "statistics", "Find the largest of some numbers.",
        {"values": P(VALUES, "values", "The numbers.")}, {},
        "Which is the largest of the numbers {values}?", "pick the maximum of {values}"),
    _asked("sort_numbers", "statistics", "Sort a list of numbers.",
        {"numbers": P(VALUES, "numbers", "The numbers to sort."), "order": P(Choice({"ascending": ("ascending",), "descending": ("descending",)}, "order"), "order", "The order.")}, {},
        "sort the list {numbers} in {order} order", "put the numbers {numbers} into {order} order"),
    _asked("correlation", "statistics", "Compute the correlation of two lists of numbers of the same length.",
        {"x": P(VALUES, "first list", "First list."), "y": P(VALUES, "second list", "Second list.")}, {"method": P(Choice({"pearson": ("Pearson",), "spearman": ("Spearman",)}, "method"), "method", "Which coefficient.", ("Use the method of {method}.", "I mean the coefficient of {method}."), "pearson")},
        "How strongly do the lists {x} / {y} correlate?", "calculate the correlation of x: {x}; y: {y}"),
    # --- chance
    _asked("combinations", "chance", "Compute the number of ways to choose k of n things, in no order.",
        {"n": P(Int(13, 50, 0), "number of things", "How many things there are."), "k": P(Int(2, 10, 0), "number chosen", "How many are chosen.")}, {},
        "In how many ways can {k} of {n} things be chosen?", "count the combinations of {k} out of {n}"),
    _asked("permutations", "chance", "Compute the number of ways to put k of n things in order.",
        {"n": P(Int(13, 50, 0), "number of things", "How many things there are."), "k": P(Int(2, 10, 0), "number placed", "How many are put in order.")}, {},
        "In how many orders can {k} of {n} runners finish?", "compute the number of permutations of {k} out of {n}"),
    _asked("binomial_probability", "chance", "Work out the probability of exactly k successes in n independent trials.",
        {"trials": P(Int(13, 60, 1), "number of trials", "How many trials."), "successes": P(Int(2, 12, 0), "number of successes", "How many succeed."), "p": P(RATE, "probability of success", "Probability of success in one trial, as a decimal.")}, {},
        "How probable are exactly {successes} successes in {trials} trials that each succeed with {p}?", "compute the chance of {successes} hits in {trials} throws if each hits with {p}"),
    _asked("roll_dice", "chance", "Roll dice and return what they show.",
        {"count": P(Int(2, 10, 1), "number of dice", "How many dice.")}, {"sides": P(Int(4, 20, 2), "number of sides", "Sides of a die.", ("Each die has {sides} sides.", "Use dice with {sides} sides."), 6)},
        "roll {count} dice", "throw {count} dice for me", "What do I get if I roll {count} dice?"),
    _asked("random_numbers", "chance", "Draw whole numbers at random.",
        {"low": P(Int(1, 20, 0), "lower bound", "Least number."), "high": P(Int(50, 900, 0), "upper bound", "Greatest number."), "count": P(COUNT, "how many", "How many numbers.")}, {"unique": P(Choice({True: ("No number may come twice", "Every number must be different"), False: ("Numbers may repeat",)}, "unique"), "uniqueness", "Whether all numbers are different.", ("{unique}.",))},
        "draw {count} random numbers between {low} and {high}", "give me {count} random whole numbers from {low} to {high}"),
    # --- money
    _asked("compound_interest", "finance", "Work out the value of a sum after some years of compound interest.",
        {"principal": P(AMOUNT, "sum", "The sum at the start."), "rate": P(RATE, "interest rate", "Interest rate of a year, as a decimal."), "years": P(YEARS, "years", "Number of years.")},
        {"compounding": P(Choice({"monthly": ("every month", "monthly"), "quarterly": ("every quarter", "quarterly"), "daily": ("every day", "daily")}, "often"), "compounding", "How often interest is added; once a year if left out.", ("Interest is added {compounding}.", "It is compounded {compounding}."))},
        "What will {principal} be worth after {years} years at {rate} compound interest?", "calculate how {principal} grows with compound interest at {rate} for {years} years"),
    _asked("simple_interest", "finance", "Work out the interest on a sum that is not compounded.",
        {"principal": P(AMOUNT, "sum", "The sum."), "rate": P(RATE, "rate", "Interest rate of a year, as a decimal."), "time": P(YEARS, "years", "Time in years.")}, {},
        "How much simple interest does {principal} bring in {time} years at {rate}?", "compute the simple interest on {principal} at {rate} over {time} years"),
    _asked("monthly_payment", "finance", "Work out the monthly payment of a loan.",
        {"loan_amount": P(AMOUNT, "loan", "The amount of the loan."), "interest_rate": P(RATE, "interest rate", "Rate of a year, as a decimal."), "loan_term": P(YEARS, "term in years", "The term in years.")}, {"down_payment": P(Int(100, 3000, 0), "down payment", "What is paid at once.", ("I pay {down_payment} at once.", "There is a down payment of {down_payment}."))},
        "What do I pay a month for a loan of {loan_amount} over {loan_term} years at {interest_rate}?", "calculate the monthly payment on {loan_amount} borrowed at {interest_rate} for {loan_term} years"),
    _asked("calculate_tip", "finance", "Calculate the tip for a bill.",
        {"bill": P(Decimal(8, 240), "bill", "The amount of the bill."), "tip_percent": P(Int(5, 30), "tip in percent", "The tip in percent.")}, {"people": P(COUNT, "number of people", "How many people share it.", ("We share it among {people} people.", "Split it between {people} of us."))},
        "How much tip is {tip_percent}% on a bill of {bill}?", "calculate a tip of {tip_percent} percent for a bill of {bill}"),
    _asked("apply_discount", "finance", "Work out the price after a discount.",
        {"price": P(Decimal(5, 600), "price", "The price."), "discount": P(RATE, "discount", "The discount, as a decimal.")}, {"tax": P(RATE, "tax", "Sales tax that comes on top, as a decimal.", ("A tax of {tax} comes on top.", "Add {tax} of tax."))},
        "What does something for {price} cost with {discount} off?", "work out the price of {price} after a discount of {discount}"),
    _asked("return_on_investment", "finance", "Compute the return on an investment, in percent.",
        {"invested": P(AMOUNT, "sum put in", "What was put in."), "returned": P(AMOUNT, "sum got back", "What came out.")}, {},
        "What is the return if I put in {invested} and get back {returned}?", "compute the return on an investment of {invested} that brought {returned}"),
    _asked("stock_value", "finance", "Compute the value of shares at a price.",
        {"shares": P(WHOLE, "number of shares", "How many shares."), "price": P(Decimal(2, 300), "price of a share", "Price of one share.")}, {"currency": P(CURRENCY, "currency", "Currency of the price.", ("The price is in {currency}.", "I reckon in {currency}."))},
        "What are {shares} shares worth at {price} each?", "calculate the value of {shares} shares priced at {price}"),
    _asked("break_even", "finance", "Find how many pieces must be sold until fixed costs are earned.",
        {"fixed_costs": P(AMOUNT, "fixed costs", "Costs that do not depend on the pieces."), "price": P(Int(41, 99), "price of a piece", "Price of one piece."), "unit_cost": P(Int(5, 40), "cost of a piece", "Cost of one piece.")}, {},
        "How many pieces must I sell at {price}, each of which costs me {unit_cost}, to earn fixed costs of {fixed_costs}?", "find the break-even point for fixed costs of {fixed_costs}, a price of {price} and a unit cost of {unit_cost}"),
    # --- physics and chemistry
    _asked("kinetic_energy", "physics", "Work out the kinetic energy of a moving body.",
        {"mass": P(MEASURE, "mass", "Mass in kilograms."), "velocity": P(MEASURE, "speed", "Speed in metres a second.")}, {"unit": P(Choice({"J": ("joules",), "kJ": ("kilojoules",)}, "unit"), "unit", "Unit of the result.", ("I want it in {unit}.", "Tell me the energy in {unit}."), "J")},
        "How much kinetic energy does a body of {mass} kg have at {velocity} m/s?", "compute the kinetic energy of {mass} kg moving at {velocity} metres per second"),
    _asked("force", "physics", "Compute the force that accelerates a mass.",
        {"mass": P(MEASURE, "mass", "Mass in kilograms."), "acceleration": P(SMALL, "acceleration", "Acceleration in m/s^2.")}, {},
        "What force accelerates {mass} kg by {acceleration} m/s^2?", "calculate the force on a mass of {mass} kg with an acceleration of {acceleration} m/s^2"),
    _asked("average_speed", "physics", "Work out the average speed on a way.",
        {"distance": P(WHOLE, "distance", "Distance in kilometres."), "time": P(SMALL, "time", "Time in hours.")}, {"unit": P(Choice({"km/h": ("kilometres per hour",), "m/s": ("metres per second",), "mph": ("miles per hour",)}, "unit"), "unit", "Unit of the speed.", ("Give it in {unit}.", "I need {unit}."), "km/h")},
        "How fast is somebody on average who covers {distance} km in {time} hours?", "calculate the average speed for {distance} kilometres in {time} hours"),
    _asked("free_fall_velocity", "physics", "Compute the speed of a body that has fallen from a height.",
        {"height": P(WHOLE, "height", "Height in metres.")}, {"gravity": P(Decimal(1, 25, 1), "gravity", "Acceleration of gravity in m/s^2.", ("Gravity is {gravity} m/s^2 there.", "Take {gravity} m/s^2 for gravity."), 9.8)},
        "How fast is a stone that has fallen {height} metres?", "compute the speed at the ground of something dropped from {height} metres"),
    _asked("ohms_law", "physics", "Work out the current through a resistance.",
        {"voltage": P(WHOLE, "voltage", "Voltage in volts."), "resistance": P(WHOLE, "resistance", "Resistance in ohms.")}, {},
        "What current flows through {resistance} ohms at {voltage} volts?", "calculate the current for a voltage of {voltage} V and a resistance of {resistance} ohms"),
    _asked("density", "physics", "Compute the density of a body.",
        {"mass": P(MEASURE, "mass", "Mass in kilograms."), "volume": P(SMALL, "volume", "Volume in cubic metres.")}, {},
        "What is the density of a body of {mass} kg and {volume} cubic metres?", "compute the density of something with a mass of {mass} kg in a volume of {volume} cubic metres"),
    _asked("molar_mass", "chemistry", "Compute the molar mass of a compound.",
        {"formula": P(Words(("H2O", "CO2", "NaCl", "CH4", "NH3", "C6H12O6", "H2SO4", "CaCO3", "HCl", "Fe2O3", "C2H5OH", "KNO3"), "formula"), "formula", "The chemical formula.")}, {},
        "What is the molar mass of {formula}?", "look up how much a mole of {formula} weighs"),
    _asked("half_life", "chemistry", "Find what is left of a substance that decays.",
        {"initial": P(WHOLE, "amount", "Amount at the start."), "half_life": P(COUNT, "half-life", "Half-life in years."), "time": P(COUNT, "time", "Time that has passed, in years.")}, {},
        "How much of {initial} grams is left after {time} years with a half-life of {half_life} years?", "compute what remains of {initial} grams, half-life {half_life} years, after {time} years"),
    # --- health and kitchen
    _asked("calculate_bmi", "health", "Calculate the body mass index.",
        {"weight": P(Int(45, 130), "weight", "Weight in kilograms."), "height": P(Int(145, 205), "height", "Height in centimetres.")}, {"system": P(Choice({"metric": ("metric",), "imperial": ("imperial",)}, "system"), "system of units", "System of units.", ("Use {system} units.", "I think in {system} units."), "metric")},
        "What is the BMI of someone who weighs {weight} kg and is {height} cm tall?", "calculate the body mass index for {weight} kilograms and {height} centimetres"),
    _asked("calories_burned", "health", "Compute the energy that an exercise takes.",
        {"activity": P(Choice({"running": ("running",), "cycling": ("cycling",), "swimming": ("swimming",), "walking": ("walking",)}, "activity"), "activity", "What is done."), "minutes": P(Int(13, 180), "duration", "Minutes of it."), "weight": P(Int(45, 130), "weight", "Weight in kilograms.")}, {},
        "How many calories does {minutes} minutes of {activity} burn for somebody of {weight} kg?", "work out the calories for {activity} during {minutes} minutes at a weight of {weight} kg"),
    _asked("scale_recipe", "kitchen", "Scale the amounts of a recipe to other servings.",
        {"amounts": P(Several(Int(13, 900), 2, 4), "amounts", "Amounts in grams."), "from_servings": P(Int(2, 8), "servings of the recipe", "Servings that the recipe makes."), "to_servings": P(Int(2, 30), "servings wanted", "Servings that are wanted.")}, {},
        "scale the amounts {amounts} grams from {from_servings} servings to {to_servings} servings", "A recipe for {from_servings} takes {amounts} grams: what are the amounts for {to_servings}?"),
    # --- units
    _asked("length_in", "units", "Convert a length from one unit to another.",
        {"value": P(MEASURE, "value", "The number."), "from": P(LENGTH_UNIT, "unit it is in", "Unit to convert from."), "to": P(LENGTH_UNIT, "unit wanted", "Unit to convert to.")}, {"round": P(ROUND, "rounding", "Whether to round.", ("{round}.",))},
        "How many {to} are {value} {from}?", "convert {value} {from} to {to}", "express {value} {from} in {to}"),
    _asked("convert_temperature", "units", "Convert a temperature to another scale.",
        {"degrees": P(Int(-30, 120, -273), "temperature", "The temperature."), "from": P(SCALE, "scale it is in", "Scale to convert from."), "to": P(SCALE, "scale wanted", "Scale to convert to.")}, {},
        "What are {degrees} degrees {from} in {to}?", "convert a temperature of {degrees} degrees {from} to {to}"),
    _asked("currency_value", "units", "Convert an amount of money at the rate of the day.",
        {"amount": P(AMOUNT, "amount", "The amount."), "from": P(CURRENCY, "currency it is in", "Code of the currency it is in."), "to": P(CURRENCY, "currency wanted", "Code of the currency wanted.")}, {},
        "How much is {amount} {from} in {to}?", "exchange {amount} {from} into {to}", "tell me what {amount} {from} are worth in {to}"),
    # --- text
    _asked("count_letter", "text", "Count how often a letter occurs in a text.",
        {"text": P(SENTENCE, "text", "The text."), "letter": P(Choice({c: (f"letter {c}",) for c in "aeioutrs"}, "letter"), "letter", "The letter.")}, {"case_sensitive": P(Choice({True: ("Mind capitals", "Capitals count as other letters"), False: ("Ignore capitals",)}, "capitals"), "capitals", "Whether capitals are other letters.", ("{case_sensitive}.",))},
        "How often does the {letter} occur in {text}?", "count the {letter} in {text}"),
    _asked("reverse_text", "text", "Write a text backwards.",
        {"text": P(SENTENCE, "text", "The text.")}, {},
        "How does {text} read backwards?", "reverse the text {text}", "write {text} backwards"),
    _asked("word_count", "text", "Count the words of a text.",
        {"text": P(SENTENCE, "text", "The text.")}, {},
        "How many words does {text} have?", "count the words of {text}"),
    _asked("synonyms", "text", "Find words of the same meaning.",
        {"word": P(WORD, "word", "The word.")}, {"max_results": P(COUNT, "number of results", "How many at most.", ("At most {max_results}, please.", "I need no more than {max_results}."), 5)},
        "Which words mean the same as {word}?", "find synonyms of {word}", "suggest other words for {word}"),
    # --- planning
    _asked("paint_needed", "building", "Compute the litres of paint for a wall.",
        {"width": P(SIDE, "width", "Width of the wall in metres."), "height": P(SIDE, "height", "Height of the wall in metres."), "coverage": P(SIDE, "coverage", "Square metres that a litre covers.")}, {"coats": P(Int(2, 5, 1), "number of coats", "How many coats.", ("I plan {coats} coats.", "It needs {coats} coats."), 1)},
        "How much paint do I need for a wall {width} m wide and {height} m high if a litre covers {coverage} square metres?", "compute the paint for a wall of {width} by {height} metres with a coverage of {coverage}"),
    _asked("fuel_cost", "travel", "Compute the cost of fuel for a trip.",
        {"distance": P(WHOLE, "distance", "Distance in kilometres."), "consumption": P(SMALL, "consumption", "Litres per 100 km."), "price": P(Decimal(1, 3), "price of a litre", "Price of a litre.")}, {},
        "What does the fuel for {distance} km cost at {consumption} litres per 100 km and {price} a litre?", "estimate the cost of fuel for a trip of {distance} kilometres with a consumption of {consumption} litres and a price of {price}"),
    _asked("driving_distance", "travel", "Compute the distance by road between two cities.",
        {"from": P(CITY, "start", "City where the trip begins."), "to": P(CITY, "destination", "City where it ends.")}, {"unit": P(Choice({"km": ("kilometres",), "mi": ("miles",)}, "unit"), "unit", "Unit of the distance.", ("I want it in {unit}.", "Give me {unit}."), "km")},
        "How far is it by road from {from} to {to}?", "find the driving distance between {from} and {to}", "calculate how long the road from {from} to {to} is"),
    _asked("flight_time", "travel", "Estimate how long a flight between two cities takes.",
        {"origin": P(CITY, "start", "City of departure."), "destination": P(CITY, "destination", "City of arrival.")}, {},
        "How long does a flight from {origin} to {destination} take?", "estimate the flight time between {origin} and {destination}"),
    _asked("inventory_value", "shop", "Compute the value of goods in stock.",
        {"product": P(PRODUCT, "product", "Name of the product."), "quantity": P(WHOLE, "quantity", "Pieces in stock."), "unit_price": P(Decimal(2, 90), "price of a piece", "Price of one piece.")}, {},
        "What is our stock of {quantity} {product} worth at {unit_price} each?", "compute the value of {quantity} {product} in stock, priced at {unit_price}"),
)
# fmt: on
