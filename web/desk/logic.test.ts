import assert from "node:assert/strict";
import test from "node:test";
import { ApiError, type Problem } from "../shared/api";
import { daysOf, moved, readAddress, writeAddress } from "./address";
import { dayLine } from "./axis";
import { Clock } from "./clock";
import { byCalendar, groupsOf } from "./columns";
import { bookingOf, contactText, isContact, missing, startOf, timesOf, whenOf, type Draft } from "./forms";
import { openRanges, rest } from "./hours";
import { freeFrom, lanesOf, shownHours } from "./layout";
import { backBody, isOf, moveBody, movedTo, personOf, segmentsOn, stamp, subjectOf, unmovable, type Appointment, type Calendar } from "./model";
import { anyway, refusalOf } from "./refusal";
import { actionsOf, byWhom, canTurnBack, happened, isMovable, isResizable, lookOf } from "./states";

const at = (text: string): number => Date.parse(text);
const BERLIN = "Europe/Berlin";
const visit: Appointment = {
  appointmentId: "1",
  userId: "anna",
  startTime: "2030-01-15T08:00:00Z",
  endTime: "2030-01-15T08:30:00Z",
  resourceIds: ["dr-lee", "room-1"],
  details: { title: "Check-up" },
  status: "scheduled",
  version: 3,
};
const target = { start: at(visit.startTime), end: at(visit.endTime), calendarId: "dr-lee", from: "dr-lee" };

// --- opening hours ---------------------------------------------------------------------------------------

const calendar = (more: Partial<Calendar>): Calendar => ({ calendarId: "dr-lee", timeZone: BERLIN, capacity: 1, version: 1, ...more });
const open = (of: Calendar, day: string): string[] => {
  const clock = (moment: number): string => new Date(moment).toISOString().slice(5, 16);
  return openRanges(of, dayLine(day, of.timeZone)).map(([from, to]) => `${clock(from)} ${clock(to)}`);
};

test("a calendar without hours is always open, one with hours on its weekdays only", () => {
  assert.deepEqual(open(calendar({}), "2030-01-15"), ["01-14T23:00 01-15T23:00"]);
  const tuesdays = calendar({ workingHours: { tuesday: [{ start: "09:00", end: "12:00" }, { start: "13:00", end: "17:00" }] } });
  assert.deepEqual(open(tuesdays, "2030-01-15"), ["01-15T08:00 01-15T11:00", "01-15T12:00 01-15T16:00"]);
  assert.deepEqual(open(tuesdays, "2030-01-16"), []);
});

test("overrides replace a date's hours, and a night lasts into the next day", () => {
  const nights = calendar({ workingHours: { monday: [{ start: "22:00", end: "02:00" }] }, overrides: { "2030-01-15": [{ start: "10:00", end: "24:00" }], "2030-01-14": [] } });
  assert.deepEqual(open(nights, "2030-01-14"), []);
  assert.deepEqual(open(nights, "2030-01-15"), ["01-15T09:00 01-15T23:00"]);
  assert.deepEqual(open(nights, "2030-01-21"), ["01-21T21:00 01-21T23:00"]);
  assert.deepEqual(open(nights, "2030-01-22"), ["01-21T23:00 01-22T01:00"]);
});

test("hours are those of the clock on days of 23 and 25 hours, and equal times are a whole day", () => {
  const sundays = calendar({ workingHours: { sunday: [{ start: "08:00", end: "12:00" }] } });
  assert.deepEqual(open(sundays, "2030-03-31"), ["03-31T06:00 03-31T10:00"]);
  assert.deepEqual(open(sundays, "2030-10-27"), ["10-27T07:00 10-27T11:00"]);
  const always = calendar({ workingHours: { sunday: [{ start: "00:00", end: "00:00" }] } });
  assert.deepEqual(open(always, "2030-10-27"), ["10-26T22:00 10-27T23:00"]);
});

test("what ranges leave of a day", () => {
  assert.deepEqual(rest([[2, 4], [3, 6], [8, 9]], 0, 10), [[0, 2], [6, 8], [9, 10]]);
  assert.deepEqual(rest([], 0, 10), [[0, 10]]);
  assert.deepEqual(rest([[0, 10]], 0, 10), []);
});

// --- layout ----------------------------------------------------------------------------------------------

