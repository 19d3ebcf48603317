"""Small programs that print one line: arithmetic, loops, texts, lists, dictionaries, sorting."""

from __future__ import annotations

from typing import NamedTuple

from phiforge.data.draw import Draw


class Program(NamedTuple):
    """`why` is the rule that decides, `wrong` and `noticed` a mistake about it."""

    code: str
    about: str = ""
    why: str = ""
    wrong: str = ""
    noticed: str = ""


_WORDS = ("planet", "kettle", "garden", "silver", "window", "bridge", "candle", "python", "marble", "rocket", "banana", "pepper", "letter", "yellow")  # fmt: skip
_LISTS = ("values", "numbers", "items", "data", "scores", "prices", "steps")
_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hal", "Ivy", "Jo")


def ints(draw: Draw, n: int, low: int = 1, high: int = 9) -> list[int]:
    return [draw.between(low, high) for _ in range(n)]


def arithmetic(draw: Draw, level: int) -> Program:
    a, b, c = draw.shuffled(["a", "b", "c", "x", "y", "z", "m", "n"])[:3]
    lines = [f"{a} = {draw.between(5, 40)}", f"{b} = {draw.between(2, 9)}"]
    for _ in range(draw.between(2, 3) + level // 2):
        target, one, other = draw.pick((a, b)), draw.pick((a, b)), draw.pick((a, b))
        kind = draw.pick(("op", "op", "aug", "swap", "both"))
        if kind == "op":
            lines.append(f"{target} = {one} {draw.pick('+-*')} {draw.pick((other, str(draw.between(2, 6))))}")
        elif kind == "aug":
            lines.append(f"{target} {draw.pick(('+=', '-=', '*='))} {draw.between(2, 5)}")
        elif kind == "swap":
            lines.append(f"{a}, {b} = {b}, {a}")
        else:
            lines.append(f"{a}, {b} = {b}, {a} + {b}")
    k = draw.between(3, 7)
    lines += [f"{c} = {a} {draw.pick(('//', '%'))} {k}", f"print({a}, {b}, {c})"]
    return Program(
        "\n".join(lines),
        "Each line works with the values that the variables have then.",
        "For numbers, // rounds down and % gives what is left.",
        f"{c} is {a} divided by {k}, as a decimal.",
        "The operator is // or %, and both give whole numbers here.",
    )


def accumulate(draw: Draw, level: int) -> Program:
    start, stop, step = draw.between(0, 4), draw.between(7, 11 + 2 * level), draw.pick((1, 1, 2, 3))
    var, total = draw.pick(("i", "n", "k", "x")), draw.pick(("total", "result", "s", "count"))
    test = draw.pick((f"{var} % 2 == 0", f"{var} % 3 == 0", f"{var} % 3 != 1", f"{var} > {draw.between(3, 6)}"))
    body = draw.pick(
        (
            f"{total} += {var}",
            f"{total} += {var} * {var}",
            f"{total} = {total} * 2 + {var}" if stop < 12 else f"{total} += 2 * {var}",
            f"{total} -= {var}",
        )
    )
    steps = f", {step}" if step > 1 else ""
    other = f"\n    else:\n        {total} += 1" if draw.chance(0.4) else ""
    code = f"{total} = {draw.between(0, 5)}\nfor {var} in range({start}, {stop}{steps}):\n    if {test}:\n        {body}{other}\nprint({total})"
    return Program(
        code,
        "A range ends before its second number.",
        "I go through the loop value by value.",
        f"{var} goes up to {stop}.",
        f"range({start}, {stop}) doesn't include {stop}.",
    )


def slices(draw: Draw, level: int) -> Program:
    word = draw.pick(_WORDS)
    one, other = draw.pick(("word", "text", "s")), draw.pick(("part", "t", "piece"))
    cut = draw.pick(
        (
            f"[{draw.between(0, 2)}:{draw.between(3, 5)}]",
            f"[-{draw.between(2, 4)}:]",
            f"[:-{draw.between(1, 3)}]",
            "[::2]",
            "[1::2]",
            "[::-1]",
            f"[{draw.between(1, 3)}:]",
        )
    )
    more = draw.pick(
        (
            f"{other}[0] + {one}[-1]",
            f"{other} * 2",
            f"{one}[::-1] + {other}",
            f"{other} + str(len({one}))",
            f"{one}[1] + {other}[-1] + {one}[0]",
            f'"-".join({other})',
            f'{one}.replace({one}[0], "+")[1:] + {other}',
        )
    )
    code = f'{one} = "{word}"\n{other} = {one}{cut}\nresult = {more}\nprint(result)'
    return Program(
        code,
        "Positions in a text begin with 0.",
        "A slice takes its first position and leaves out its last; negative ones count from the end.",
        f'{one}[1] is "{word[0]}".',
        f'Counting begins with 0, so {one}[1] is "{word[1]}".',
    )


def branches(draw: Draw, level: int) -> Program:
    a, b = sorted(draw.sample(range(10, 90), 2))
    xs = ints(draw, 3 + level // 2, 5, 95)
    name = draw.pick(("low", "small"))
    code = f"{name} = medium = high = 0\nfor value in {xs}:\n    if value < {a}:\n        {name} += 1\n    elif value <= {b}:\n        medium += value\n    else:\n        high += value // 10\nprint({name}, medium, high)"
    return Program(
        code.replace(f"{name} = medium = high = 0", f"{name}, medium, high = 0, 0, 0"),
        "Of the three branches exactly one is taken for each value.",
        "An elif is only looked at when what stands before it is false.",
        "A value that is small counts in the middle too.",
        "After the first condition that holds, the others are not looked at.",
    )


def while_program(draw: Draw, level: int) -> Program:
    n = draw.between(9, 30 + 10 * level)
    if draw.chance(0.5):
        code = f"n = {draw.between(5, 14)}\nsteps = 0\nwhile n != 1:\n    if n % 2 == 0:\n        n //= 2\n    else:\n        n = 3 * n + 1\n    steps += 1\nprint(steps)"
        if draw.chance(0.4):
            code = (
                code.replace("steps = 0", "largest = n")
                .replace("steps += 1", "largest = max(largest, n)")
                .replace("print(steps)", "print(largest)")
            )
        return Program(
            code,
            "The loop ends when n is 1.",
            "Even numbers are halved, odd ones become three times as large, plus 1.",
            "The last step, to 1, isn't counted.",
            "The counting comes after the change, so the step to 1 counts too.",
        )
    a, k = draw.pick(("n", "x", "rest")), draw.between(2, 5)
    code = f'{a} = {n * draw.between(3, 9)}\ndigits = ""\nwhile {a} > 0:\n    digits = str({a} % {k}) + digits\n    {a} //= {k}\nprint("base {k}", digits)'
    return Program(
        code,
        f"That writes a number in base {k}.",
        "Each remainder is put in front of those before it.",
        "The digits come in the order in which they are found.",
        "Each new one is put in front: str(...) + digits.",
    )


def list_methods(draw: Draw, level: int) -> Program:
    name = draw.pick(_LISTS)
    xs = ints(draw, draw.between(3, 4 + level // 2))
    lines, n = [f"{name} = {xs}"], len(xs)
    for _ in range(2 + level // 2):
        kind = draw.pick(("append", "insert", "pop", "pop at", "set", "extend", "reverse", "sort", "remove"))
        if kind in ("pop", "pop at", "remove") and n < 3:
            kind = "append"
        line = {
            "append": f"{name}.append({draw.between(1, 9)})", "insert": f"{name}.insert({draw.between(0, n - 1)}, {draw.between(10, 19)})",
            "pop": f"{name}.pop()", "pop at": f"{name}.pop({draw.between(0, n - 1)})", "set": f"{name}[{draw.between(-2, n - 1)}] = {draw.between(20, 29)}",
            "extend": f"{name} += {ints(draw, 2)}", "reverse": f"{name}.reverse()", "sort": f"{name}.sort()", "remove": f"{name}.pop(-2)",
        }[kind]  # fmt: skip
        n += {"append": 1, "insert": 1, "pop": -1, "pop at": -1, "remove": -1, "extend": 2}.get(kind, 0)
        lines.append(line)
    lines.append(
        f"print({draw.pick((f'{name}', f'{name}[{draw.between(0, 1)}], len({name})', f'sum({name}), {name}[-1]', f'{name}[1:3]'))})"
    )
    return Program(
        "\n".join(lines),
        "Every line changes one and the same list.",
        "Positions begin with 0, and negative ones count from the end.",
        "insert replaces what stands at its position.",
        "It puts the value in front of it and moves the others.",
    )


def nested(draw: Draw, level: int) -> Program:
    n, m = draw.between(3, 4 + level // 3), draw.between(3, 4)
    inner = draw.pick((f"range({m})", "range(i)", "range(i + 1)", f"range(i, {n})"))
    test = draw.pick(("i != j", "(i + j) % 2 == 0", "i * j > 2", "i < j", "i + j > 3", "j % 2 == 1"))
    body = draw.pick(("count += 1", "count += i * j", "count += i + j", "count += j", "count = count + i - j"))
    code = f"count = {draw.between(0, 3)}\nfor i in range({n}):\n    for j in {inner}:\n        if {test}:\n            {body}\nprint(count)"
    return Program(
        code,
        "The inner loop runs anew for every i.",
        "I list the pairs (i, j) one after another.",
        "j goes on where it stopped.",
        "For each i the inner loop begins again.",
    )


def counting(draw: Draw, level: int) -> Program:
    word = draw.pick(
        (
            "mississippi",
            "banana",
            "bookkeeper",
            "committee",
            "assessment",
            "tennessee",
            "letters",
            "success",
            "pepper",
            "referee",
        )
    )
    show = draw.pick(
        (
            "counts",
            "max(counts.values())",
            "len(counts)",
            "sorted(counts)",
            "[c for c in counts if counts[c] == 1]",
            f'counts["{word[draw.between(0, 3)]}"]',
        )
    )
    code = f'counts = {{}}\nfor c in "{word}":\n    counts[c] = counts.get(c, 0) + 1\nprint({show})'
    return Program(
        code,
        "The dictionary counts letters.",
        "A dictionary keeps its keys in the order in which they came first.",
        "The keys come out in alphabetical order.",
        "They keep the order in which they were added, unless they are sorted.",
    )


def default_program(draw: Draw, level: int) -> Program:
    a, b, x = draw.between(2, 9), draw.between(2, 9), draw.between(3, 12)
    name = draw.pick(("scale", "adjust", "change", "price"))
    formula = draw.pick(
        (
            f"value * factor + {b}",
            f"(value + {b}) * factor",
            "value - factor",
            f"value * factor - value // {b}",
            "value ** 2 - factor",
            "value % factor + value",
        )
    )
    calls = draw.pick(
        (
            f"{name}({x}) + {name}({x}, {a + 1})",
            f"{name}({name}({x}))",
            f"{name}({x}, {a - 1}) - {name}({b})",
            f"{name}({x}) * 2",
        )
    )
    code = f"def {name}(value, factor={a}):\n    return {formula}\n\n\nprint({calls})"
    return Program(
        code,
        f"Where no factor is given it is {a}.",
        "A default only counts where the call gives nothing.",
        f"The factor is always {a}.",
        "A call with two arguments gives its own.",
    )


def alias(draw: Draw, level: int) -> Program:
    a, b = draw.sample(("a", "b", "first", "second", "old", "new", "left", "right"), 2)
    xs = ints(draw, 3)
    copied = draw.pick((a, a, f"{a}[:]", f"list({a})", f"{a} + []"))
    change = draw.pick(
        (
            f"{b}.append({draw.between(5, 20)})",
            f"{b}[0] = {draw.between(10, 20)}",
            f"{b} += [{draw.between(1, 9)}]",
            f"{b} = {b} + [{draw.between(1, 9)}]",
            f"{b}.pop()",
        )
    )
    more = draw.pick(
        (f"{a}[-1] = {draw.between(30, 40)}", f"{a}.insert(0, {draw.between(30, 40)})", f"{a}.append(len({b}))")
    )
    show = draw.pick((f"{a}, {b}", f"len({a}), {b}", f"{a} == {b}, {a}", f"sum({a}), sum({b})"))
    code = f"{a} = {xs}\n{b} = {copied}\n{change}\n{more}\nprint({show})"
    same = copied == a
    return Program(
        code,
        "It matters whether there is one list or two.",
        f"`{b} = {a}` gives the same list a second name."
        if same
        else f"`{copied}` makes a new list with the same elements.",
        f"{b} is {'a copy, so ' + a + ' stays as it is' if same else 'the same list as ' + a}.",
        "An assignment copies nothing." if same else "A slice, `list` and `+` make new lists.",
    )


def comprehended(draw: Draw, level: int) -> Program:
    xs, name = ints(draw, 5 + level // 2, 1, 20), draw.pick(_LISTS)
    test = draw.pick(
        (
            "x % 2 == 0",
            "x % 3 != 0",
            f"x > {draw.between(4, 9)}",
            "x % 2 == 1",
            f"{draw.between(3, 6)} <= x < {draw.between(12, 16)}",
        )
    )
    value = draw.pick(("x * 2", "x * x", "x - 1", "x // 2", "x % 5", "10 - x", "-x", "(x, x * 2)"))
    shows = (
        ("made", "len(made), made[0]")
        if "," in value
        else ("sum(made)", "made", "max(made), min(made)", "made[::-1]", "sorted(made)[:3]", "len(made), sum(made)")
    )
    code = f"{name} = {xs}\nmade = [{value} for x in {name} if {test}]\nprint({draw.pick(shows)})"
    return Program(
        code,
        "",
        "The condition is tested on the old value, then the new one is formed.",
        "The condition is tested on the new value.",
        "It stands behind the `for` and concerns x itself.",
    )


def zipped(draw: Draw, level: int) -> Program:
    names, points = draw.sample(_NAMES, draw.between(3, 4)), ints(draw, draw.between(3, 4), 2, 30)
    if draw.chance(0.5):
        code = f"names = {names}\npoints = {points}\nresult = []\nfor i, (name, p) in enumerate(zip(names, points), {draw.between(0, 2)}):\n    if p % 2 == {draw.between(0, 1)} or i == {draw.between(1, 2)}:\n        result.append(name[0] + str(i * p))\nprint(result)"
    else:
        code = f'names = {names}\npoints = {points}\nbest = dict(zip(names, points))\nbest["{draw.pick(names)}"] = {draw.between(5, 25)}\nranked = sorted(best, key=lambda name: {draw.pick(("best[name]", "-best[name]"))})\nprint(ranked[0], ranked[-1], len(ranked))'
    return Program(
        code.replace("'", '"'),
        "",
        "`zip` pairs the first with the first and ends with the shorter list.",
        "The missing partner is None.",
        "`zip` stops when one list ends.",
    )


def sorted_program(draw: Draw, level: int) -> Program:
    words = draw.sample(
        ("pear", "fig", "apple", "kiwi", "plum", "lime", "banana", "date", "cherry", "nut", "mango"),
        draw.between(4, 5),
    )
    key = draw.pick(
        (
            "len",
            "lambda w: w[-1]",
            "lambda w: (len(w), w)",
            "lambda w: (-len(w), w)",
            'lambda w: w.count("a")',
            "lambda w: w[1]",
        )
    )
    way = draw.pick(("", "", ", reverse=True"))
    show = draw.pick(("ordered", "ordered[0], ordered[-1]", "ordered[:2]", "[w[0] for w in ordered]"))
    shown = "[" + ", ".join(f'"{word}"' for word in words) + "]"
    code = f"words = {shown}\nordered = sorted(words, key={key}{way})\nprint({show})"
    return Program(
        code,
        "",
        "Sorting is stable: what has the same key keeps its order.",
        "Words with the same key come alphabetically.",
        "They keep the order that they had, for the key is all that counts.",
    )


def leaving(draw: Draw, level: int) -> Program:
    xs = ints(draw, 6 + level // 2, 1, 12)
    skip, stop = (
        draw.pick(("x % 2 == 0", "x % 3 == 0", "x < 4")),
        draw.pick(
            (f"total > {draw.between(10, 22)}", f"x > {draw.between(9, 11)}", f"total % {draw.between(4, 7)} == 0")
        ),
    )
    code = f"total = 0\nfor x in {xs}:\n    if {skip}:\n        continue\n    total += x\n    if {stop}:\n        break\nelse:\n    total += 100\nprint(total)"
    return Program(
        code,
        "",
        "`continue` goes on with the next value, `break` leaves the loop, and `else` belongs to the loop.",
        "The `else` is run when the last `if` is false.",
        "It belongs to the `for`, and is run only if no `break` came.",
    )
