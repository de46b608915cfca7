"""Following a handler's code: what is imported is looked at, and only what is used counts."""

from __future__ import annotations

import ast

import pytest

import reachable
from reachable import imported, keys_read, keywords_used, members_used

MODULES = {
    "app": """
        from typing import TYPE_CHECKING
        from shared.log import tell as say, Report
        if TYPE_CHECKING:
            from other import never
        def handler(event, context):
            return LATE(event)
        def unused():
            say(Kind.UNUSED)
        LATE = lambda event: later(event)
        def later(event):
            import more
            say(Kind.SAID, lateness=env["KEY"] or env.get("OPTIONAL") or others.get("OTHER"))
            Report().send()
        """,
    "shared.log": """
        def tell(kind, **keys): ...
        def elsewhere(): tell(Kind.ELSEWHERE)
        class Report:
            def __init__(self): tell(Kind.MADE)
            def send(self): tell(Kind.SENT)
            def drop(self): tell(Kind.DROPPED)
        """,
    "more": "tell(Kind.AT_ITS_IMPORT)\n",
    "other": "def never(): tell(Kind.NEVER)\n",
}


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = {name: ast.parse(dedented(text)) for name, text in MODULES.items()}
    monkeypatch.setattr(reachable, "modules", lambda: trees)
    reachable.parts.cache_clear()


def dedented(text: str) -> str:
    return "\n".join(line.removeprefix("        ") for line in text.splitlines())


def test_imports_are_followed_wherever_they_stand_but_not_those_for_types() -> None:
    assert imported("app") == {"app", "shared.log", "more"}


def test_what_is_used_counts_with_its_own_uses() -> None:
    """By another name, through a constant, in a class that is made, in a method that is called."""
    assert members_used("app.handler", "Kind") == {"SAID", "MADE", "SENT"}
    assert keys_read("app.handler", "env") == {"KEY", "OPTIONAL"}
    assert keywords_used("app.handler") == {"lateness"}


def test_a_handler_that_is_none_is_no_empty_answer() -> None:
    with pytest.raises(AssertionError, match=r"no app\.nothing"):
        members_used("app.nothing", "Kind")
