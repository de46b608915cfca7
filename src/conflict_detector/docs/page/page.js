"use strict";

SwaggerUIBundle({
  url: "openapi.json",
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
