"""How the page of a link looks: on a phone and on a desk, in light and in dark."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1d2b2f; --soft: #52636a; --line: #d5dfdf; --edge: #7b8f92; --paper: #eef3f2; --card: #fff;
  --brand: #0f5c5c; --on-brand: #fff; --tint: #e6f1f0;
  --good: #14532d; --good-paper: #e3f4e9; --bad: #8f2413; --bad-paper: #fdebe7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e7ebea; --soft: #b3bec0; --line: #39434a; --edge: #7f8d92; --paper: #14181a; --card: #1e2427;
    --brand: #74cfc8; --on-brand: #06201f; --tint: #24383a;
    --good: #a5e5bf; --good-paper: #193526; --bad: #ffb7a8; --bad-paper: #431e17;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}
main {
  max-width: 34rem; margin: 0 auto; padding: 1.5rem 1.25rem 2rem; background: var(--card);
  border-top: 6px solid var(--brand); min-height: 100vh;
}
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; letter-spacing: -0.01em; text-wrap: balance; }
h2 { margin: 1.5rem 0 0.75rem; font-size: 1.1rem; }
p { margin: 0.75rem 0 0; overflow-wrap: anywhere; }
.service { margin: 0 0 0.25rem; color: var(--soft); font-weight: 600; }
.soft { color: var(--soft); font-size: 0.95rem; }
p.soft + p.soft { margin-top: 0; }
.actions p { margin: 0; }
.note { margin: 1rem 0 0; padding: 0.75rem 1rem; border-radius: 10px; font-weight: 600; }
.good { color: var(--good); background: var(--good-paper); }
.bad { color: var(--bad); background: var(--bad-paper); }
.plain { color: var(--ink); background: var(--tint); }
dl { margin: 1.25rem 0 0; padding: 1rem; border: 1px solid var(--line); border-radius: 12px; }
dt { color: var(--soft); font-size: 0.9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
dd + dt { margin-top: 0.75rem; }
dd strong { display: block; font-size: 1.2rem; line-height: 1.3; }
dd .time { display: block; font-size: 1.2rem; font-variant-numeric: tabular-nums; }
.gone { text-decoration: line-through; color: var(--soft); }
.actions { display: grid; gap: 0.75rem; margin-top: 1.5rem; }
form { margin: 0; }
button, .button, summary {
  display: block; width: 100%; min-height: 3rem; padding: 0.7rem 1rem; border-radius: 10px; cursor: pointer;
  font: inherit; font-weight: 600; line-height: 1.3; text-align: center; text-decoration: none;
  border: 1px solid var(--edge); background: transparent; color: var(--ink);
}
button.main { background: var(--brand); border-color: var(--brand); color: var(--on-brand); }
button.grave { background: var(--bad-paper); border-color: var(--bad); color: var(--bad); }
button:hover, .button:hover, summary:hover { border-color: var(--brand); box-shadow: 0 0 0 1px var(--brand); }
:focus-visible { outline: 3px solid var(--brand); outline-offset: 2px; }
summary { list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::after { content: " \\25be"; color: var(--soft); }
details[open] summary::after { content: " \\25b4"; }
details > form { padding: 0.25rem 0 0; }
details > form button { margin-top: 0.75rem; }
ul { list-style: none; margin: 0; padding: 0; }
.days { display: grid; grid-template-columns: repeat(7, 1fr); gap: 0.3rem; }
.days > li > * {
  display: block; padding: 0.45rem 0; border-radius: 10px; border: 1px solid transparent; text-align: center;
  font-size: 0.8rem; line-height: 1.25; color: var(--soft); text-decoration: none; overflow: hidden;
}
.days b { display: block; font-size: 1.1rem; }
.days li { position: relative; }
.days .unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.days a { border-color: var(--edge); color: var(--ink); }
.days a:hover { border-color: var(--brand); }
.days a[aria-current] { background: var(--brand); border-color: var(--brand); color: var(--on-brand); }
.times { display: grid; grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); gap: 0.5rem; }
.times button { padding: 0.6rem 0.3rem; font-variant-numeric: tabular-nums; }
.times:has(small) { grid-template-columns: repeat(auto-fill, minmax(8.5rem, 1fr)); }
button small { display: block; color: var(--soft); font-size: 0.85rem; font-weight: 400; }
.near { display: grid; gap: 0.5rem; margin-top: 0.75rem; }
.turn { display: flex; justify-content: space-between; gap: 0.75rem; margin-top: 0.75rem; }
.turn a { padding: 0.5rem 0; color: var(--brand); font-weight: 600; }
@media (min-width: 40rem) {
  body { padding: 3rem 1rem; }
  main {
    min-height: 0; padding: 2rem 2.25rem 2.25rem; border-radius: 14px;
    box-shadow: 0 1px 2px rgb(0 0 0 / 12%), 0 12px 40px rgb(0 0 0 / 10%);
  }
}
@media print { .actions { display: none; } }
"""
