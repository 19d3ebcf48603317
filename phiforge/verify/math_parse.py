"""The grammar of relations and collections around scalars: equations, inequalities, tuples, intervals, sets, matrices."""

from __future__ import annotations

from phiforge.verify.math_lex import NotMath, Token
from phiforge.verify.math_scalar import ScalarParser
from phiforge.verify.math_tree import REALS, Node, both_signs, num, scalar

_RELATIONS = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": "<", ">=": "<="}


def parse(tokens: list[Token]) -> Node:
    """The node of a token list that ends in an `end` token. Raises NotMath, or TooLarge when nested too deeply."""
    parser = _Parser(tokens)
    node = parser.relation()
    if parser.peek().kind != "end":
        raise NotMath
    return node


class _Parser(ScalarParser):
    def relation(self) -> Node:
        parts, operators = [self.union()], list[str]()
        while self.peek().kind == "symbol" and self.peek().text in _RELATIONS:
            operators.append(self.take().text)
            if operators[-1] == "=":
                self.accept("=")
            parts.append(self.union())
        if not operators and self.accept("∈"):
            return self.union()
        if self.accept("≈"):
            approximation = self.union()
            if not operators and parts[0].op == "sym":
                return Node("rel", (parts[0], approximation), "=")  # otherwise what stands before ≈ is the answer
        if not operators:
            return parts[0]
        if operators[0] in (">", ">="):
            parts.reverse()
        order = [_RELATIONS[operator] for operator in operators]
        if len(order) == 1:
            return Node("rel", tuple(parts), order[0])
        if len(order) != 2 or {o[0] for o in operators} not in ({"<"}, {">"}):
            raise NotMath
        return Node("between", tuple(parts), " ".join(order if operators[0][0] == "<" else order[::-1]))

    def union(self) -> Node:
        parts = [self.sum()]
        while parts[0].op == "tuple" and (self.sees("∪") or self.peek()[:2] == ("word", "U")):
            self.take()
            parts.append(self.sum())
        if any(part.op != "tuple" for part in parts[1:]):
            raise NotMath
        return parts[0] if len(parts) == 1 else Node("union", tuple(parts))

    def enclosed(self, opener: str) -> Node:
        match opener:
            case "(" | "[":
                return self.bracketed(opener)
            case "{" | "\\{":
                return self.collection("}" if opener == "{" else "\\}")
            case "\\begin":
                return self.matrix()
            case "\\emptyset":
                return Node("set")
            case "\\mathbb" if self.argument() == Node("sym", (), "R"):
                return REALS
            case _:
                raise NotMath

    def items(self) -> list[Node]:
        items = [self.nested(self.relation)]
        while self.accept(",", ";"):
            items.append(self.nested(self.relation))
        return items

    def bracketed(self, opener: str) -> Node:
        if self.sees("]", ")"):
            raise NotMath
        items = self.items()
        closer = self.take().text
        if closer not in (")", "]"):
            raise NotMath
        if len(items) > 1:
            rows = opener + closer == "[]" and all(item.op == "tuple" and item.value == "[]" for item in items)
            if rows and len({len(item.args) for item in items}) == 1:
                return Node("matrix", tuple(items))
            return Node("tuple", tuple(items), opener + closer)
        if opener + closer not in ("()", "[]"):
            raise NotMath
        return items[0]

    def collection(self, closer: str) -> Node:
        """A set; braces around one item only group it."""
        if self.accept(closer):
            return Node("set")
        items = [signed for item in self.items() for signed in both_signs(item)]
        self.expect(closer)
        alone = len(items) == 1 and not (closer == "\\}" and items[0].op == "set")  # {∅} is not empty
        return items[0] if alone else Node("set", tuple(items))

    def times(self, factors: list[Node]) -> Node:
        """A product; a number times a matrix is the matrix of products."""
        matrices = [factor for factor in factors if factor.op == "matrix"]
        if len(factors) == 1 or len(matrices) != 1:
            return super().times(factors)
        by = super().times([factor for factor in factors if factor.op != "matrix"])
        rows = [tuple(Node("mul", (scalar(by), scalar(cell))) for cell in row.args) for row in matrices[0].args]
        return Node("matrix", tuple(Node("tuple", row, "[]") for row in rows))

    def with_sign(self, sign: str, node: Node) -> Node:
        return self.times([num(-1), node]) if sign == "-" and node.op == "matrix" else super().with_sign(sign, node)

    def matrix(self) -> Node:
        self.expect("{")
        name = self.take().text
        if name != "array" and not name.endswith("matrix"):
            raise NotMath
        self.expect("}")
        if name == "array" and self.accept("{"):  # its columns' alignment
            self.take()
            self.expect("}")
        rows: list[Node] = []
        cells: list[Node] = []
        while not self.accept("\\end"):
            cells.append(scalar(self.nested(self.sum)))
            if self.accept("&"):
                continue
            rows.append(Node("tuple", tuple(cells), "[]"))
            cells = []
            if not self.accept("\\\\") and not self.sees("\\end"):
                raise NotMath
        self.expect("{")
        self.take()
        self.expect("}")
        if cells or not rows or len({len(row.args) for row in rows}) != 1:
            raise NotMath
        return Node("matrix", tuple(rows))
