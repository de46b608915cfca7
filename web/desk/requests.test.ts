import assert from "node:assert/strict";
import test from "node:test";
import { ApiError } from "../shared/api";
import type { Appointment, Page } from "./model";
import { Requests, waitingOf, type Waiting } from "./requests";

const request = (id: string, more: Partial<Appointment> = {}): Appointment => ({
  appointmentId: id,
  userId: "anna",
  startTime: `2030-01-15T0${id}:00:00Z`,
  endTime: `2030-01-15T0${id}:30:00Z`,
  resourceIds: ["dr-lee"],
  details: {},
  status: "requested",
  version: 1,
  ...more,
});
const ids = ({ appointments }: Waiting): string[] => appointments.map(({ appointmentId }) => appointmentId);

test("what waits is listed by its start, and what the grid knows of it is newer", () => {
  const listed = { appointments: [request("3"), request("1"), request("2")], more: true };
  assert.deepEqual(waitingOf(listed, []), { appointments: ["1", "2", "3"].map((id) => request(id)), more: true });
  const seen = [request("2", { version: 2, status: "scheduled" }), request("4"), request("5", { status: "scheduled" })];
  assert.deepEqual(ids(waitingOf(listed, seen)), ["1", "3", "4"]);
  const moved = request("1", { version: 2, startTime: "2030-01-15T09:00:00Z" });
  assert.deepEqual(ids(waitingOf(listed, [moved])), ["2", "3", "1"]);
  assert.deepEqual(ids(waitingOf({ ...listed, appointments: [moved] }, [request("1")])), ["1"]);
});

/** A server that answers one page, what the desk is told, and a clock that goes on when the test says so. */
function made() {
  const world = { page: { appointments: [request("1"), request("2")] } as Page, asked: 0, status: 200, due: new Set<() => void>() };
  const told: Waiting[] = [];
  const ask = async (): Promise<Page> => {
    world.asked += 1;
    if (world.status !== 200) throw new ApiError({ type: "#", title: "Refused", status: world.status });
    return world.page;
  };
  const later = (run: () => void) => (world.due.add(run), () => void world.due.delete(run));
  /** Half a minute later. */
  const wait = async (): Promise<void> => {
    const due = [...world.due];
    world.due.clear();
    for (const run of due) run();
    await settled();
  };
  return { world, told, wait, requests: new Requests(ask, (one) => told.push(one), later) };
}
const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};
const last = <T>(all: T[]): T => all[all.length - 1] as T;

test("it asks now and then while somebody looks, for one page", async () => {
  const { world, told, wait, requests } = made();
  await requests.poll();
  world.page = { appointments: [request("3")], nextCursor: "next" };
  assert.deepEqual([world.asked, world.due.size, ids(last(told))], [1, 1, ["1", "2"]]);
  await wait();
  assert.deepEqual([world.asked, world.due.size, ids(last(told)), last(told).more], [2, 1, ["3"], true]);
  requests.watch(false);
  assert.equal(world.due.size, 0);
  requests.watch(true);
  assert.equal(world.asked, 3);
});

test("what was answered here is gone at once, though an answer from before still has it", async () => {
  const { world, told, requests } = made();
  await requests.poll();
  const before = requests.poll();
  world.page = { appointments: [request("2")] };
  requests.keep(request("1", { status: "scheduled", version: 2 }));
  assert.deepEqual(ids(last(told)), ["2"]);
  await before;
  await settled();
  assert.deepEqual([ids(last(told)), told.length, world.due.size], [["2"], 3, 1]);
  requests.keep(request("9", { status: "arrived" })); // waited for nothing
  assert.equal(world.asked, 3);
  requests.keep(request("7"));
  assert.deepEqual(ids(last(told)), ["2", "7"]);
});

test("without an answer it keeps what was known, and who may not list them is not asked for again", async () => {
  const { world, told, wait, requests } = made();
  await requests.poll();
  world.status = 0;
  await wait();
  assert.deepEqual([world.asked, world.due.size], [2, 1]);
  world.status = 403;
  await wait();
  assert.deepEqual([world.asked, world.due.size, told.length, ids(last(told))], [3, 0, 1, ["1", "2"]]);
});
