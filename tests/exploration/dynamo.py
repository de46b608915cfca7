"""DynamoDB as a value: what a call answers and what it leaves behind, worked out without I/O.

A `Database` is never changed: a write makes another one that shares every item it did not touch. Items and answers
with the same content are the same object, so databases and histories are cheap to compare and to hash. The model
knows the calls and expressions that the product uses and refuses every other one; `test_dynamo.py` holds it to moto.
The expressions are read here and not by moto's evaluator, so that the comparison is between two implementations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from support import resources

Attributes = Mapping[str, Any]

MESSAGES = "Messages"
# Tokens of transactions whose answer was lost, for ten minutes as in DynamoDB, which is longer than any run.
TOKENS = "Tokens"


class InvalidCallError(Exception):
    """The call is none that DynamoDB takes, or none that the model knows."""


class Key(NamedTuple):
    """An item; with the sort key `*`, what a query over that partition of a table or index depends on."""

    space: str
    partition: str
    sort: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Item:
    """One stored item. There is one object for each content."""

    __slots__ = ("attributes", "text")

    def __init__(self, attributes: Attributes, text: str) -> None:
        self.attributes = attributes
        self.text = text


class Answer:
    """What a call answered: a response, or an error with its code. There is one object for each content."""

    __slots__ = ("code", "operation", "response", "text")

    def __init__(self, operation: str, code: str | None, response: Attributes, text: str) -> None:
        self.operation = operation
        self.code = code
        self.response = response
        self.text = text

    def give(self) -> Attributes:
        """Return the response or raise the error, as the client does."""
        if self.code:
            raise ClientError(dict(self.response), self.operation)  # type: ignore[arg-type]  # has its fields
        return self.response


CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical(value: object) -> str:
    return CANONICAL.encode(value)


_items: dict[str, Item] = {}
_answers: dict[tuple[str, str | None, str], Answer] = {}


def item_of(attributes: Attributes) -> Item:
    text = canonical(attributes)
    return _items.get(text) or _items.setdefault(text, Item(attributes, text))


def answer_of(operation: str, response: Attributes, code: str | None = None) -> Answer:
    text = canonical(response)
    known = (operation, code, text)
    return _answers.get(known) or _answers.setdefault(known, Answer(operation, code, response, text))


def refusal(operation: str, code: str, **more: Any) -> Answer:
    return answer_of(operation, {"Error": {"Code": code, "Message": code}, **more}, code)


class Database:
    """All items by key."""

    __slots__ = ("_hash", "items")

    def __init__(self, items: Mapping[Key, Item] | None = None) -> None:
        self.items: Mapping[Key, Item] = items or {}
        self._hash = hash(frozenset(self.items.items()))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Database) and self._hash == other._hash and self.items == other.items

    def get(self, key: Key) -> Item | None:
        return self.items.get(key)

    def within(self, table: str) -> Iterator[tuple[Key, Attributes]]:
        """All items of a table, in the order of their keys."""
        return ((key, self.items[key].attributes) for key in sorted(self.items) if key.space == table)

    def with_items(self, written: Mapping[Key, Item]) -> Database:
        return Database({**self.items, **written})


# --- tables ------------------------------------------------------------------------------------------


class Space(NamedTuple):
    """A table or an index: its table, its key attributes, and the attributes that a query answers (None: all)."""

    table: str
    partition: str
    sort: str | None
    projected: frozenset[str] | None = None


@cache
def spaces() -> dict[str, Space]:
    """The tables and indexes of the template."""
    found = {}
    for name, resource in resources("AWS::DynamoDB::Table").items():
        properties = resource["Properties"]
        own = _key_names(properties["KeySchema"])
        found[name] = Space(name, *own)
        for index in properties.get("GlobalSecondaryIndexes", []):
            names = _key_names(index["KeySchema"])
            everything = index["Projection"]["ProjectionType"] == "ALL"
            projected = None if everything else frozenset(filter(None, own + names))
            found[index["IndexName"]] = Space(name, *names, projected)
    return found


def _key_names(schema: Iterable[Mapping[str, str]]) -> tuple[str, str | None]:
    by_kind = {element["KeyType"]: element["AttributeName"] for element in schema}
    return by_kind["HASH"], by_kind.get("RANGE")


def key_of(table: str, attributes: Attributes) -> Key:
    space = spaces()[table]
    sort = attributes[space.sort]["S"] if space.sort else ""
    return Key(table, attributes[space.partition]["S"], sort)


def partitions_of(key: Key, attributes: Attributes | None) -> Iterator[Key]:
    """What queries can find an item under."""
    if attributes is None:
        return
    for name, space in spaces().items():
        if space.table == key.space and space.partition in attributes and (space.sort or "") in {"", *attributes}:
            (value,) = attributes[space.partition].values()
            yield Key(name, value, "*")


# --- calls -------------------------------------------------------------------------------------------


class Call:
    """One request to AWS. `keys` are the items, or the partition of a query, that it is about, in a fixed order."""

    __slots__ = ("keys", "operation", "parameters", "text")

    def __init__(self, operation: str, parameters: Mapping[str, Any]) -> None:
        self.operation = operation
        self.parameters = parameters
        self.text = f"{operation} {canonical(parameters)}"
        self.keys = _keys(operation, parameters)

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and self.text == other.text

    def __repr__(self) -> str:
        return self.text

    @property
    def reads_many(self) -> bool:
        """Whether it reads items of a table each at a moment of its own. An index is read as it is at one moment."""
        return self.operation == "batch_get_item" or (self.operation == "query" and "IndexName" not in self.parameters)

    def reads(self, key: Key) -> bool:
        """Whether an item, there or not, is among those that a call which reads many asks for."""
        if self.operation == "batch_get_item":
            return key in self.keys
        partition, condition = _key_condition(self.parameters)
        space = spaces()[self.parameters["TableName"]]
        there = {str(space.sort): {"S": key.sort}}
        return (key.space, {"S": key.partition}) == (space.table, partition) and bool(
            key.sort != "*" and condition and _meets(condition, there, self.parameters, "query", _holds)
        )

    def depends_on(self, changed: Iterable[Key]) -> bool:
        """Whether one of the keys is among those that the call is about."""
        return any(map(self.reads, changed)) if self.reads_many else not set(self.keys).isdisjoint(changed)

    @property
    def writes(self) -> bool:
        return self.operation in ("update_item", "put_item", "transact_write_items", "publish")


def _keys(operation: str, parameters: Mapping[str, Any]) -> list[Key]:
    match operation:
        case "get_item" | "update_item":
            return [key_of(parameters["TableName"], parameters["Key"])]
        case "put_item":
            return [key_of(parameters["TableName"], parameters["Item"])]
        case "batch_get_item":
            asked = parameters["RequestItems"].items()
            return sorted(key_of(table, key) for table, request in asked for key in request["Keys"])
        case "transact_write_items":
            return [_action(entry)[2] for entry in parameters["TransactItems"]]
        case "query":
            space = parameters.get("IndexName", parameters["TableName"])
            (value,) = _key_condition(parameters)[0].values()
            return [Key(space, value, "*")]
        case "publish":
            return [_message_key(parameters)]
    raise NotImplementedError(operation)


class Effect(NamedTuple):
    """What a call answers, the database it leaves, and the keys and partitions it has changed."""

    answer: Answer
    database: Database
    changed: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Atom:
    """One comparison of a condition, named by what it is about and not by the code that wrote it."""

    action: str
    path: str
    comparison: str

    def __str__(self) -> str:
        return f"{self.action}: {self.path} {self.comparison}"


Weakening = Callable[[Atom], bool]


def _holds(_: Atom) -> bool:
    return False


def apply(database: Database, call: Call, weakened: Weakening = _holds) -> Effect:
    """Play one call. Each comparison of a condition for which `weakened` is true counts as met."""
    nothing: frozenset[Key] = frozenset()
    match call.operation:
        case "get_item" | "batch_get_item":
            found = {key: item for key in call.keys if (item := database.get(key))}
            return Effect(answer_to_read(call, found), database, nothing)
        case "query":
            return Effect(_query(database, call), database, nothing)
        case "update_item" | "put_item":
            return _write_one(database, call, weakened)
        case "transact_write_items":
            return _transact(database, call, weakened)
        case "publish":
            return _publish(database, call)
    raise NotImplementedError(call.operation)


def answer_to_read(call: Call, found: Mapping[Key, Item]) -> Answer:
    """The answer to a call that found those items."""
    if call.operation == "query":
        return _query(Database(found), call)
    if call.operation == "get_item":
        (key,) = call.keys
        return answer_of(call.operation, {"Item": found[key].attributes} if key in found else {})
    responses: dict[str, list[Attributes]] = {table: [] for table in call.parameters["RequestItems"]}
    for key in sorted(found):
        responses[key.space].append(found[key].attributes)
    return answer_of(call.operation, {"Responses": responses, "UnprocessedKeys": {}})


def name_of(call: Call, key: Key) -> str:
    """How a schedule names one of the keys of a call."""
    return str(call.keys.index(key)) if key in call.keys else key.sort


def key_named(call: Call, name: str) -> Key:
    """The inverse of `name_of`."""
    return call.keys[int(name)] if name.isdigit() else Key(call.parameters["TableName"], call.keys[0].partition, name)


def remember_token(database: Database, call: Call) -> Database:
    """The database after a transaction whose answer got lost, and which will come again."""
    token = call.parameters["ClientRequestToken"]
    return database.with_items({Key(TOKENS, token): item_of({})})


def _query(database: Database, call: Call) -> Answer:
    parameters = call.parameters
    space = spaces()[parameters.get("IndexName", parameters["TableName"])]
    partition, sort_condition = _key_condition(parameters)
    found = [
        attributes
        for _, attributes in database.within(space.table)
        if attributes.get(space.partition) == partition
        and space.sort in attributes
        and (sort_condition is None or _meets(sort_condition, attributes, parameters, "query", _holds))
    ]
    table = spaces()[space.table]

    def position(attributes: Attributes) -> tuple[str, ...]:
        names = (space.sort, table.partition, table.sort)
        return tuple(next(iter(attributes[name].values())) for name in names if name)

    found.sort(key=position)
    after = parameters.get("ExclusiveStartKey")
    if after:
        found = [attributes for attributes in found if position(attributes) > position(after)]
    limit = parameters.get("Limit", len(found))
    page = found[:limit]
    answered = page
    if "FilterExpression" in parameters:
        condition = parse_condition(parameters["FilterExpression"])
        answered = [one for one in page if _meets(condition, one, parameters, "query", _holds)]
    if space.projected is not None:
        answered = [{name: one[name] for name in one if name in space.projected} for one in answered]
    response: dict[str, Any] = {"Items": answered, "Count": len(answered)}
    if limit < len(found):
        names = {space.partition, space.sort, table.partition, table.sort} - {None}
        response["LastEvaluatedKey"] = {name: page[-1][name] for name in sorted(filter(None, names))}
    return answer_of(call.operation, response)


def _key_condition(parameters: Mapping[str, Any]) -> tuple[Attributes, Condition | None]:
    """The value of the partition key, and the condition on the sort key."""
    condition = parse_condition(parameters["KeyConditionExpression"])
    parts = condition.parts if isinstance(condition, Every) else (condition,)
    first, *rest = parts
    assert isinstance(first, Comparison)
    assert first.comparison == "="
    (value,) = first.operands
    assert isinstance(value, str)
    return parameters["ExpressionAttributeValues"][value], rest[0] if rest else None


def _write_one(database: Database, call: Call, weakened: Weakening) -> Effect:
    parameters = call.parameters
    kind = "Put" if call.operation == "put_item" else "Update"
    (key,) = call.keys
    old = database.get(key)
    if not _passes(f"{kind}Item", key, old, parameters, weakened):
        shown = {"Item": old.attributes} if old and _shows_old(parameters) else {}
        return Effect(refusal(call.operation, "ConditionalCheckFailedException", **shown), database, frozenset())
    new = _written(kind, old, parameters)
    after, changed = _changed(database, {key: new})
    shown = {"Attributes": new.attributes} if parameters.get("ReturnValues") == "ALL_NEW" else {}
    return Effect(answer_of(call.operation, shown), after, changed)


def _transact(database: Database, call: Call, weakened: Weakening) -> Effect:
    token = call.parameters.get("ClientRequestToken")
    if token and Key(TOKENS, token) in database.items:
        return Effect(answer_of(call.operation, {}), database, frozenset())
    actions = [_action(entry) for entry in call.parameters["TransactItems"]]
    keys = [key for _, _, key in actions]
    if len(set(keys)) < len(keys):
        return Effect(refusal(call.operation, "ValidationException"), database, frozenset())
    reasons: list[dict[str, Any]] = []
    for kind, action, key in actions:
        old = database.get(key)
        if _passes(kind, key, old, action, weakened):
            reasons.append({"Code": "None"})
        else:
            shown = {"Item": old.attributes} if old and _shows_old(action) else {}
            reasons.append({"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", **shown})
    if any(reason["Code"] != "None" for reason in reasons):
        return Effect(cancelled(reasons), database, frozenset())
    written = {key: _written(kind, database.get(key), action) for kind, action, key in actions if kind != CHECK}
    after, changed = _changed(database, written)
    return Effect(answer_of(call.operation, {}), after, changed)


def cancelled(reasons: list[dict[str, Any]]) -> Answer:
    """The answer to a transaction that was cancelled for these reasons, one for each action."""
    return refusal("transact_write_items", "TransactionCanceledException", CancellationReasons=reasons)


CHECK = "ConditionCheck"


def _action(entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], Key]:
    ((kind, action),) = entry.items()
    if kind not in ("Put", "Update", CHECK):
        raise NotImplementedError(kind)
    return kind, action, key_of(action["TableName"], action["Item" if kind == "Put" else "Key"])


def _shows_old(parameters: Mapping[str, Any]) -> bool:
    return parameters.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"


def _passes(kind: str, key: Key, old: Item | None, parameters: Mapping[str, Any], weakened: Weakening) -> bool:
    text = parameters.get("ConditionExpression")
    if text is None:
        return True
    about = {"": "appointment", "settings": "settings", "block": "block"}.get(key.sort.partition("#")[0], "day")
    about = "service" if key.partition == "services#" else about
    return _meets(parse_condition(text), old.attributes if old else {}, parameters, f"{kind} {about}", weakened)


def _written(kind: str, old: Item | None, parameters: Mapping[str, Any]) -> Item:
    if kind == "Put":
        return item_of(parameters["Item"])
    before = dict(old.attributes) if old else dict(parameters["Key"])
    return item_of(updated(before, parameters))


def _changed(database: Database, written: Mapping[Key, Item]) -> tuple[Database, frozenset[Key]]:
    changed: set[Key] = set()
    for key, new in written.items():
        old = database.get(key)
        if new is not old:
            changed |= {key, *partitions_of(key, old.attributes if old else None), *partitions_of(key, new.attributes)}
    return database.with_items(written), frozenset(changed)


def _message_key(parameters: Mapping[str, Any]) -> Key:
    message = json.loads(json.loads(parameters["Message"])["default"])
    to = f" {parameters['PhoneNumber']}" if "PhoneNumber" in parameters else ""
    return Key(MESSAGES, message["appointmentId"], f"{message['reminder']} {message['dueAt']}{to}")


def _publish(database: Database, call: Call) -> Effect:
    """SNS, as far as a reminder needs it: how often each was published."""
    (key,) = call.keys
    old = database.get(key)
    count = (old.attributes["count"] if old else 0) + 1
    after = database.with_items({key: item_of({"count": count})})
    return Effect(answer_of(call.operation, {"MessageId": f"{key.sort} {count}"}), after, frozenset({key}))


# --- conditions --------------------------------------------------------------------------------------


class Comparison(NamedTuple):
    """`path comparison operands`; operands are placeholders of values, or paths."""

    comparison: str
    path: tuple[str, ...]
    operands: tuple[str | tuple[str, ...], ...]


class Every(NamedTuple):
    """AND."""

    parts: tuple[Condition, ...]


class Either(NamedTuple):
    """OR."""

    parts: tuple[Condition, ...]


class Negation(NamedTuple):
    """NOT."""

    part: Condition


Condition = Comparison | Every | Either | Negation

_TOKEN = re.compile(r"\s*([#:]?[A-Za-z0-9_]+|<>|<=|>=|[=<>(),.+\-])")


class _Reader:
    """Reads an expression token by token."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position = 0
        text = text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise InvalidCallError(f"cannot read {text[position:]!r}")
            self.tokens.append(match[1])
            position = match.end()
        self.position = 0

    @property
    def next(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def take(self, expected: str | None = None) -> str:
        token = self.next
        if not token or (expected and token.upper() != expected):
            raise InvalidCallError(f"expected {expected or 'more'}, found {token or 'the end'} in {self.tokens}")
        self.position += 1
        return token

    def takes(self, expected: str) -> bool:
        if self.next.upper() != expected:
            return False
        self.position += 1
        return True

    def either(self) -> Condition:
        parts = [self.every()]
        while self.takes("OR"):
            parts.append(self.every())
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def every(self) -> Condition:
        parts = [self.negation()]
        while self.takes("AND"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def negation(self) -> Condition:
        if self.takes("NOT"):
            return Negation(self.negation())
        if self.takes("("):
            inside = self.either()
            self.take(")")
            return inside
        for function, comparison in (("ATTRIBUTE_EXISTS", "exists"), ("ATTRIBUTE_NOT_EXISTS", "absent")):
            if self.takes(function):
                self.take("(")
                path = self.path()
                self.take(")")
                return Comparison(comparison, path, ())
        path = self.path()
        if self.takes("BETWEEN"):
            low = self.operand()
            self.take("AND")
            return Comparison("between", path, (low, self.operand()))
        comparison = self.take()
        if comparison not in _COMPARISONS:
            raise InvalidCallError(f"{comparison} is no comparison")
        return Comparison(comparison, path, (self.operand(),))

    def operand(self) -> str | tuple[str, ...]:
        return self.take() if self.next.startswith(":") else self.path()

    def path(self) -> tuple[str, ...]:
        parts = [self.take()]
        while self.takes("."):
            parts.append(self.take())
        return tuple(parts)


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> Condition:
    reader = _Reader(text)
    condition = reader.either()
    if reader.next:
        raise InvalidCallError(f"unexpected {reader.next} in {text}")
    return condition


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _meets(
    condition: Condition, attributes: Attributes, parameters: Mapping[str, Any], action: str, weakened: Weakening
) -> bool:
    match condition:
        case Every(parts):
            return all(_meets(part, attributes, parameters, action, weakened) for part in parts)
        case Either(parts):
            return any(_meets(part, attributes, parameters, action, weakened) for part in parts)
        case Negation(part):
            return not _meets(part, attributes, parameters, action, weakened)
    return weakened(_atom(condition, parameters, action)) or _compare(condition, attributes, parameters)


def _compare(condition: Comparison, attributes: Attributes, parameters: Mapping[str, Any]) -> bool:
    names, values = parameters.get("ExpressionAttributeNames", {}), parameters.get("ExpressionAttributeValues", {})
    value = _look_up(attributes, condition.path, names)
    operands = [
        values[operand] if isinstance(operand, str) else _look_up(attributes, operand, names)
        for operand in condition.operands
    ]
    match condition.comparison:
        case "exists":
            return value is not None
        case "absent":
            return value is None
        case "between":
            low, high = operands
            return _ordered("<=", low, value) and _ordered("<=", value, high)
        case "=" | "<>":
            equal = value is not None and _plain(value) == _plain(operands[0])
            return equal == (condition.comparison == "=")
        case comparison:
            return _ordered(comparison, value, operands[0])


def _ordered(comparison: str, left: Attributes | None, right: Attributes | None) -> bool:
    if left is None or right is None or left.keys() != right.keys():
        return False
    return _COMPARISONS[comparison](_plain(left)[1], _plain(right)[1])


def _plain(value: Attributes | None) -> tuple[str, Any]:
    """A value in a form in which equal values compare equal: numbers by what they say."""
    if value is None:
        return ("", None)
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "M":
            return kind, {name: _plain(inner) for name, inner in content.items()}
        case "L":
            return kind, [_plain(inner) for inner in content]
    return kind, content


def _name(part: str, names: Mapping[str, str]) -> str:
    """The attribute that a part of a path stands for."""
    if part.startswith("#") and part not in names:
        raise InvalidCallError(f"{part} is used and not defined")
    return names.get(part, part)


def _look_up(attributes: Attributes, path: tuple[str, ...], names: Mapping[str, str]) -> Attributes | None:
    value: Mapping[str, Any] | None = {"M": attributes}
    for part in path:
        value = value.get("M", {}).get(_name(part, names)) if value else None
    return value


# Named too, where it tells one use of a comparison from another.
_TELLING = ("state", "status")


@cache
def _kind(part: str) -> str:
    """An attribute, or what it is one of."""
    return re.sub(r"^q\d+$", "q*", re.sub(r"^a#.*$", "a#*", part))


def _atom(condition: Comparison, parameters: Mapping[str, Any], action: str) -> Atom:
    names, values = parameters.get("ExpressionAttributeNames", {}), parameters.get("ExpressionAttributeValues", {})
    parts = [_kind(_name(part, names)) for part in condition.path]
    if len(parts) == 3:
        parts[1] = "*"
    comparison = condition.comparison
    if parts[-1] in _TELLING:
        comparison += "".join(f" {values[operand]['S']}" for operand in condition.operands if isinstance(operand, str))
    return Atom(action, ".".join(parts), comparison)


# --- updates -----------------------------------------------------------------------------------------


class Update(NamedTuple):
    """An update expression: what it sets (each to a sum), removes and adds to."""

    sets: tuple[tuple[tuple[str, ...], tuple[str | tuple[str, ...], ...]], ...]
    removes: tuple[tuple[str, ...], ...]
    adds: tuple[tuple[tuple[str, ...], str], ...]


@lru_cache(maxsize=4096)
def parse_update(text: str) -> Update:
    reader = _Reader(text)
    sets: list[Any] = []
    removes: list[Any] = []
    adds: list[Any] = []
    while reader.next:
        clause = reader.take().upper()
        while True:
            path = reader.path()
            match clause:
                case "SET":
                    reader.take("=")
                    terms = [reader.operand()]
                    while reader.takes("+"):
                        terms.append(reader.operand())
                    sets.append((path, tuple(terms)))
                case "REMOVE":
                    removes.append(path)
                case "ADD":
                    adds.append((path, reader.take()))
                case _:
                    raise InvalidCallError(f"unknown clause {clause}")
            if not reader.takes(","):
                break
    return Update(tuple(sets), tuple(removes), tuple(adds))


def updated(before: Attributes, parameters: Mapping[str, Any]) -> Attributes:
    """An item's attributes after an update. Every operand is as it was before."""
    names, values = parameters.get("ExpressionAttributeNames", {}), parameters.get("ExpressionAttributeValues", {})
    update = parse_update(parameters["UpdateExpression"])

    def value_of(operand: str | tuple[str, ...]) -> Any:
        found = values[operand] if isinstance(operand, str) else _look_up(before, operand, names)
        if found is None:
            raise InvalidCallError(f"{operand} is no attribute of {before}")
        return found

    after: Attributes = before
    for path, terms in update.sets:
        value = value_of(terms[0]) if len(terms) == 1 else _sum(value_of(term) for term in terms)
        after = _replaced(after, [_name(part, names) for part in path], value)
    for path in update.removes:
        after = _replaced(after, [_name(part, names) for part in path], None)
    for path, operand in update.adds:
        old = _look_up(before, path, names)
        value = values[operand] if old is None else _sum([old, values[operand]])
        after = _replaced(after, [_name(part, names) for part in path], value)
    return after


def _sum(values: Iterable[Attributes]) -> Attributes:
    return {"N": str(sum(Decimal(value["N"]) for value in values))}


def _replaced(attributes: Attributes, path: list[str], value: Attributes | None) -> Attributes:
    first, *rest = path
    if rest:
        if first not in attributes:
            raise InvalidCallError(f"the document path {path} is invalid for update")
        value = {"M": _replaced(attributes[first]["M"], rest, value)}
    if value is None:
        return {name: old for name, old in attributes.items() if name != first}
    return {**attributes, first: value}
