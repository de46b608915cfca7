/** When an appointment is, on the visitor's clock and, where it shows another time, on that of the place. */

import { usePage } from "./page";
import { Clock, placeOf, sameClock } from "./dates";

interface Props {
  facts: { title: string; timeZone: string };
  start: string;
}

export function When({ facts, start }: Props) {
  const page = usePage();
  const clock = new Clock(page.locale, page.zone);
  const there = new Clock(page.locale, facts.timeZone);
  const elsewhere = !sameClock(start, page.zone, facts.timeZone);
  const otherDay = clock.day(start) !== there.day(start);
  return (
    <div class="when">
      {facts.title && <p class="title">{facts.title}</p>}
      <p class="date">{clock.date(start)}</p>
      <p class="time">{clock.time(start)}</p>
      <p class="soft">
        {elsewhere
          ? page.say("there", { time: otherDay ? there.moment(start) : there.time(start), zone: placeOf(facts.timeZone) })
          : placeOf(page.zone)}
      </p>
    </div>
  );
}
