"""How languages write dates, from CLDR by babel, into `src/texts/dates/`: `python -m local.dates [LANGUAGE…]`.

babel and all of its data are too large for functions, and these few patterns and names are all that texts need.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from babel.localedata import locale_identifiers

from local.places import ROOT

FOLDER = ROOT / "src" / "texts" / "dates"
LANGUAGES = ("de", "en", "es", "fr", "it", "nl", "pl", "pt")
UTC_NAMES = ("UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu")


def main(languages: list[str]) -> None:
    """Write what the zones share, and a file for each language."""
    (FOLDER.parent / "zones.json").write_text(as_json(zones()))
    for language in languages or LANGUAGES:
        (FOLDER / f"{language}.json").write_text(as_json(of_language(language)))


def as_json(data: Mapping[str, Any]) -> str:
    """A line per key."""
    lines = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in data.items())
    return "{" + ",\n".join(lines) + "}\n"


def zones() -> dict[str, str]:
    """Zones that have a name together with others, and what that name goes by; the same in all languages."""
    aliases, meta = get_global("zone_aliases"), get_global("meta_zones")
    found = {key: meta.get(aliases.get(key, key)) for key in sorted(available_timezones())}
    return {key: name for key, name in found.items() if name} | dict.fromkeys(UTC_NAMES, "Etc/UTC")


def of_language(language: str) -> dict[str, Any]:
    """What a language writes, and where a region differs from it. A region may name another that writes the same."""
    data = written(Locale(language))
    regions: dict[str, Any] = {}
    for name in sorted(locale_identifiers()):
        locale = Locale.parse(name)
        if locale.language == language and locale.territory and not locale.script and not locale.variant:
            other = differing(data, written(locale))
            if other:
                same = [region for region, its in regions.items() if its == other]
                regions[locale.territory] = same[0] if same else other
    return data | {"regions": regions}


def written(locale: Locale) -> dict[str, Any]:
    """Patterns, the names that they use, and the names of zones."""
    time = spaced(locale.time_formats["short"].pattern)
    patterns: dict[str, Any] = {
        "date": spaced(locale.date_formats["full"].pattern),
        "day": spaced(str(locale.datetime_skeletons["MMMEd"])),
        "short": spaced(str(locale.datetime_skeletons["Md"])),
        "time": time,
        "range": {
            field: [spaced(part) for part in parts]
            for field, parts in locale.interval_formats["hm" if "a" in time else "Hm"].items()
        },
        "both": spaced(str(locale.datetime_formats["medium"])),
        "from_to": spaced(str(locale.interval_formats[None])),
        "offset": locale.zone_formats["gmt"],
        "direction": "rtl" if locale.character_order == "right-to-left" else "ltr",
    }
    used = [patterns[key] for key in ("date", "day", "short", "time")] + [
        part for parts in patterns["range"].values() for part in parts
    ]
    return patterns | {"names": names(locale, used)} | names_of_zones(locale)


def spaced(text: str) -> str:
    """With spaces that all mail programs know in place of narrow ones."""
    return text.translate({0x202F: "\N{NO-BREAK SPACE}", 0x2009: " "})


def names(locale: Locale, patterns: list[str]) -> dict[str, list[str]]:
    """The names of months, weekdays and halves of a day that the patterns use, by their field."""
    found: dict[str, list[str]] = {}
    for field in sorted({field for pattern in patterns for field in fields(pattern)}):
        context = "stand-alone" if field[0] in "Lc" else "format"
        width = "wide" if len(field) == 4 else "abbreviated"
        if field[0] in "ML" and len(field) > 2:
            found[field] = [locale.months[context][width][month] for month in range(1, 13)]
        elif field[0] in "Ec":
            found[field] = [locale.days[context][width][day] for day in range(7)]
        elif field[0] == "a":
            found[field] = [spaced(locale.day_periods["format"]["abbreviated"][half]) for half in ("am", "pm")]
    return found


def fields(pattern: str) -> list[str]:
    """The fields of a pattern, such as `EEEE`."""
    unquoted = re.sub(r"'[^']*'", "", pattern)
    return [match[0] for match in re.finditer(r"([a-zA-Z])\1*", unquoted)]


def names_of_zones(locale: Locale) -> dict[str, dict[str, str]]:
    """What zones are called: by the name that they share with others, else by their city."""
    aliases, by_zone = get_global("zone_aliases"), zones()
    named = {
        name: long_name(locale.meta_zones.get(name) or locale.time_zones.get(name, {})) for name in by_zone.values()
    }
    cities = {}
    for key in sorted(available_timezones()):
        zone = aliases.get(key, key)
        if not named.get(by_zone.get(key, "")) and "/" in zone and not zone.startswith("Etc/"):
            cities[key] = str(locale.time_zones.get(zone, {}).get("city") or key.rpartition("/")[2].replace("_", " "))
    return {"zones": {name: text for name, text in sorted(named.items()) if text}, "cities": cities}


def long_name(info: Any) -> str | None:
    """What a zone is called in summer and in winter alike."""
    long: Mapping[str, str] = info.get("long", {})
    return long.get("generic") or long.get("standard")


def differing(data: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """What `other` has that is not in `data`; of the names of zones, each for itself."""
    found: dict[str, Any] = {}
    for key, value in other.items():
        if key in ("zones", "cities"):
            value = {name: text for name, text in value.items() if data[key].get(name) != text}  # noqa: PLW2901
            if value:
                found[key] = value
        elif value != data[key]:
            found[key] = value
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
