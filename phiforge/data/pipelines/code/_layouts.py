"""How a chain of operations is written in Python: a line for every stage, in a loop, or as compactly as can still be read."""

from __future__ import annotations

import builtins
import keyword

from phiforge.data.pipelines.code._small import Stage, chained

_NAMED = {
    "sorted": "ordered",
    "reversed": "backwards",
    "list": "items",
    "top": "largest",
    "text": "cleaned",
    "": "kept",
}


def _free(wanted: str, taken: set[str]) -> str:
    """A name that nothing else has: no keyword, no builtin, no other variable."""
    name = _NAMED.get(wanted, wanted)
    name = name if name.isidentifier() and not keyword.iskeyword(name) and name not in dir(builtins) else "kept"
    while name in taken:
        name = f"{name[:-1]}{int(name[-1]) + 1}" if name[-1].isdigit() else f"{name}_2"
    taken.add(name)
    return name


def _ending(stage: Stage, x: str) -> list[tuple[str, str]]:
    code = stage.code(x)
    return [(stage.says, code if "return " in code else f"return {code}")]


def _steps(stages: list[Stage], parameter: str, element: str) -> list[tuple[str, str]]:
    """A line for every stage."""
    lines, x, taken = [], parameter, {parameter, element, "number", "v", "a", "b", "c", "i", "group", "row", "key"}
    for stage in stages[:-1]:
        tag = stage.op.tag.format_map(stage.values).lower()
        name = _free(tag, taken)
        if stage.op.kind == "keep":
            line = f"{name} = [{element} for {element} in {x} if {stage.code(v=element)}]"
        elif stage.op.elementwise:
            line = f"{name} = [{stage.code(v=element)} for {element} in {x}]"
        else:
            line = f"{name} = {stage.code(x)}"
        lines.append((stage.says, line))
        x = name
        if stage.op.elementwise and stage.op.takes != stage.op.gives:
            element = "number"
    return lines + _ending(stages[-1], x)


def _compact(stages: list[Stage], parameter: str, element: str) -> list[tuple[str, str]]:
    """As few lines as can still be read: conditions and one change share a comprehension."""
    lines, x, taken, i = (
        [],
        parameter,
        {parameter, element, "number", "v", "a", "b", "c", "i", "group", "row", "key"},
        0,
    )
    while i < len(stages) - 1:
        keeps, says = [], []
        while i < len(stages) - 1 and stages[i].op.kind == "keep":
            keeps.append(stages[i].code(v=element))
            says.append(stages[i].says)
            i += 1
        value = element
        if i < len(stages) - 1 and stages[i].op.elementwise:
            value = stages[i].code(v=element)
            says.append(stages[i].says)
            i += 1
        if says:
            tests = [f"({keep})" if " or " in keep and len(keeps) > 1 else keep for keep in keeps]
            made = f"[{value} for {element} in {x}{' if ' * bool(keeps)}{' and '.join(tests)}]"
        else:
            made, says = stages[i].code(x), [stages[i].says]
            i += 1
        if stages[i - 1].op.elementwise and stages[i - 1].op.takes != stages[i - 1].op.gives:
            element = "number"
        x = _free(stages[i - 1].op.tag.format_map(stages[i - 1].values).lower(), taken)
        lines.append((chained(says), f"{x} = {made}"))
    return lines + _ending(stages[-1], x)


def _loop(stages: list[Stage], parameter: str, element: str) -> list[tuple[str, str]]:
    """A loop over the elements, as one writes it before one knows comprehensions."""
    n = 0
    while n < len(stages) - 1 and stages[n].op.elementwise:
        n += 1
    if n == 0:
        return _steps(stages, parameter, element)
    last, fold = stages[n], n == len(stages) - 1 and stages[n].op.tag
    name = {"sum": "total", "count": "count"}.get(str(fold), "result")
    lines = [f"{name} = {'[]' if name == 'result' else 0}", f"for {element} in {parameter}:"]
    indent, value = "    ", element
    for stage in stages[:n]:
        if stage.op.kind == "keep":
            lines.append(f"{indent}if {stage.code(v=value)}:")
            indent += "    "
        else:
            new = "changed" if value != "changed" else "value"
            lines.append(f"{indent}{new} = {stage.code(v=value)}")
            value = new
    lines.append(
        f"{indent}" + {"total": f"total += {value}", "count": "count += 1"}.get(name, f"result.append({value})")
    )
    says = chained([stage.says for stage in stages[:n]])
    if name != "result":
        return [(says, "\n".join(lines)), (last.says, f"return {name}")]
    if any(stage.op.takes != stage.op.gives for stage in stages[:n]):
        element = "number"
    return [(says, "\n".join(lines)), *_steps(stages[n:], "result", element)]


LAYOUTS = {"steps": _steps, "compact": _compact, "loop": _loop}
