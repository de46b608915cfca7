import assert from "node:assert/strict";
import test from "node:test";
import { ApiError } from "../shared/api";
import { contactOf, faultsIn, faultsOf } from "./form";
import { isRenewed } from "./hold";
import { target } from "./month";
import { placeIn } from "./place";
import { failureOf, isOfZone, uuid } from "./visits";
import { LANGUAGES, PHONES, say, spoken, WORDS } from "./words";

const refusal = (slug: string, status: number, field?: string): ApiError =>
  new ApiError({ type: `https://x.example/docs#${slug}`, title: "", status, ...(field ? { errors: [{ field, message: "" }] } : {}) });

test("the page says the same in every language, and puts in the same", () => {
  const values = (text: string): string => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]).sort().join();
  for (const language of LANGUAGES) {
    for (const [name, sentence] of Object.entries(WORDS.en)) {
      const here = WORDS[language][name as keyof typeof WORDS.en];
      assert(here.trim() && !/^\s|\s$/.test(here), `${language} ${name}`);
      assert.equal(values(here), values(sentence), `${language} ${name}`);
    }
    assert.match(PHONES[language], /^\+\d/);
  }
  assert.equal(say("{time} in {zone}", { time: "9:00", zone: "$& {time}" }), "9:00 in $& {time}");
});

test("no two languages say whole sentences alike, as a copy would", () => {
  for (const name of Object.keys(WORDS.en) as (keyof typeof WORDS.en)[]) {
    if (WORDS.en[name].length < 25) continue;
    assert.equal(new Set(LANGUAGES.map((language) => WORDS[language][name])).size, LANGUAGES.length, name);
  }
});

test("the language is the one asked for, or the browser's first that is known", () => {
  assert.deepEqual(spoken("de", ["fr-CA"]), { language: "de", locale: "de" });
  assert.deepEqual(spoken("de-CH", []), { language: "de", locale: "de-CH" });
  assert.deepEqual(spoken("de", ["en-US", "de-AT"]), { language: "de", locale: "de-AT" });
  assert.deepEqual(spoken(null, ["ja-JP", "pt-BR", "en-US"]), { language: "pt", locale: "pt-BR" });
  assert.deepEqual(spoken("xx", ["en-GB"]), { language: "en", locale: "en-GB" });
  assert.deepEqual(spoken(null, []), { language: "en", locale: "en" });
  assert.deepEqual(spoken("<script>", ["de-DE-u-co-phonebk"]), { language: "de", locale: "de" });
});

test("what is wrong in the form is told at its field before it is sent", () => {
  const good = { name: "Anna", email: "anna@example.org", phone: "" };
  assert.deepEqual(faultsOf(good), {});
  assert.deepEqual(faultsOf({ ...good, email: "", phone: "+49 (30) 90-18/20" }), {});
  assert.deepEqual(faultsOf({ name: " ", email: "", phone: "" }), { name: "noName", email: "neither" });
  assert.deepEqual(faultsOf({ ...good, email: "anna@" }), { email: "badEmail" });
  assert.deepEqual(faultsOf({ ...good, phone: "030 123" }), { phone: "badPhone" });
});

test("what the API finds wrong stands at its field", () => {
  const errors = ["contact.email", "contact.name", "contact.phone", "startTime"].map((field) => ({ field, message: "" }));
  assert.deepEqual(faultsIn(errors), { email: "badEmail", name: "badName", phone: "badPhone" });
  assert.deepEqual(faultsIn([{ field: "contact", message: "" }]), { email: "neither" });
  assert.deepEqual(faultsIn(), {});
});

test("a contact has what was written, and the language of the page", () => {
  const contact = contactOf({ name: "  Anna   Vogel ", email: " anna@example.org", phone: "0049 30 1234" }, "de-AT", "UTC");
  const written = { name: "Anna Vogel", email: "anna@example.org", phone: "+49 30 1234" };
  assert.deepEqual(contact, { ...written, locale: "de-AT", timeZone: "UTC" });
  assert(!("phone" in contactOf({ name: "A", email: "a@x.example", phone: " " }, "de", "UTC")));
});

test("an entry of the history is a place or it is nothing", () => {
  assert.deepEqual(placeIn({ at: "times", service: "a" }), { at: "times", service: "a" });
  assert.deepEqual(placeIn({ at: "services" }), { at: "services" });
  for (const other of [null, undefined, 7, "times", {}, { at: "times" }, { at: "details", service: "a" }, { at: "toString" }, { at: "done", service: 1, token: "t" }]) {
    assert.equal(placeIn(other), undefined);
  }
});

test("keys walk over days, weeks and months", () => {
  const to = (key: string, from: string, firstDay = 1) => target({ key }, from, firstDay);
  assert.equal(to("ArrowRight", "2030-01-31"), "2030-02-01");
  assert.equal(to("ArrowUp", "2030-01-03"), "2029-12-27");
  assert.equal(to("Home", "2030-01-16"), "2030-01-14");
  assert.equal(to("End", "2030-01-16"), "2030-01-20");
  assert.equal(to("Home", "2030-01-16", 7), "2030-01-13");
  assert.equal(to("PageDown", "2030-01-31"), "2030-02-28");
  assert.equal(to("PageUp", "2030-03-31"), "2030-02-28");
  assert.equal(to("a", "2030-01-16"), undefined);
});

test("a hold is renewed for who still writes, and not for ever", () => {
  assert(isRenewed(1000, 0) && isRenewed(1000, 1));
  assert(!isRenewed(1000, 2));
  assert(!isRenewed(6 * 60_000, 0));
});

test("a refusal is what a visitor can do something about", () => {
  assert.equal(failureOf(refusal("booking-closed", 403)), "closed");
  assert.equal(failureOf(refusal("booking-link-unknown", 403)), "unknown");
  assert.equal(failureOf(refusal("booking-link-expired", 410)), "over");
  assert.equal(failureOf(refusal("service-not-found", 404)), "gone");
  assert.equal(failureOf(refusal("invalid-request", 422, "serviceId")), "gone");
  assert.equal(failureOf(refusal("unreachable", 0)), "offline");
  assert.equal(failureOf(refusal("too-many-requests", 429)), "often");
  assert.equal(failureOf(refusal("calendar-busy", 503)), "busy");
  assert.equal(failureOf(new Error("a bug")), "busy");
  assert(isOfZone(refusal("invalid-request", 422, "timeZone")));
  assert(isOfZone(refusal("invalid-request", 422, "contact.timeZone")));
  assert(!isOfZone(refusal("invalid-request", 422, "to")));
});

test("a key is a random UUID", () => {
  const made = Array.from({ length: 100 }, uuid);
  assert.equal(new Set(made).size, 100);
  for (const one of made) assert.match(one, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
