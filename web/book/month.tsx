/** A month with the days on which something is free: a grid, as keyboards and screen readers know it. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { usePage } from "./page";
import { addMonths, type Day, firstDayOfWeek, firstOf, monthOf, sameDayIn, weeksOf } from "./dates";
import { plusDays } from "../shared/zones";

interface Props {
  month: string;
  /** The first and the last month that can be shown. */
  first: string;
  last: string;
  today: Day;
  chosen: Day | undefined;
  /** How many times are free on each date; nothing while that is not known. */
  free: Map<Day, number> | undefined;
  waiting: boolean;
  onMonth: (month: string) => void;
  onDay: (day: Day) => void;
}

export function Month(props: Props) {
  const { month, first, last, today, chosen, free, waiting, onMonth, onDay } = props;
  const { say, dates, locale } = usePage();
  const firstDay = firstDayOfWeek(locale);
  const grid = useRef<HTMLTableElement>(null);
  const inMonth = chosen && monthOf(chosen) === month ? chosen : undefined;
  const [walked, setWalked] = useState<Day>();
  // The one day that Tab reaches; the arrows lead to the others.
  const reached = walked && monthOf(walked) === month ? walked : (inMonth ?? (monthOf(today) === month ? today : firstOf(month)));
  const walking = useRef(false);
  // Before anything is drawn: a key that comes right after finds the day that the last one led to.
  useLayoutEffect(() => {
    if (walking.current) grid.current?.querySelector<HTMLElement>(`[data-day="${reached}"]`)?.focus();
    walking.current = false;
  }, [reached, month]);

  const walk = (event: KeyboardEvent) => {
    const to = target(event, reached, firstDay);
    if (!to || monthOf(to) < first || monthOf(to) > last) return;
    event.preventDefault();
    walking.current = true;
    setWalked(to);
    if (monthOf(to) !== month) onMonth(monthOf(to));
  };

  const turn = (by: number, name: "earlier" | "later", sign: string) => {
    const to = addMonths(month, by);
    return (
      <button class="turn" type="button" aria-label={say(name)} disabled={to < first || to > last} onClick={() => onMonth(to)}>
        <span aria-hidden="true">{sign}</span>
      </button>
    );
  };

  return (
    <div class="month" aria-busy={waiting}>
      <div class="turns">
        {turn(-1, "earlier", "‹")}
        <h3 aria-live="polite" id="month">
          {dates.month(month)}
        </h3>
        {turn(1, "later", "›")}
      </div>
      <table ref={grid} role="grid" aria-labelledby="month" onKeyDown={walk}>
        <thead>
          <tr>
            {dates.weekdays(firstDay).map(({ short, long }) => (
              <th key={long} scope="col">
                <span aria-hidden="true">{short}</span>
                <span class="unseen">{long}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {weeksOf(month, firstDay).map((week, n) => (
            <tr key={n}>
              {week.map((day, at) => (
                <td key={at} role="gridcell" aria-selected={day !== undefined && day === inMonth}>
                  {day && (
                    <DayButton
                      day={day}
                      free={free ? (free.get(day) ?? 0) : undefined}
                      chosen={day === inMonth}
                      today={day === today}
                      reached={day === reached}
                      onDay={onDay}
                    />
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface DayProps {
  day: Day;
  free: number | undefined;
  chosen: boolean;
  today: boolean;
  reached: boolean;
  onDay: (day: Day) => void;
}

function DayButton({ day, free, chosen, today, reached, onDay }: DayProps) {
  const { say, dates } = usePage();
  const told = free === undefined ? "" : free ? `, ${say("freeCount", { count: String(free) })}` : `, ${say("full")}`;
  return (
    <button
      type="button"
      class={`day${free ? " open" : ""}${chosen ? " chosen" : ""}${today ? " today" : ""}`}
      data-day={day}
      tabIndex={reached ? 0 : -1}
      aria-disabled={!free}
      aria-current={today ? "date" : undefined}
      aria-label={`${dates.long(day)}${told}`}
      onClick={() => free && onDay(day)}
    >
      {dates.number(day)}
    </button>
  );
}

/** Where a key leads from a day, as grids of dates have it. */
export function target({ key }: { key: string }, from: Day, firstDay: number): Day | undefined {
  const inWeek = (new Date(`${from}T00:00:00Z`).getUTCDay() - (firstDay % 7) + 7) % 7;
  switch (key) {
    case "ArrowLeft":
      return plusDays(from, -1);
    case "ArrowRight":
      return plusDays(from, 1);
    case "ArrowUp":
      return plusDays(from, -7);
    case "ArrowDown":
      return plusDays(from, 7);
    case "Home":
      return plusDays(from, -inWeek);
    case "End":
      return plusDays(from, 6 - inWeek);
    case "PageUp":
      return sameDayIn(addMonths(monthOf(from), -1), from);
    case "PageDown":
      return sameDayIn(addMonths(monthOf(from), 1), from);
    default:
      return undefined;
  }
}
