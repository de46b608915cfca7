import assert from "node:assert/strict";
import test from "node:test";
import { contrast, readableOn, themeOf, variables } from "./theme";

const of = (query: string) => themeOf(new URLSearchParams(query));

test("values of the known forms are taken", () => {
  assert.deepEqual(of("accent=0a7&radius=0&scheme=dark&background=transparent"), {
    accent: "#00aa77", radius: 0, scheme: "dark", transparent: true,
  });
  assert.deepEqual(of("accent=%23C0FFEE"), { accent: "#c0ffee" });
});

test("everything else is passed over, so that nothing can be put into the page", () => {
  for (const accent of ["red", "0a", "0a7f", "#0a7;color:red", "url(x)", "var(--x)", "0a7 ", "-1", "<script>", "0a7\n"]) {
    assert.deepEqual(of(new URLSearchParams({ accent }).toString()), {}, accent);
  }
  for (const query of ["radius=25", "radius=-1", "radius=1e1", "radius=4px", "scheme=blue", "background=url(x)", "paper=000"]) {
    assert.deepEqual(of(query), {}, query);
  }
});

test("contrast is that of WCAG", () => {
  assert.equal(Math.round(contrast("#000000", "#ffffff")), 21);
  assert.equal(contrast("#777777", "#ffffff").toFixed(2), "4.48");
});

test("every accent can be read, on light and on dark", () => {
  const papers = [["#f6f7f7", "#ffffff"], ["#141a1a", "#1d2525"]];
  for (const accent of ["#00aa77", "#ffff00", "#000000", "#ffffff", "#ff0000", "#777777", "#0000ff", "#c0ffee"]) {
    for (const both of papers) {
      const found = variables({ accent }, both);
      for (const paper of both) assert(contrast(found["--brand"] as string, paper) >= 4.5, `${accent} on ${paper}`);
      assert(contrast(found["--brand"] as string, found["--on-brand"] as string) >= 4.5, accent);
    }
  }
  assert.equal(readableOn("#0f5c5c", "#ffffff"), "#0f5c5c");
  assert.deepEqual(variables({ radius: 12 }, ["#ffffff"]), { "--radius": "12px" });
  assert.deepEqual(variables({}, ["#ffffff"]), {});
});
