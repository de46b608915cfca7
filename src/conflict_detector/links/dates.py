"""Dates and times as a language writes them: the tables of CLDR, as far as the page of a link needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date, datetime


class Calendar(NamedTuple):
    """How a language writes dates: the days of the week from Monday on, the months, and the order."""

    days: tuple[str, ...]
    short_days: tuple[str, ...]
    months: tuple[str, ...]
    full: str
    clock: str


def _of(names: str) -> tuple[str, ...]:
    return tuple(names.split())


# A test holds them to CLDR.
_CLOCK, _CLOCK_1, _CLOCK_12 = "{hour:02}:{minute:02}", "{hour}:{minute:02}", "{twelve}:{minute:02}\u202f{half}"
CALENDARS = {
    "en": Calendar(
        _of("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
        _of("Mon Tue Wed Thu Fri Sat Sun"),
        _of("January February March April May June July August September October November December"),
        "{weekday}, {month} {day}, {year}",
        _CLOCK_12,
    ),
    "de": Calendar(
        _of("Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag"),
        _of("Mo. Di. Mi. Do. Fr. Sa. So."),
        _of("Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
        "{weekday}, {day}. {month} {year}",
        _CLOCK,
    ),
    "fr": Calendar(
        _of("lundi mardi mercredi jeudi vendredi samedi dimanche"),
        _of("lun. mar. mer. jeu. ven. sam. dim."),
        _of("janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
        "{weekday} {day} {month} {year}",
        _CLOCK,
    ),
    "es": Calendar(
        _of("lunes martes miércoles jueves viernes sábado domingo"),
        _of("lun mar mié jue vie sáb dom"),
        _of("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
        "{weekday}, {day} de {month} de {year}",
        _CLOCK_1,
    ),
    "pt": Calendar(
        _of("segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo"),
        _of("seg. ter. qua. qui. sex. sáb. dom."),
        _of("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
        "{weekday}, {day} de {month} de {year}",
        _CLOCK,
    ),
    "it": Calendar(
        _of("lunedì martedì mercoledì giovedì venerdì sabato domenica"),
        _of("lun mar mer gio ven sab dom"),
        _of("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
        "{weekday} {day} {month} {year}",
        _CLOCK,
    ),
    "nl": Calendar(
        _of("maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"),
        _of("ma di wo do vr za zo"),
        _of("januari februari maart april mei juni juli augustus september oktober november december"),
        "{weekday} {day} {month} {year}",
        _CLOCK,
    ),
    "pl": Calendar(
        _of("poniedziałek wtorek środa czwartek piątek sobota niedziela"),
        _of("pon. wt. śr. czw. pt. sob. niedz."),
        _of("stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia"),
        "{weekday}, {day} {month} {year}",
        _CLOCK,
    ),
}


def written_date(day: date, language: str) -> str:
    """A date with its weekday, such as `Dienstag, 15. Januar 2030`."""
    own = CALENDARS[language]
    return own.full.format(weekday=own.days[day.weekday()], month=own.months[day.month - 1], day=day.day, year=day.year)


def written_time(local: datetime, language: str) -> str:
    """A time of the day, such as `09:05` or `9:05 AM`."""
    half, twelve = ("AM" if local.hour < 12 else "PM"), local.hour % 12 or 12
    return CALENDARS[language].clock.format(hour=local.hour, minute=local.minute, twelve=twelve, half=half)
