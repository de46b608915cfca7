/** The booking page: `/book?service=check-up&key=…`. It keeps nothing in cookies or storage. */

import { render } from "preact";
import { Api } from "../shared/api";
import { App } from "./app";
import { Page, PageContext } from "./page";
import { themeOf, variables } from "./theme";
import { Visits } from "./visits";
import { spoken } from "./words";
import "./book.css";

const query = new URLSearchParams(location.search);
const root = document.documentElement;
const framed = window.parent !== window;
const { language, locale } = spoken(query.get("lang"), navigator.languages);
root.lang = language;

const theme = themeOf(query);
const darkness = matchMedia("(prefers-color-scheme: dark)");

/** The values of the site that shows the page, for the scheme that is shown now. */
function dress(): void {
  if (theme.scheme) root.dataset["scheme"] = theme.scheme;
  if (theme.transparent) root.dataset["background"] = "transparent";
  const style = getComputedStyle(root);
  const papers = ["--paper", "--card"].map((name) => style.getPropertyValue(name).trim());
  for (const [name, value] of Object.entries(variables(theme, papers))) root.style.setProperty(name, value);
}
dress();
darkness.addEventListener("change", dress);

// How high the page is, for the site that shows it: a number, which is no secret.
if (framed) {
  const tell = () => window.parent.postMessage({ appointments: { height: root.offsetHeight } }, "*");
  new ResizeObserver(tell).observe(root);
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const visits = new Visits(new Api(), query.get("key") ?? undefined);
const clinic = document.querySelector<HTMLMetaElement>('meta[name="application-name"]')?.content ?? "";
const page = new Page(visits, language, locale, zone, framed, clinic);
document.title = page.titled(page.say("book"));

render(
  <PageContext.Provider value={page}>
    <main class={framed ? "framed" : ""}>
      {clinic && !framed && <p class="clinic">{clinic}</p>}
      <App />
    </main>
  </PageContext.Provider>,
  document.getElementById("page") as HTMLElement,
);
