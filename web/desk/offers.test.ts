import assert from "node:assert/strict";
import test from "node:test";
import { ApiError, type Problem } from "../shared/api";
import { tried, untried } from "./offers";
import type { Refusal } from "./refusal";

const at = (hour: string) => ({ startTime: `2030-01-15T${hour}:00:00Z`, endTime: `2030-01-15T${hour}:30:00Z` });
const closed = (...hours: string[]): Refusal => ({ title: "This cannot be done", lines: ["closed"], alternatives: hours.map(at), unsure: true });
const conflict = (more: Partial<Problem> = {}) => new ApiError({ type: "#conflict", title: "Conflict", status: 409, ...more });
const fails = (error: unknown) => (): Promise<never> => Promise.reject(error);
const holds = async (): Promise<void> => undefined;
const hours = ({ alternatives }: Refusal): string[] => alternatives.map(({ startTime }) => startTime.slice(11, 13));

test("a time within the rules is offered if it holds, and else what is free near it, each once and in order", async () => {
  const answers: Record<string, () => Promise<unknown>> = {
    "08": fails(conflict({ alternatives: ["12", "10", "09"].map(at) })),
    "10": holds,
    "11": fails(new ApiError({ type: "#invalid-request", title: "Invalid", status: 422 })),
    "13": fails(new ApiError({ type: "#unreachable", title: "No answer", status: 0 })),
  };
  const asked: string[] = [];
  const trial = { at: ({ startTime }: { startTime: string }) => (asked.push(startTime), answers[startTime.slice(11, 13)]!()), waived: holds };
  const after = await tried(closed("08", "10", "11", "13", "14"), trial, String);
  assert.deepEqual([hours(after), asked.length, after.unsure, after.notice], [["09", "10", "12"], 4, false, false]);
});

test("the notice is waived only where that holds, and else what is in the way is told", async () => {
  const soon: Refusal = { title: "This cannot be done", lines: ["too soon"], alternatives: [], notice: true };
  const after = (waived: () => Promise<unknown>) => tried(soon, { at: holds, waived }, (one) => one.startTime.slice(11, 16));
  assert.equal((await after(holds)).notice, true);
  const taken = await after(fails(conflict({ conflicts: [{ calendarId: "dr-lee", ...at("09") }] })));
  assert.deepEqual([taken.notice, taken.lines], [false, ["too soon", "Without the notice: This time is taken", "dr-lee: 09:00"]]);
  const lost = await after(fails(new Error("lost")));
  assert.deepEqual([lost.notice, lost.lines], [false, ["too soon"]]);
});

test("until it is tried nothing is offered", () => {
  assert.deepEqual(untried(closed("08")), { ...closed(), notice: false, checking: true });
  assert.equal(untried({ ...closed("08"), unsure: false }), undefined);
});