test("what overlaps lies side by side, and what touches does not", () => {
  const stretch = (start: number, end: number) => ({ start, end });
  assert.deepEqual(lanesOf([stretch(0, 10), stretch(10, 20)]), [{ lane: 0, lanes: 1 }, { lane: 0, lanes: 1 }]);
  const three = lanesOf([stretch(0, 30), stretch(5, 10), stretch(12, 20), stretch(40, 50)]);
  assert.deepEqual(three, [{ lane: 0, lanes: 2 }, { lane: 1, lanes: 2 }, { lane: 1, lanes: 2 }, { lane: 0, lanes: 1 }]);
});

test("a free stretch ends where the next thing begins", () => {
  const taken = [{ start: 50, end: 60 }];
  assert.deepEqual([freeFrom(0, 30, taken), freeFrom(40, 30, taken), freeFrom(60, 30, taken)], [30, 50, 90]);
});

test("the grid shows all hours and whatever lies outside of them", () => {
  assert.deepEqual(shownHours([[540, 1020]], []), [540, 1020]);
  assert.deepEqual(shownHours([[540, 1020]], [[435, 450], [1100, 1130]]), [420, 1140]);
  assert.deepEqual(shownHours([], []), [480, 1080]);
});

test("columns are grouped by zone, and an appointment is in each of its calendars", () => {
  const calendars = [calendar({}), calendar({ calendarId: "room-1" }), calendar({ calendarId: "remote", timeZone: "America/New_York" })];
  const groups = groupsOf(calendars, ["2030-01-15"], byCalendar([visit], []), false);
  const seen = groups.map(({ zone, columns }) => [zone, columns.map(({ calendar: { calendarId }, boxes }) => [calendarId, boxes.length])]);
  assert.deepEqual(seen, [[BERLIN, [["dr-lee", 1], ["room-1", 1]]], ["America/New_York", [["remote", 0]]]]);
});

// --- appointments ----------------------------------------------------------------------------------------

test("an appointment of steps takes its calendars for their steps only", () => {
  const steps = [
    { startTime: "2030-01-15T08:00:00Z", endTime: "2030-01-15T08:10:00Z", resourceIds: ["lab"] },
    { startTime: "2030-01-15T08:10:00Z", endTime: "2030-01-15T08:30:00Z", resourceIds: ["dr-lee"] },
  ];
  const served = { ...visit, resourceIds: ["lab", "dr-lee"], steps, serviceId: "check-up" };
  const minutes = (id: string): number[] => segmentsOn(served, id).map(({ start, end }) => (end - start) / 60_000);
  assert.deepEqual(["anna", "lab", "dr-lee", "room-1"].map(minutes), [[30], [10], [20], []]);
});

test("people are called by their name where it is known", () => {
  assert.equal(personOf(visit), "anna");
  assert.equal(personOf({ ...visit, details: { contact: " Anna Smith " } }), "Anna Smith");
  assert.equal(personOf({ ...visit, details: { contact: "Anna" }, contact: { name: "Dr. Anna Smith" } }), "Dr. Anna Smith");
  assert.equal(subjectOf(visit, new Map()), "Check-up");
  const served = { ...visit, details: {}, serviceId: "s" };
  assert.equal(subjectOf(served, new Map([["s", { serviceId: "s", title: "Massage", steps: [] }]])), "Massage");
});

test("people are found by a part of their name, without its accents, and by what reaches them", () => {
  const carla = { ...visit, contact: { name: "Carla Díaz-Fernández", phone: "+4930123456" } };
  assert.deepEqual(["diaz", "DÍAZ", "carla d", "30123", "anna", "berta"].map((wanted) => isOf(carla, wanted)), [true, true, true, true, true, false]);
});

test("a move asks for what differs", () => {
  assert.deepEqual(moveBody(visit, target), {});
  assert.deepEqual(moveBody(visit, { ...target, start: at("2030-01-15T09:00:00Z"), end: at("2030-01-15T09:30:00Z") }), { startTime: "2030-01-15T09:00:00Z" });
  assert.deepEqual(moveBody(visit, { ...target, end: at("2030-01-15T08:15:00Z") }), { endTime: "2030-01-15T08:15:00Z" });
  assert.deepEqual(moveBody(visit, { ...target, calendarId: "dr-kim" }), { resourceIds: ["dr-kim", "room-1"] });
  assert.deepEqual(movedTo(["dr-lee", "room-1"], "dr-lee", "room-1"), ["room-1"]);
  assert.equal(unmovable(visit, { ...target, calendarId: "dr-kim" }), undefined);
  assert(unmovable(visit, { ...target, from: "anna", calendarId: "dr-kim" }));
});

