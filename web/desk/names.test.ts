import assert from "node:assert/strict";
import test from "node:test";
import { byName, nameAll, nameOf, namesOf } from "./names";

test("a calendar is called by its title, and by its id where it has none", () => {
  nameAll([{ calendarId: "dr-lee", title: " Dr Ada Lee " }, { calendarId: "room-1" }, { calendarId: "lab", title: "  " }]);
  assert.deepEqual(["dr-lee", "room-1", "lab", "new"].map(nameOf), ["Dr Ada Lee", "room-1", "lab", "new"]);
  assert.equal(namesOf(["room-1", "dr-lee"]), "room-1, Dr Ada Lee");
  assert.deepEqual(["room-1", "dr-lee", "lab"].sort(byName), ["dr-lee", "lab", "room-1"]);
});

test("two calendars of one title are told apart by their ids", () => {
  nameAll([{ calendarId: "a", title: "Room" }, { calendarId: "b", title: "Room" }, { calendarId: "c", title: "Lab" }]);
  assert.deepEqual(["a", "b", "c"].map(nameOf), ["Room (a)", "Room (b)", "Lab"]);
});
