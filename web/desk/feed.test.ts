import assert from "node:assert/strict";
import test from "node:test";
import { ApiError, type Answer } from "../shared/api";
import { Feed, type Seen } from "./feed";
import type { Appointment, Page } from "./model";

const visit = (id: string, more: Partial<Appointment> = {}): Appointment => ({
  appointmentId: id,
  userId: "anna",
  startTime: "2030-01-15T08:00:00Z",
  endTime: "2030-01-15T08:30:00Z",
  resourceIds: ["dr-lee"],
  details: {},
  status: "scheduled",
  version: 1,
  ...more,
});
const DAY = { zone: "UTC", calendarIds: ["dr-lee"], from: "2030-01-15", to: "2030-01-16" };

/** A server that answers what it is told to, and a feed over it that polls only when the test says so. */
function made() {
  const world = { page: { appointments: [visit("1")] } as Page, tag: "a", fails: false, asked: [] as unknown[], now: 1000 };
  const seen: Seen[] = [];
  const ask = async (query: Record<string, unknown>, etag?: string): Promise<Answer<Page>> => {
    world.asked.push([query["cursor"], etag]);
    if (world.fails) throw new ApiError({ type: "#unreachable", title: "No answer", status: 0 });
    if (etag === world.tag) return { status: 304, body: undefined as unknown as Page, etag };
    return { status: 200, body: world.page, etag: world.tag };
  };
  const feed = new Feed(ask, (one) => seen.push(one), () => world.now++);
  feed.watch(false);
  const last = (): Seen => seen[seen.length - 1] as Seen;
  return { world, feed, seen, last };
}

test("a day is loading until the server has answered, and live from then on", async () => {
  const { feed, seen, last } = made();
  feed.show([DAY]);
  assert.equal(last().state, "loading");
  await feed.poll();
  assert.deepEqual([last().state, last().appointments.map((one) => one.appointmentId)], ["live", ["1"]]);
  assert(seen.length >= 2);
});

test("what is unchanged is asked for with its tag, and the lists are the same", async () => {
  const { world, feed, last } = made();
  feed.show([DAY]);
  await feed.poll();
  const before = last().appointments;
  await feed.poll();
  assert.deepEqual(world.asked.at(-1), [undefined, "a"]);
  assert.equal(last().appointments, before);
});

test("a change of this desk is shown at once, and until a poll that began after it", async () => {
  const { world, feed, last } = made();
  feed.show([DAY]);
  await feed.poll();
  feed.keep(visit("1", { version: 2, startTime: "2030-01-15T09:00:00Z" }));
  assert.equal(last().appointments[0]?.version, 2);
  feed.keep(visit("2"));
  assert.equal(last().appointments.length, 2);
  // Somebody else cancelled the second one: the truth wins.
  Object.assign(world, { page: { appointments: [visit("1", { version: 3 })] }, tag: "b" });
  await feed.poll();
  assert.deepEqual(last().appointments.map((one) => [one.appointmentId, one.version]), [["1", 3]]);
});

test("what is cancelled here is gone at once", async () => {
  const { feed, last } = made();
  feed.show([DAY]);
  await feed.poll();
  feed.keep(visit("1", { version: 2, status: "cancelled" }));
  assert.deepEqual(last().appointments, []);
});

test("without an answer the desk shows what was known, and says so", async () => {
  const { world, feed, last } = made();
  feed.show([DAY]);
  await feed.poll();
  world.fails = true;
  await feed.poll();
  assert.deepEqual([last().state, last().appointments.length, last().error?.unreachable], ["failed", 1, true]);
  world.fails = false;
  await feed.poll();
  assert.equal(last().state, "live");
});

test("days that were seen are shown at once when somebody comes back", async () => {
  const { feed, last } = made();
  feed.show([DAY]);
  await feed.poll();
  feed.show([{ ...DAY, from: "2030-01-16", to: "2030-01-17" }]);
  assert.equal(last().state, "loading");
  feed.show([DAY]);
  assert.deepEqual([last().state, last().appointments.length], ["stale", 1]);
});

test("more than twenty calendars are asked for in parts, and each page of a part", async () => {
  const { world, feed, last } = made();
  const pages: Page[] = [{ appointments: [visit("1")], nextCursor: "more" }, { appointments: [visit("2")] }];
  Object.defineProperty(world, "page", { get: () => pages[(world.asked.at(-1) as unknown[])[0] === "more" ? 1 : 0] });
  feed.show([{ ...DAY, calendarIds: Array.from({ length: 21 }, (_, n) => `c${n}`) }]);
  await feed.poll();
  world.asked.length = 0;
  world.tag = "b";
  await feed.poll();
  assert.equal(world.asked.length, 4);
  assert.deepEqual(last().appointments.map((one) => one.appointmentId), ["1", "2"]);
});

test("days that somebody may look at next are asked for once, and shown at once", async () => {
  const { world, feed, last } = made();
  const next = { ...DAY, from: "2030-01-16", to: "2030-01-17" };
  feed.show([DAY]);
  await feed.poll();
  world.asked.length = 0;
  await feed.prepare([next]);
  await feed.prepare([next, DAY]);
  assert.equal(world.asked.length, 1);
  feed.show([next]);
  assert.deepEqual([last().state, last().appointments.length], ["stale", 1]);
});
