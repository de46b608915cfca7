"use strict";

// Each visit has people and rooms of its own, so that the first example finds them free, whatever was booked before.
const NAMES = /\b(anna|ben|carla|dora|frank|coach-ella|studio|dr-lee|dr-kim|room-1|room-2|lab|check-up)\b/g;
const VISIT = Date.now().toString(36);

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

// What Swagger UI leaves without a name for screen readers, or out of reach of the keyboard.
function makeAccessible(calls) {
  for (const field of calls.querySelectorAll("select:not([aria-label]), input:not([aria-label]), textarea:not([aria-label])")) {
    const row = field.closest("[data-param-name]");
    const kind = field.matches("textarea") ? "Request body" : field.matches(".examples-select-element") ? "Example" : "Media type";
    field.setAttribute("aria-label", row?.dataset.paramName ?? kind);
  }
  for (const landmark of calls.querySelectorAll(".opblock [role=region]")) {
    landmark.setAttribute("aria-label", landmark.closest(".opblock").id);
  }
  for (const region of calls.querySelectorAll(".microlight:not([tabindex])")) region.tabIndex = 0;
  // Calls stand below a heading of their tag, webhooks do not.
  for (const title of calls.querySelectorAll(".webhooks .opblock-title:not([aria-level])")) title.setAttribute("aria-level", "3");
}

async function show() {
  const answer = await fetch("openapi.json");
  const contract = JSON.parse((await answer.text()).replace(NAMES, `$1-${VISIT}`));
  const calls = document.getElementById("api");
  new MutationObserver(() => makeAccessible(calls)).observe(calls, { childList: true, subtree: true });
  SwaggerUIBundle({
    spec: contract,
    url: answer.url, // relative addresses in the contract are relative to this one
    dom_id: "#api",
    layout: "BaseLayout",
    presets: [SwaggerUIBundle.presets.apis],
    validatorUrl: null,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    // The calls have taken their place by now, and what the address names has moved.
    onComplete: () => document.getElementById(location.hash.slice(1))?.scrollIntoView(),
  });
}

show();