test("times of an appointment in local time are sent by its clock where that is clear", () => {
  const local = { ...visit, timeZone: BERLIN };
  assert.equal(stamp(local, at("2030-01-15T09:00:00Z")), "2030-01-15T10:00");
  assert.equal(stamp(local, at("2030-10-27T00:30:00Z")), "2030-10-27T00:30:00Z"); // 02:30, which comes twice
  assert.equal(stamp(visit, at("2030-01-15T09:00:00Z")), "2030-01-15T09:00:00Z");
});

test("undo gives back times and calendars, and of a service its start", () => {
  const now = { ...visit, startTime: "2030-01-15T10:00:00Z", endTime: "2030-01-15T11:00:00Z", resourceIds: ["dr-kim"], version: 4 };
  assert.deepEqual(backBody(visit, now), { startTime: visit.startTime, endTime: visit.endTime, resourceIds: ["dr-lee", "room-1"] });
  const served = { ...visit, serviceId: "check-up" };
  assert.deepEqual(backBody(served, { ...served, startTime: now.startTime, endTime: "2030-01-15T10:30:00Z" }), { startTime: visit.startTime });
});

// --- states ----------------------------------------------------------------------------------------------

test("what can be done follows the status, and what has begun", () => {
  const before = at(visit.startTime) - 1;
  const labels = (status: Appointment["status"], now: number): string[] => actionsOf({ ...visit, status }, now).map(({ label }) => label);
  assert.deepEqual(labels("scheduled", before), ["Arrived", "Cancel appointment"]);
  assert.deepEqual(labels("scheduled", at(visit.startTime)), ["Arrived", "Completed", "No-show", "Cancel appointment"]);
  assert.deepEqual(labels("held", before), ["Confirm hold", "Release hold"]);
  assert.deepEqual(labels("requested", before), ["Approve", "Decline", "Cancel appointment"]);
  assert.deepEqual(labels("arrived", before), ["Back to booked", "Cancel appointment"]);
  assert.deepEqual(labels("no_show", before), ["Arrived after all", "Back to booked"]);
  assert.deepEqual(labels("cancelled", before), []);
});

test("what is over is not dragged, nor the end of a service, nor who joined a session", () => {
  assert.deepEqual([isMovable(visit), isResizable(visit)], [true, true]);
  assert.equal(isMovable({ ...visit, status: "completed" }), false);
  assert.equal(isMovable({ ...visit, sessionId: "1" }), false);
  assert.equal(isResizable({ ...visit, serviceId: "check-up" }), false);
});

test("a status of a later version is shown by its name", () => {
  assert.equal(lookOf("postponed").label, "postponed");
  assert.deepEqual([happened("appointment.moved"), happened("moved"), happened("other")], ["Moved", "Moved", "other"]);
});

test("who did it is told in words", () => {
  assert.equal(byWhom("system", "appointment.booked", false), "by the desk");
  assert.equal(byWhom("system", "appointment.booked", true), "automatically");
  assert.equal(byWhom("system", "expired", false), "by itself, as the time was over");
  assert.deepEqual([byWhom("link", "moved", true), byWhom("mia", "moved", true)], ["by the person, through their link", "by mia"]);
});

test("a status is taken back where the server lets it, and then alone", () => {
  assert(canTurnBack("scheduled", "arrived") && canTurnBack("scheduled", "no_show") && canTurnBack("arrived", "completed") && canTurnBack("completed", "scheduled"));
  assert(!canTurnBack("scheduled", "cancelled") && !canTurnBack("requested", "scheduled") && !canTurnBack("held", "scheduled") && !canTurnBack("requested", "declined"));
  assert.deepEqual(backBody(visit, { ...visit, status: "arrived" }), { status: "scheduled" });
});

// --- refusals --------------------------------------------------------------------------------------------

const refused = (problem: Partial<Problem>) =>
  refusalOf(new ApiError({ type: "https://x/docs#conflict", title: "Conflict", status: 409, ...problem }), (one) => one.startTime);
const free = { startTime: "2030-01-15T09:00:00Z", endTime: "2030-01-15T09:30:00Z" };

