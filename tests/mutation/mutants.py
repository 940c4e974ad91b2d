"""Make small changes to a module's code, one at a time: each could be a programmer's mistake, each must be noticed.

Not changed, because no decision comes from them: docstrings, annotations, imports, decorators, and `strict=`.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CORE = Path(__file__).resolve().parents[2] / "bmsd" / "core"
SHOWN = 100
"""Characters of code around a change, from the innermost expression outwards."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
TWINS = (("discharge", "charge"), ("_max", "_min"), ("DISCHARGE", "CHARGE"))
"""What is easily taken for each other in a name; only names that the core has are put in."""
FUNCTIONS = {"max": "min", "min": "max", "any": "all", "all": "any"}
COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.comprehension, ast.arguments, ast.JoinedStr)
SCOPES = (ast.FunctionDef, ast.ClassDef, ast.Lambda)
SKIPPED = {
    "annotation": (ast.arg, ast.AnnAssign),
    "returns": (ast.FunctionDef,),
    "decorator_list": (ast.FunctionDef, ast.ClassDef),
    "names": (ast.Import, ast.ImportFrom),
}


class Place(NamedTuple):
    """Where a node hangs: its parents from the outside in, and the slot of the last one."""

    parents: tuple[ast.AST, ...]
    field: str
    index: int | None

    def put(self, node: ast.AST) -> None:
        """Hang another node there."""
        if self.index is None:
            setattr(self.parents[-1], self.field, node)
        else:
            getattr(self.parents[-1], self.field)[self.index] = node


class Mutant(NamedTuple):
    """One change: where, what it was, what it becomes, and the lines whose tests may notice."""

    module: str
    function: str
    change: str
    lines: tuple[int, int]
    number: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Name it independently of line numbers; the same change twice in a function has one name."""
        return self.module, self.function, self.change


def modules() -> list[str]:
    """Name the modules of the core that hold any code."""
    return sorted(path.stem for path in CORE.glob("*.py") if path.stem != "__init__")


def source(module: str) -> str:
    """Read a module of the core."""
    return (CORE / f"{module}.py").read_text(encoding="utf-8")


@functools.cache
def mutants(module: str, text: str | None = None) -> list[Mutant]:
    """List every change of a module."""
    tree = ast.parse(source(module) if text is None else text)
    return [
        Mutant(module, _function(place), change, lines, number)
        for number, (place, change, lines) in enumerate(_changes(tree))
    ]


def mutated(module: str, number: int, text: str | None = None) -> ast.Module:
    """Give the module's code with one change in it."""
    tree = ast.parse(source(module) if text is None else text)
    for count, _ in enumerate(_changes(tree, told=False)):
        if count == number:
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


def _changes(tree: ast.Module, *, told: bool = True) -> Iterator[tuple[Place, str, tuple[int, int]]]:
    """Make each change in the tree itself, tell it, and take it back."""
    for place, node in list(_nodes(tree, ())):
        if not told:
            for new in _replacements(place, node):
                place.put(new)
                yield place, "", (0, 0)
                place.put(node)
            continue
        shown, lines = _shown(place), _lines(place, node)
        before = _text(shown or node)
        for new in _replacements(place, node):
            place.put(new)
            yield place, f"{before} -> {_text(shown or new)}", lines
            place.put(node)


def _nodes(node: ast.AST, parents: tuple[ast.AST, ...]) -> Iterator[tuple[Place, ast.AST]]:
    """Walk through all code that decides, each node with its place."""
    for field, value in ast.iter_fields(node):
        if isinstance(node, SKIPPED.get(field, ())) or (
            isinstance(node, ast.keyword) and node.arg == "strict"
        ):
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_text(child):
                continue
            yield Place((*parents, node), field, index if isinstance(value, list) else None), child
            yield from _nodes(child, (*parents, node))


