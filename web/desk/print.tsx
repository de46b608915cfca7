/** The day on paper: a list for each calendar. It is made when somebody prints, and gone afterwards. */
import { render } from "preact";
import type { Clock } from "./clock";
import type { Column, Group } from "./columns";
import { personOf, subjectOf, type Service } from "./model";
import { nameOf } from "./names";
import { lookOf } from "./states";

interface Paper {
  groups: readonly Group[];
  clock: Clock;
  services: ReadonlyMap<string, Service>;
  now: number;
}

/** Keep a sheet ready for whenever the browser prints. Returns what ends that. */
export function onPaper(make: () => Paper | undefined): () => void {
  const sheet = document.createElement("div");
  sheet.id = "paper";
  document.body.append(sheet);
  const before = (): void => {
    const paper = make();
    if (paper) render(<Sheets {...paper} />, sheet);
  };
  const after = (): void => render(null, sheet);
  addEventListener("beforeprint", before);
  addEventListener("afterprint", after);
  return () => {
    removeEventListener("beforeprint", before);
    removeEventListener("afterprint", after);
    sheet.remove();
  };
}

function Sheets({ groups, clock, services, now }: Paper) {
  const columns = groups.flatMap((group) => group.columns);
  return (
    <>
      {columns.map((column) => <Sheet key={column.key} column={column} clock={clock} services={services} />)}
      <p class="soft">Printed {clock.dayAndTime(now, columns[0]?.line.zone ?? "UTC")}</p>
    </>
  );
}

function Sheet({ column: { calendar, line, boxes }, clock, services }: { column: Column; clock: Clock; services: ReadonlyMap<string, Service> }) {
  return (
    <section>
      <h2>{nameOf(calendar.calendarId)} <small>{clock.day(line.day)}</small></h2>
      {boxes.length === 0 ? <p>Nothing is booked.</p> : (
        <table>
          <thead><tr><th>Time</th><th>Who</th><th>What</th><th>State</th><th>Contact</th></tr></thead>
          <tbody>
            {boxes.map(({ key, start, end, appointment, block }) => (
              <tr key={key}>
                <td>{clock.span(start, end, line.zone)}</td>
                {appointment ? (
                  <><td>{personOf(appointment)}</td><td>{subjectOf(appointment, services)}</td><td>{lookOf(appointment.status).label}</td><td>{appointment.contact?.phone ?? appointment.contact?.email}</td></>
                ) : <><td>Blocked</td><td>{block?.reason}</td><td /><td /></>}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