test("a conflict says where, and what is free", () => {
  const taken = [1, 2, 3, 4].map((n) => ({ calendarId: `c${n}`, ...free }));
  const { title, lines, alternatives } = refused({ conflicts: taken, alternatives: [free] });
  assert.equal(title, "This time is taken");
  assert.deepEqual(lines, ["c1: 2030-01-15T09:00:00Z", "c2: 2030-01-15T09:00:00Z", "c3: 2030-01-15T09:00:00Z", "and 1 more"]);
  assert.deepEqual(alternatives, [free]);
});

test("what is free instead is told in order of time, each once, without the time that it has", () => {
  const at = (hour: string) => ({ startTime: `2030-01-15T${hour}:00:00Z`, endTime: `2030-01-15T${hour}:30:00Z` });
  const error = new ApiError({ type: "#conflict", title: "Conflict", status: 409, alternatives: ["11", "09", "12", "08", "13", "14"].map(at) });
  const hours = (own?: ReturnType<typeof at>): string[] => refusalOf(error, String, own).alternatives.map(({ startTime }) => startTime.slice(11, 13));
  assert.deepEqual(hours(), ["08", "09", "11", "12"]); // the nearest four
  assert.deepEqual(hours({ startTime: "2030-01-15T09:00:00.000Z", endTime: "2030-01-15T09:30:00Z" }), ["08", "11", "12", "13"]);
  const errors = [{ field: "startTime", message: "is taken", nearest: free }];
  assert.deepEqual(refused({ alternatives: [free], errors }).alternatives, [free]);
});

test("broken rules say what is nearest", () => {
  const errors = [{ field: "startTime", message: "is outside working hours", calendarId: "dr-lee", nearest: free }];
  const { lines, alternatives, unsure } = refused({ type: "#invalid-request", status: 422, errors });
  assert.deepEqual([lines, alternatives, unsure], [["dr-lee: Start is outside working hours"], [free], true]);
  assert.equal(refused({ alternatives: [free] }).unsure, undefined);
});

test("what several calendars refuse alike is said once", () => {
  const closed = (calendarId: string) => ({ field: "startTime", message: `breaks workingHours of calendar ${calendarId}`, calendarId });
  const { lines } = refused({ type: "#invalid-request", status: 422, errors: ["dr-lee", "dr-kim"].map(closed) });
  assert.deepEqual(lines, ["dr-lee, dr-kim: Start is outside the working hours"]);
});

test("notice alone can be waived", () => {
  const notice = { field: "startTime", message: "breaks minNoticeMinutes of calendar dr-lee; the nearest time that its rules accept is later" };
  const hours = { field: "startTime", message: "breaks workingHours of calendar dr-lee" };
  const waivable = (...errors: Problem["errors"] & object) => refused({ type: "#invalid-request", status: 422, errors }).notice;
  assert.deepEqual([waivable(notice), waivable(notice, notice), waivable(notice, hours), waivable(hours), waivable()], [true, true, false, false, false]);
  assert.deepEqual(anyway({ startTime: "2030-01-15T09:00:00Z" }), { startTime: "2030-01-15T09:00:00Z", ignoreNotice: true });
});

test("broken rules are told in words, and their times as the desk shows them", () => {
  const told = (message: string): string[] => {
    const error = new ApiError({ type: "#invalid-request", title: "Invalid", status: 422, errors: [{ field: "startTime", message }] });
    return refusalOf(error, (one) => `${one.startTime.slice(11, 16)} – ${one.endTime.slice(11, 16)}`).lines;
  };
  assert.deepEqual(told("breaks minNoticeMinutes of the service; the earliest start is 2030-01-15T09:00:00Z"), ["Start is too soon; the earliest start is 09:00"]);
  assert.deepEqual(
    told("breaks workingHours of calendar dr-lee; the nearest time that its rules accept is 2030-01-15T09:00:00Z to 2030-01-15T09:30:00Z"),
    ["Start is outside the working hours; the nearest time is 09:00 – 09:30"],
  );
  assert.deepEqual(told("breaks timeZone of calendar dr-lee"), ["Start breaks timeZone of calendar dr-lee"]);
});

test("a phone number that is refused is told at its field, with what it lacks", () => {
  const errors = [{ field: "contact.phone", message: "must be an existing phone number with + and the country, such as +4915123456789" }];
  const { lines, fields } = refused({ type: "#invalid-request", status: 422, errors });
  assert.deepEqual(fields, ["contact.phone"]);
  assert.deepEqual(lines, ["Phone must be a number that exists, with the country code, such as +49 30 123456"]);
});