def _is_text(node: ast.AST) -> bool:
    """Tell a docstring, or a string that stands below a field to explain it."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _function(place: Place) -> str:
    names = [getattr(node, "name", "lambda") for node in place.parents if isinstance(node, SCOPES)]
    return ".".join(name for name in names if name != "lambda") or "module"


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _shown(place: Place) -> ast.AST | None:
    """Pick the largest expression or simple statement around a change that is short enough to be shown."""
    best = None
    for node in reversed(place.parents):
        if isinstance(node, (ast.Module, *SCOPES, *COMPOUND)) or len(ast.unparse(node)) > SHOWN:
            break
        best = node
    return best


def _lines(place: Place, node: ast.AST) -> tuple[int, int]:
    """Give the lines of the statement that holds a change, of a compound one only its head."""
    statement = next(item for item in (node, *reversed(place.parents)) if isinstance(item, ast.stmt))
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return 0, 0  # made when the module is read
    if not any(isinstance(item, ast.FunctionDef) for item in place.parents):
        return 0, 0
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) else statement.end_lineno
    return statement.lineno, max(last or 0, statement.lineno)


def _replacements(place: Place, node: ast.AST) -> Iterator[ast.AST]:
    """Give everything that a node is replaced by."""
    owner = place.parents[-1]
    if isinstance(owner, ast.If | ast.IfExp) and place.field == "test":
        yield from (ast.Constant(True), ast.Constant(False))
    if isinstance(owner, ast.comprehension) and place.field == "ifs":
        yield ast.Constant(True)
    if isinstance(node, ast.Constant):
        if node.value is not None or _is_number(place):
            yield from _constants(owner, node)
    elif isinstance(node, ast.Compare):
        for n, op in enumerate(node.ops):
            for other in COMPARISONS[type(op)]:
                yield ast.Compare(node.left, [*node.ops[:n], other(), *node.ops[n + 1 :]], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.And() if isinstance(node.op, ast.Or) else ast.Or(), node.values)
        for n in range(len(node.values)):
            rest = [*node.values[:n], *node.values[n + 1 :]]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Attribute):
        yield from (ast.Attribute(node.value, name, node.ctx) for name in _twins(node.attr))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in FUNCTIONS:
            yield ast.Call(ast.Name(FUNCTIONS[node.func.id], ast.Load()), node.args, node.keywords)
        elif node.func.id == "abs":
            yield node.args[0]
    elif isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        yield ast.AugAssign(node.target, OPERATORS[type(node.op)](), node.value)
        yield ast.Pass()
    elif isinstance(node, ast.Assign) and any(isinstance(item, ast.FunctionDef) for item in place.parents):
        yield from (ast.Pass() for _ in range(_is_again(place, node)))
    elif isinstance(node, ast.Expr):
        yield ast.Pass()
    elif isinstance(node, ast.Continue):
        yield ast.Break()
    elif isinstance(node, ast.Break):
        yield ast.Continue()


def _twins(name: str) -> Iterator[str]:
    """Give the name of the other side, where there is one."""
    for one, other in TWINS:
        swapped = name.replace(one, other) if one in name else name.replace(other, one)
        if swapped != name:
            if swapped in _names():
                yield swapped
            return


@functools.cache
def _names() -> frozenset[str]:
    """Collect all names that follow a dot somewhere in the core."""
    texts = [ast.walk(ast.parse(source(module))) for module in modules()]
    return frozenset(node.attr for nodes in texts for node in nodes if isinstance(node, ast.Attribute))


def _is_number(place: Place) -> bool:
    """Tell whether None stands for an unknown number or answer, as far as the annotation around it says."""
    for node in reversed(place.parents):
        if isinstance(node, ast.Call | ast.Compare):
            return isinstance(node, ast.Call)
        if isinstance(node, ast.AnnAssign | ast.FunctionDef):
            said = node.annotation if isinstance(node, ast.AnnAssign) else node.returns
            return said is not None and any(word in ast.unparse(said) for word in ("int |", "bool |"))
    return False


def _constants(owner: ast.AST, node: ast.Constant) -> Iterator[ast.AST]:
    """Change a number by one, a word by a letter; turn yes into no, and unknown into zero."""
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield from (ast.Constant(value + 1), ast.Constant(value - 1))
    elif isinstance(value, str):
        yield ast.Constant(value + "X")
    elif value is None and not isinstance(owner, ast.Compare):
        yield ast.Constant(0)


def _is_again(place: Place, node: ast.Assign) -> bool:
    """Tell whether an assignment changes what was there before: without it the code still runs."""
    function = next(item for item in reversed(place.parents) if isinstance(item, ast.FunctionDef))
    arguments = {item.arg for item in ast.walk(function.args) if isinstance(item, ast.arg)}
    before = {
        name.id
        for name in ast.walk(function)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store) and name.lineno < node.lineno
    }
    for target in node.targets:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        if not all(not isinstance(name, ast.Name) or name.id in before | arguments for name in names):
            return False
    return True
