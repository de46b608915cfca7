// Reads invitations, a JSON list of texts, with ical.js, and writes what they say.
import { readFileSync } from "node:fs";
import ICAL from "ical.js";

const read = (text) => {
  const calendar = new ICAL.Component(ICAL.parse(text));
  const event = new ICAL.Event(calendar.getFirstSubcomponent("vevent"), { strictExceptions: true });
  return {
    method: calendar.getFirstPropertyValue("method"),
    uid: event.uid,
    sequence: event.sequence,
    start: event.startDate.toString(),
    end: event.endDate.toString(),
    summary: event.summary,
    location: event.location,
    description: event.description,
    status: event.component.getFirstPropertyValue("status"),
    organizer: event.organizer,
    attendees: event.attendees.map((one) => ({ address: one.getFirstValue(), name: one.getParameter("cn") })),
  };
};

process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