test("what others have changed is told, and nothing is offered", () => {
  for (const slug of ["precondition-failed", "appointment-ended", "appointment-not-found", "unreachable", "calendar-busy"]) {
    const { title, alternatives } = refused({ type: `#${slug}` });
    assert(title.length > 5);
    assert.deepEqual(alternatives, []);
  }
});

// --- forms -----------------------------------------------------------------------------------------------

const when = whenOf(at("2030-01-15T08:00:00Z"), at("2030-01-15T08:30:00Z"), BERLIN);
const draft: Draft = { when, calendarIds: ["dr-lee"], serviceId: "", person: "", name: "Anna", phone: "", email: "", title: "", hold: false };

test("a booking is sent in local time, to somebody new under a new id", () => {
  const times = { startTime: "2030-01-15T09:00", endTime: "2030-01-15T09:30", timeZone: BERLIN };
  assert.deepEqual(bookingOf(draft, () => "new"), { userId: "new", ...times, resourceIds: ["dr-lee"], details: { contact: "Anna" } });
  const known = bookingOf({ ...draft, person: "anna", phone: "+49 30 123-456", title: "Check-up", hold: true }, () => "new");
  assert.deepEqual(known, {
    userId: "anna", ...times, resourceIds: ["dr-lee"], details: { title: "Check-up" }, contact: { name: "Anna", phone: "+4930123456" }, hold: { minutes: 10 },
  });
  const served = bookingOf({ ...draft, serviceId: "check-up" }, () => "new");
  assert.deepEqual(Object.keys(served).sort(), ["details", "serviceId", "startTime", "timeZone", "userId"]);
});

test("an hour that comes twice is sent as the moment that was chosen", () => {
  const second = at("2030-10-27T01:30:00Z"); // 02:30 again
  const chosen = whenOf(second, second + 1_800_000, BERLIN);
  assert.equal(chosen.clock, "02:30");
  assert.equal(startOf(chosen), second);
  assert.equal(timesOf(chosen).startTime, "2030-10-27T01:30:00Z");
  const skipped = { ...when, day: "2030-03-31", clock: "02:30" };
  assert.deepEqual([startOf(skipped), timesOf(skipped).startTime], [undefined, "2030-03-31T02:30"]);
});

test("a form says what it lacks", () => {
  assert.deepEqual(missing(draft), []);
  assert.equal(missing({ ...draft, name: " ", calendarIds: [], when: { ...when, clock: "", minutes: 0 } }).length, 4);
  assert.deepEqual(missing({ ...draft, calendarIds: [], serviceId: "s" }), []);
});

test("what may be a phone or an email is looked for as one", () => {
  assert.deepEqual(["a@example.org", "+49 (30) 1234-56", "anna", "p4", "12345"].map(isContact), [true, true, false, false, false]);
  assert.equal(contactText("+49 (30) 1234-56"), "+4930123456");
});

// --- the address -----------------------------------------------------------------------------------------

test("what is shown is kept in the address, and what makes no sense is not taken from it", () => {
  const shown = { view: "week" as const, day: "2030-01-15", calendarIds: ["dr-lee", "room@1"], only: "*" };
  const text = writeAddress(shown, "2030-01-16");
  assert.deepEqual(readAddress(text, "2030-01-16"), shown);
  assert.equal(writeAddress({ view: "day", day: "2030-01-16", calendarIds: [] }, "2030-01-16"), "");
  assert.deepEqual(readAddress("?view=x&day=2030-02-31&calendars=a,%20,<b>,a&only=%20", "2030-01-16"), { view: "day", day: "2030-01-16", calendarIds: ["a"] });
});

test("a week has seven days from Monday on", () => {
  const { days, after } = daysOf({ view: "week", day: "2030-01-16" });
  assert.deepEqual([days[0], days.length, after], ["2030-01-14", 7, "2030-01-21"]);
  assert.equal(moved({ view: "week", day: "2030-01-16", calendarIds: [] }, -1), "2030-01-09");
});

test("times are written in the calendar's zone, with the date where it is another one", () => {
  const clock = new Clock("en");
  const near = clock.interval({ startTime: visit.startTime, endTime: visit.endTime }, BERLIN, "2030-01-15");
  assert.equal(near, "09:00 – 09:30");
  assert.equal(clock.interval({ startTime: visit.startTime, endTime: visit.endTime }, BERLIN).replace("Tue, ", "Tue "), "Tue 15 Jan, 09:00 – 09:30");
});
