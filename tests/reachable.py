"""The code that a handler can come to run: followed by name, through the modules that its own module imports.

A name is followed to every definition of it in those modules, so this may find more than what runs, and never less.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache

from support import ROOT

SRC = ROOT / "src"


@cache
def modules() -> dict[str, ast.Module]:
    """Every module that is deployed, by its dotted name."""
    paths = [path for path in SRC.rglob("*.py") if "__pycache__" not in path.parts]
    names = {path: ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__") for path in paths}
    return {name: ast.parse(path.read_text()) for path, name in names.items()}


@cache
def _walked(node: ast.AST) -> tuple[ast.AST, ...]:
    """A node and all within it. Most are asked for by every handler."""
    return tuple(ast.walk(node))


@cache
def _executed(tree: ast.AST) -> list[ast.AST]:
    """Every node but those that only the type checker sees."""
    found, pending = [], [tree]
    while pending:
        node = pending.pop()
        found.append(node)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            pending += node.orelse
        else:
            pending += ast.iter_child_nodes(node)
    return found


def imported(module: str) -> set[str]:
    """A module and every other of ours that it comes to import, at its start or later."""
    seen: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        if name in seen or name not in modules():
            continue
        seen.add(name)
        for node in _executed(modules()[name]):
            if isinstance(node, ast.Import):
                pending += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, "imports are written in full"
                pending += [str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)]
        pending += [module for module, _ in _routed(modules()[name])]
    return seen


@cache
def _routed(tree: ast.AST) -> list[tuple[str, str]]:
    """Module and name of each handler that a table of routes names; they are imported by that name alone."""
    return [
        (f"conflict_detector.{folder}.handlers", function)
        for part in _walked(tree)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "Route"
        for folder, _, function in [str(ast.literal_eval(part.args[2])).partition(".")]
    ]


@cache
def _definitions(module: ast.Module) -> list[tuple[str, ast.AST]]:
    """What the names of a module stand for. A class stands for what runs when it is made, not for its methods."""
    found: list[tuple[str, ast.AST]] = []
    for node in _executed(module):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append((node.name, node))
        elif isinstance(node, ast.ClassDef):
            body = [part for part in node.body if not isinstance(part, ast.FunctionDef) or part.name.startswith("__")]
            found += [(node.name, part) for part in (*body, *node.bases, *node.decorator_list)]
        elif isinstance(node, ast.ImportFrom):
            found += [(alias.asname, ast.Name(alias.name)) for alias in node.names if alias.asname]
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", ast.Pass())]
        names = [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
        found += [(name, node) for name in names]
    return found


def reachable(handler: str) -> tuple[ast.AST, ...]:
    """The definitions that a handler, such as `conflict_detector.app.lambda_handler`, can come to use."""
    module, _, function = handler.rpartition(".")
    definitions: defaultdict[str, list[ast.AST]] = defaultdict(list)
    for name in imported(module):
        for defined, node in _definitions(modules()[name]):
            definitions[defined].append(node)
    # What runs at the start.
    found: list[ast.AST] = [node for node in modules()[module].body if isinstance(node, (ast.Expr, ast.If))]
    pending, seen = [function, *(name for node in found for name in names_in(node))], set()
    while pending:
        name = pending.pop()
        if name not in seen:
            seen.add(name)
            found += definitions.get(name, [])
            pending += [used for node in definitions.get(name, []) for used in names_in(node)]
    assert len(found) > 1, f"there is no {handler}"
    return tuple(found)


@cache
def names_in(node: ast.AST) -> frozenset[str]:
    """Every name, and every attribute, that a piece of code uses."""
    used = {part.attr for part in _walked(node) if isinstance(part, ast.Attribute)}
    used |= {function for _, function in _routed(node)}
    return frozenset(used | {part.id for part in _walked(node) if isinstance(part, ast.Name)})


@cache
def parts(handler: str) -> tuple[ast.AST, ...]:
    """Every node of the code that a handler can come to run, once."""
    return tuple(dict.fromkeys(part for node in reachable(handler) for part in _walked(node)))


def members_used(handler: str, enum: str) -> set[str]:
    """The members of an enumeration that the code names."""
    return {
        part.attr
        for part in parts(handler)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == enum
    }


def keywords_used(handler: str) -> set[str]:
    """The names of the keyword arguments that the code gives."""
    return {str(part.arg) for part in parts(handler) if isinstance(part, ast.keyword)}


def keys_read(handler: str, mapping: str) -> set[str]:
    """The constant keys that the code reads from a mapping of this name, with `[…]` or with `get`."""
    read: list[tuple[ast.expr, ast.expr]] = []
    for part in parts(handler):
        if isinstance(part, ast.Subscript):
            read.append((part.value, part.slice))
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr == "get":
            read += [(part.func.value, key) for key in part.args[:1]]
    return {
        str(key.value)
        for value, key in read
        if isinstance(value, ast.Name) and value.id == mapping and isinstance(key, ast.Constant)
    }
