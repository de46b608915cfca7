"""Writes emails and SMS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from texts.facts import Email

if TYPE_CHECKING:
    from collections.abc import Mapping

    from texts.facts import Facts


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a deployment: the standard ones, and those that a folder of `own` has in their place.

    A locale falls back: `de-CH`, `de`, the default one, `en`.
    """

    folder: str = ""
    default_locale: str = "en"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Texts:
        """As the template configures a function: `TEXTS` names the folder, `DEFAULT_LOCALE` the default."""
        return cls(env.get("TEXTS", ""), env.get("DEFAULT_LOCALE") or "en")

    def email(self, facts: Facts, locale: str | None) -> Email:
        """What an email says."""
        said = self.sms(facts, locale)
        return Email(said.partition(".")[0], said, f"<p>{said}</p>")

    def sms(self, facts: Facts, locale: str | None) -> str:
        """What an SMS says: one part, of at most 160 places of GSM's alphabet or 70 units of UTF-16."""
        _ = locale
        when = f"{facts.start.astimezone(facts.zone):%a %d %b, %H:%M}"
        return " ".join([f"Your appointment ({facts.kind}): {when}.", facts.link or ""]).strip()
