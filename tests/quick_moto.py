"""Moto without what costs it most: each of these is work that it repeats, and whose result no test reads."""

from __future__ import annotations

import copy
import copyreg
import importlib
import json
import pickle
import threading
from collections import deque
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import pytest
from botocore import useragent
from cryptography.hazmat.primitives.asymmetric import rsa
from moto.core.base_backend import BackendDict
from moto.core.exceptions import JsonRESTError
from moto.core.model_instances import reset_model_data
from moto.core.models import MockAWS, botocore_stubber
from moto.core.serialize import ResponseSerializer
from moto.core.utils import method_names_from_class
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator
from moto.kms.utils import generate_private_key
from moto.sns.models import Subscription
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Moto keeps these from type checkers.
AST: Any = importlib.import_module("moto.dynamodb.parsing.ast_nodes")
EXPRESSIONS: Any = importlib.import_module("moto.dynamodb.parsing.expressions")


@contextmanager
def quick_moto() -> Iterator[None]:
    """Within this, moto answers as before."""
    with pytest.MonkeyPatch.context() as patch:
        # It validates a whole update at each of its clauses, which takes seconds where a booking takes days.
        patch.setattr(ActionCountValidator, "traverse", ActionCountValidator.verify_action_counts)
        patch.setattr(OverlappingPathsValidator, "traverse", OverlappingPathsValidator.check_for_overlapping_paths)
        # It parses an update again for each item of a transaction.
        make = EXPRESSIONS.UpdateExpressionParser.make
        patch.setattr(EXPRESSIONS.UpdateExpressionParser, "make", staticmethod(lru_cache(maxsize=256)(make)))
        patch.setattr(ConditionExpressionParser, "_lex_condition_expression", _lexed_once())
        # It copies a whole table for each item of a transaction, to go back to.
        patch.setattr(DynamoDBBackend, "transact_write_items", _copying_once(DynamoDBBackend.transact_write_items))
        # It writes XML for each error, which answers in JSON, and takes some for a way of saying no.
        patch.setattr(JsonRESTError, "__init__", _say)
        # It asks an abstract class about each node of an update, ten times over.
        patch.setattr(AST.DepthFirstTraverser, "traverse_node_recursively", _visit)
        # It makes an RSA key for each topic to sign messages with.
        patch.setattr(Subscription, "private_key", lambda _: _private_key())
        # It makes one for each key of KMS too, also of those that never sign.
        patch.setattr("moto.kms.models.generate_private_key", cache(generate_private_key))
        # It copies what it read of an update node by node, before it fills in the values.
        patch.setattr("moto.dynamodb.parsing.validators.deepcopy", _copied_at_once())
        # It looks for each of the ten kinds of each attribute value by four names.
        patch.setattr(ResponseSerializer, "get_value", _picked(ResponseSerializer.get_value))
        # It lists the methods of a class at each call.
        patch.setattr("moto.core.responses.method_names_from_class", cache(method_names_from_class))
        # Botocore looks at each letter of who asks, at each call.
        sanitize = useragent.sanitize_user_agent_string_component
        patch.setattr(useragent, "sanitize_user_agent_string_component", lru_cache(maxsize=1024)(sanitize))
        # It writes down 1,300 addresses, and looks at them only for clients other than botocore's.
        patch.setattr(MockAWS, "_enable_patching", _enable)
        patch.setattr(MockAWS, "_disable_patching", _disable)
        yield


class Kept:
    """What lies in all of moto's services, to begin there again: a copy costs a tenth of the calls that made it."""

    def __init__(self) -> None:
        self._services = list(_in_use())
        self._content = self._copied([dict(service) for service in self._services])

    def restore(self) -> None:
        _in_use()[:] = self._services
        for service, content in zip(self._services, self._copied(self._content), strict=True):
            service.clear()
            service.update(content)

    @staticmethod
    def _copied(content: list[Any]) -> list[Any]:
        # A queue has one, and nobody waits at it.
        copyreg.pickle(threading.Condition, lambda _: (threading.Condition, ()))
        return copy.deepcopy(content)


def _in_use() -> list[Any]:
    services: Any = BackendDict
    found: list[Any] = services._instances
    return found


def _lexed_once() -> Callable[[Any], deque[Any]]:
    lexed: dict[str, tuple[Any, ...]] = {}
    original = ConditionExpressionParser._lex_condition_expression

    def lex(self: Any) -> deque[Any]:
        text = self.condition_expression
        if text not in lexed:
            lexed[text] = tuple(original(self))
        return deque(lexed[text])

    return lex


def _copying_once(original: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    def transact(self: Any, items: Any) -> None:
        copies: dict[int, Table] = {}

        def copied(table: Table, memo: dict[int, Any]) -> Table:
            if id(table) not in copies:
                copies[id(table)] = memo[id(table)] = found = copy.copy(table)
                vars(found).update(copy.deepcopy(vars(table), memo))
            return copies[id(table)]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Table, "__deepcopy__", copied, raising=False)
            original(self, items)

    return transact


def _say(self: Any, error_type: str, message: str, _: str = "", **__: Any) -> None:
    HTTPException.__init__(self)
    self.error_type, self.message = error_type, message
    self.description = json.dumps({"__type": error_type, "message": message})
    self.content_type = "application/json"


def _visit(self: Any, root: Any, _: int = -1) -> Any:
    wanted = self.nodes_to_be_processed()
    kinds: dict[type, tuple[bool, bool]] = {}
    looks_before = type(self).pre_processing_of_child is not AST.DepthFirstTraverser.pre_processing_of_child

    def is_of(kind: type) -> tuple[bool, bool]:
        if kind not in kinds:
            kinds[kind] = issubclass(kind, AST.Node), issubclass(kind, wanted)
        return kinds[kind]

    def visit(node: Any, place: int, is_wanted: bool) -> Any:
        for n, child in enumerate(node.children or ()):
            if looks_before:
                self.pre_processing_of_child(node, n)
            is_node, child_is_wanted = kinds.get(type(child)) or is_of(type(child))
            if is_node and (child_is_wanted or child.children):
                visit(child, n, child_is_wanted)
        if is_wanted:
            parent = node.parent
            node = self.process(node)
            node.parent = parent
            if parent:
                parent.children[place] = node
        return node

    return visit(root, -1, is_of(type(root))[1])


def _copied_at_once() -> Callable[[Any], Any]:
    written = lru_cache(maxsize=256)(pickle.dumps)

    def copied(read: Any) -> Any:
        # A whole update stays as it was read. Its values, which it asks for too, are of an item and change.
        return pickle.loads(written(read)) if isinstance(read, AST.Expression) else copy.deepcopy(read)

    return copied


@cache
def _private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _picked(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_value(self: Any, value: Any, key: str, shape: Any) -> Any:
        if shape.parent.name == "AttributeValue" and isinstance(value, dict):
            return value.get(key)
        return original(self, value, key, shape)

    return get_value


def _enable(_: MockAWS, *, reset: bool = True) -> None:
    botocore_stubber.enabled = True
    if reset:
        BackendDict.reset()


def _disable(_: MockAWS, remove_data: bool) -> None:
    botocore_stubber.enabled = False
    if remove_data:
        BackendDict.reset()
        reset_model_data()
