"""Modules of contracts that are data: the events, and the topology.

Every service ships all of them, and few concern it. Documents of the registry say in full what such a module
declares: the fields of its events, topics, queues and subscriptions. What they do not say is its code.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection

from release.thing import CONTRACTS_FOLDER

TOPOLOGY = f"{CONTRACTS_FOLDER}/topology.py"
_EVENTS = f"{CONTRACTS_FOLDER}/events/"
# The base of all events, and how they travel: no event of its own.
_NO_DATA = (f"{_EVENTS}__init__.py", f"{_EVENTS}envelope.py")


def is_data(path: str) -> bool:
    """Whether a file is a module of data."""
    return path == TOPOLOGY or (path.startswith(_EVENTS) and path.endswith(".py") and path not in _NO_DATA)


def same_code(old: str, new: str) -> bool:
    """Whether two versions of a module of data part in nothing but what documents say of it.

    That is: constants, fields of classes, descriptions, imports, and classes that are new or gone. Comments
    and the way it is written are nothing to anybody.
    """
    try:
        was, now = ast.parse(old), ast.parse(new)
    except SyntaxError:  # the tests will say so
        return False
    if _functions(was) != _functions(now):
        return False
    before, after = _classes(was), _classes(now)
    return all(before[name] == after[name] for name in before.keys() & after.keys())


def code_in(source: str, events: Collection[str]) -> str:
    """A text that is another where `same_code` says so, of a module by itself.

    What is new must not make it another for those whom it does not concern. So of classes that only have
    fields those of `events` are in it: the ones that somebody publishes or hears.
    """
    try:
        module = ast.parse(source)
    except SyntaxError:
        return source
    concerned = {node.name for node in _class_nodes(module) if _has_code(node) or _event(node) in events}
    classes = {name: said for name, said in _classes(module).items() if name in concerned}
    return json.dumps([_functions(module), classes], sort_keys=True)


def events_in(source: str) -> frozenset[str]:
    """The names of the events that a module declares, `mercato.ORDER_CREATED.v1`."""
    try:
        found = [_event(node) for node in _class_nodes(ast.parse(source))]
    except SyntaxError:
        return frozenset()
    return frozenset(filter(None, found))


def _event(node: ast.ClassDef) -> str | None:
    said = {each.arg: ast.literal_eval(each.value) for each in node.keywords}
    return f"mercato.{said['type']}.v{said.get('version', 1)}" if "type" in said else None


def _class_nodes(module: ast.Module) -> list[ast.ClassDef]:
    return [node for node in module.body if isinstance(node, ast.ClassDef)]


def _classes(module: ast.Module) -> dict[str, str]:
    return {node.name: _dump(_without_fields(node)) for node in _class_nodes(module)}


def _functions(module: ast.Module) -> dict[str, str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: _dump(node) for node in module.body if isinstance(node, functions)}


def _without_fields(node: ast.ClassDef) -> ast.ClassDef:
    code = [each for each in node.body if not isinstance(each, ast.AnnAssign)]
    return ast.ClassDef(node.name, node.bases, node.keywords, code, node.decorator_list)


def _has_code(node: ast.ClassDef) -> bool:
    body = _without_fields(node).body
    # A description, and what stands where there is nothing else.
    return not all(isinstance(each, ast.Pass | ast.Expr) for each in body)


def _dump(node: ast.AST) -> str:
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _is_described(each):
            each.body = each.body[1:]
    return ast.dump(node)


def _is_described(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    return ast.get_docstring(node, clean=False) is not None
