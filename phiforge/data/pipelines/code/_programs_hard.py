"""Small programs about what surprises people: recursion, defaults, closures, aliases in grids, exceptions, classes."""

from __future__ import annotations

from phiforge.data.draw import Draw
from phiforge.data.pipelines.code._programs_easy import Program, ints


def recursion(draw: Draw, level: int) -> Program:
    name = draw.pick(("f", "g", "walk", "h"))
    n, a, b = draw.between(4, 6 + level // 3), draw.between(1, 4), draw.between(1, 3)
    body = draw.pick(
        (
            f"n + {name}(n - {b})",
            f"{a} * {name}(n - 1) + n",
            f"{name}(n - 1) + {name}(n - 2)",
            f"n - {name}(n - 1)",
            f"{name}(n // 2) + {name}(n - 2)",
            f"{name}(n - 2) * 2 + 1",
        )
    )
    code = f"def {name}(n):\n    if n <= {draw.between(1, 2)}:\n        return {a}\n    return {body}\n\n\nprint({name}({n}))"
    return Program(
        code,
        "",
        "Each call waits for the one inside it, so I begin with the smallest n.",
        f"{name} of the smallest n is 0.",
        f"The first branch returns {a}.",
    )


def mutable_default(draw: Draw, level: int) -> Program:
    name, box = draw.pick(("add", "collect", "put", "note")), draw.pick(("box", "bag", "seen", "items"))
    calls = ints(draw, 3)
    last = draw.pick(
        (f"{name}({calls[2]})", f"{name}({calls[2]}, [])", f"{name}({calls[2]}, [{draw.between(20, 30)}])")
    )
    code = f"def {name}(x, {box}=[]):\n    {box}.append(x)\n    return {box}\n\n\n{name}({calls[0]})\n{name}({calls[1]})\nprint({draw.pick((last, f'len({last})', f'sum({last})'))})"
    return Program(
        code,
        "",
        "The default list is made once, when the function is defined, and kept from call to call.",
        f"Every call begins with an empty {box}.",
        "That holds only for calls that bring their own list.",
    )


def late(draw: Draw, level: int) -> Program:
    n, a = draw.between(3, 4), draw.between(2, 9)
    fixed = draw.chance(0.4)
    op = draw.pick("*+-")
    made = f"lambda x, i=i: x {op} i" if fixed else f"lambda x: x {op} i"
    code = f"fs = []\nfor i in range({n}):\n    fs.append({made})\nprint([f({a}) for f in fs])"
    why = (
        "`i=i` stores the value that i has when the lambda is made."
        if fixed
        else "The lambda looks i up when it is called, and then the loop has ended."
    )
    return Program(
        code,
        "",
        why,
        "All of them use the last i." if fixed else f"They use 0, 1 and so on up to {n - 1}.",
        "The default argument keeps each one's own i."
        if fixed
        else f"When they are called, i is {n - 1} for all of them.",
    )


def removing(draw: Draw, level: int) -> Program:
    xs, k = [draw.pick((2, 3, 4, 6, 7, 8)) for _ in range(draw.between(4, 6))], draw.between(3, 6)
    copy = draw.chance(0.4)
    code = f"data = {xs}\nfor x in {'data[:]' if copy else 'data'}:\n    if x {draw.pick(('<', '>'))} {k}:\n        data.remove(x)\nprint(data)"
    return Program(
        code,
        "",
        "The loop goes over a copy, so removing disturbs nothing."
        if copy
        else "The loop counts positions; when one is removed, the next element moves up and is skipped.",
        "Some elements are skipped." if copy else "All that fit are removed.",
        "The loop runs over a copy, which keeps its length."
        if copy
        else "After a removal the element behind it takes its place, and the loop goes on to the next place.",
    )


def rows(draw: Draw, level: int) -> Program:
    n, m, v = draw.between(2, 3), draw.between(2, 3), draw.between(1, 9)
    shared = draw.chance(0.6)
    i, j = draw.between(0, n - 1), draw.between(0, m - 1)
    grid = f"[[0] * {m}] * {n}" if shared else f"[[0] * {m} for _ in range({n})]"
    code = f"grid = {grid}\ngrid[{i}][{j}] = {v}\ngrid[{(i + 1) % n}][{(j + 1) % m}] += {draw.between(1, 5)}\nprint({draw.pick(('grid', 'sum(sum(row) for row in grid)', 'grid[0], grid[-1]'))})"
    return Program(
        code,
        "",
        "`[row] * n` holds the same row n times." if shared else "The comprehension makes a new row each time.",
        "Only one row is changed." if shared else "All rows are changed.",
        "All rows are one list, so the change shows in each." if shared else "The rows are different lists here.",
    )


def caught(draw: Draw, level: int) -> Program:
    xs = draw.shuffled([draw.between(2, 6), 0, draw.between(7, 9), f'"{draw.pick("abc")}"', draw.between(1, 4)])[
        : draw.between(3, 5)
    ]
    n = draw.between(12, 48)
    shown = "[" + ", ".join(map(str, xs)) + "]"
    code = f'log = []\nfor d in {shown}:\n    try:\n        log.append({n} // d)\n    except ZeroDivisionError:\n        log.append({draw.pick(("-1", "0"))})\n    except TypeError:\n        log.append("?")\n    {draw.pick(("else", "finally"))}:\n        log.append("{draw.pick(("ok", "done", "e"))}")\nprint({draw.pick(("len(log), log[-1]", "log"))})'
    return Program(
        code,
        "",
        "`else` is run when nothing was raised, `finally` in any case.",
        "After an error the loop ends.",
        "The error is caught inside the loop, so it goes on.",
    )


def truth(draw: Draw, level: int) -> Program:
    values = draw.shuffled(
        [
            "0",
            '""',
            "[]",
            str(draw.between(2, 9)),
            f'"{draw.pick(("a", "no", "0"))}"',
            "None",
            f"[{draw.between(0, 3)}]",
        ]
    )
    a, b, c = values[:3]
    show = draw.pick(
        ("a or b or c", "a and b, b or c", "a or b, not c", "(a or b) and c", "bool(a), b or a", "a if b else c")
    )
    code = f"a = {a}\nb = {b}\nc = {c}\nprint({show})"
    return Program(
        code,
        "",
        "0, empty texts, empty lists and None count as false; `and` and `or` give one of their operands.",
        "`or` gives True or False.",
        "It gives the first operand that counts as true, or else the last one.",
    )


def negative(draw: Draw, level: int) -> Program:
    b = draw.between(3, 9)
    a = b * draw.between(1, 6) + draw.between(1, b - 1)  # not a multiple
    show = draw.pick(
        (
            f"-{a} // {b}, -{a} % {b}",
            f"{a} // -{b}, {a} % -{b}",
            f"divmod(-{a}, {b})",
            f"-{a} // {b} * {b}, {a} % {b}",
            f"abs(-{a}) // {b}, -{a} % {b}",
        )
    )
    return Program(
        f"q = {show}\nprint(q)" if draw.chance(0.5) else f"print({show})",
        "",
        "// rounds down, away from 0 for negative results, and % has the sign of the divisor.",
        f"-{a} // {b} is -{a // b}.",
        "Rounding down means towards minus infinity, not towards 0.",
    )


def scopes(draw: Draw, level: int) -> Program:
    x, k, declared = draw.between(1, 9), draw.between(2, 6), draw.chance(0.5)
    name = draw.pick(("bump", "step", "raise_it"))
    code = (
        f"x = {x}\n\n\ndef {name}():\n"
        + ("    global x\n" if declared else "")
        + f"    x = {draw.between(10, 20)}{' + x' if declared else ''}\n    return x * {k}\n\n\ny = {name}()\nprint(x, y)"
    )
    return Program(
        code,
        "",
        "`global` makes the assignment concern the outer x."
        if declared
        else "An assignment in a function makes a new, local x.",
        "The outer x stays as it is." if declared else "The outer x is changed.",
        "It is declared global." if declared else "Without `global` the outer x isn't touched.",
    )


def counter(draw: Draw, level: int) -> Program:
    start, step = draw.between(0, 5), draw.between(2, 5)
    code = f"def make_counter(step):\n    n = {start}\n\n    def count():\n        nonlocal n\n        n += step\n        return n\n\n    return count\n\n\na = make_counter({step})\nb = make_counter({draw.between(1, 4)})\na()\n{draw.pick(('a()', 'b()'))}\nprint(a(), b())"
    return Program(
        code,
        "",
        "Each call of make_counter makes an n of its own, which its counter keeps.",
        "Both counters share one n.",
        "Each has the n of the call that made it.",
    )


def mutual(draw: Draw, level: int) -> Program:
    a, b, n = draw.between(1, 3), draw.between(2, 4), draw.between(5, 8)
    code = f"def f(n):\n    return {a} if n <= 0 else n + g(n - {draw.between(1, 2)})\n\n\ndef g(n):\n    return {b} if n <= 1 else {draw.pick(('2 * f(n - 1)', 'f(n - 2) - n', 'f(n - 1) + 1'))}\n\n\nprint(f({n}))"
    return Program(
        code,
        "",
        "f calls g and g calls f; I work from the innermost call outwards.",
        "g never gets to its own end.",
        "Both stop as soon as n is small enough.",
    )


def stack(draw: Draw, level: int) -> Program:
    tokens, depth = [], 0
    for _ in range(draw.between(6, 9)):
        if depth >= 2 and draw.chance(0.55):
            tokens.append(draw.pick("+*-"))
            depth -= 1
        else:
            tokens.append(str(draw.between(1, 9)))
            depth += 1
    while depth > 1:
        tokens.append(draw.pick("+-"))
        depth -= 1
    code = f'stack = []\nfor token in "{" ".join(tokens)}".split():\n    if token == "+":\n        stack.append(stack.pop() + stack.pop())\n    elif token == "*":\n        stack.append(stack.pop() * stack.pop())\n    elif token == "-":\n        b = stack.pop()\n        stack.append(stack.pop() - b)\n    else:\n        stack.append(int(token))\nprint(stack[0])'
    return Program(
        code,
        "",
        "An operator takes the two on top of the stack and puts its result back.",
        "For the minus, the upper one comes first.",
        "b is the upper one, and it is subtracted from the one below.",
    )


def table(draw: Draw, level: int) -> Program:
    xs = ints(draw, draw.between(5, 7), 1, 9)
    rule = draw.pick(
        (
            "best[i - 1] + x",
            "max(best[i - 1], best[i - 2] + x)",
            "best[i - 2] + x",
            "min(best[i - 1], best[i - 2]) + x",
        )
    )
    code = f"xs = {xs}\nbest = [{draw.between(0, 2)}, xs[0]]\nfor i, x in enumerate(xs[1:], 2):\n    best.append({rule})\nprint(best[-1], {draw.pick(('len(best)', 'best[2]', 'max(best)'))})"
    return Program(
        code,
        "",
        "The list is filled from left to right, each entry from the one or two before it.",
        "i is the position of x in xs.",
        "enumerate begins with 2, so i is the position of the new entry of best.",
    )


def classes(draw: Draw, level: int) -> Program:
    kind, sub = draw.pick(
        (("Account", "Savings"), ("Tank", "SmallTank"), ("Robot", "FastRobot"), ("Till", "BusyTill"))
    )
    a, b, k = draw.between(10, 40), draw.between(3, 15), draw.between(2, 4)
    guard = draw.between(0, 25)
    code = (
        f"class {kind}:\n    def __init__(self, level):\n        self.level = level\n\n    def add(self, n):\n        self.level += n\n        return self.level\n\n    def take(self, n):\n        if self.level - n < {guard}:\n            return 0\n        self.level -= n\n        return n\n\n\n"
        f"class {sub}({kind}):\n    def add(self, n):\n        self.level += n * {k}\n        return self.level\n\n\n"
        f"one = {kind}({a})\ntwo = {sub}({a})\none.add({b})\ntwo.add({b})\ngot = {draw.pick(('one', 'two'))}.take({draw.between(10, 45)})\nprint(one.level, two.level, got)"
    )
    return Program(
        code,
        "",
        f"{sub} has its own add and takes the rest from {kind}.",
        f"two.add is the add of {kind}.",
        f"{sub} defines add itself, so that one is used.",
    )


def matrix(draw: Draw, level: int) -> Program:
    n = draw.between(2, 3)
    rows = [ints(draw, n) for _ in range(n)]
    show = draw.pick(
        (
            "[row[i] for i, row in enumerate(m)]",
            "[sum(column) for column in zip(*m)]",
            "[list(column) for column in zip(*m)]",
            "[max(row) - min(row) for row in m]",
            "sum(m[i][-1 - i] for i in range(len(m)))",
            "[x for row in m for x in row if x % 2 == 1]",
        )
    )
    return Program(
        f"m = {rows}\nresult = {show}\nprint(result)",
        "",
        "`zip(*m)` gives the columns, and the index i picks from row number i.",
        "`zip(*m)` gives the rows.",
        "The star hands over the rows one by one, so zip pairs what stands below one another.",
    )


def words(draw: Draw, level: int) -> Program:
    text = draw.pick(
        (
            "the cat saw the dog",
            "red green blue red",
            "one two three two one",
            "a bee or not a bee",
            "tick tock tick",
            "so long and so far",
            "up down up left up",
        )
    )
    show = draw.pick(("len(seen), last", "seen", "last, seen[0]", '"-".join(seen)'))
    code = f'seen = []\nlast = ""\nfor word in "{text}".split():\n    if word not in seen:\n        seen.append(word)\n    elif len(word) {draw.pick((">", "<="))} {draw.between(2, 3)}:\n        last = word.upper()\nprint({show})'
    return Program(
        code,
        "",
        "A word is added the first time only; later times may change last.",
        "A word that comes twice is in the list twice.",
        "It is only added when it isn't there yet.",
    )
