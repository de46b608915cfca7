/** The last step: what is booked, and where to go on from there. */

import { usePage } from "./page";
import { Heading } from "./parts";
import type { Visit } from "./visits";
import { When } from "./when";

export function Done({ visit, onMore }: { visit: Visit; onMore: () => void }) {
  const { say, visits, framed } = usePage();
  const asked = visit.status === "requested";
  // In the frame of another site, the page of the link may not be shown.
  const elsewhere = framed ? { target: "_blank", rel: "noopener" } : {};
  return (
    <section class="card done">
      <span class="seal good" aria-hidden="true">
        ✓
      </span>
      <Heading>{asked ? say("asked") : say("done")}</Heading>
      {asked && <p>{say("askedMore")}</p>}
      <When facts={visit} start={visit.startTime} />
      <div class="ways">
        {visit.calendarFile && (
          <a class="button main" href={visits.calendarFile(visit.token)} download="appointment.ics">
            {say("calendar")}
          </a>
        )}
        <a class="button second" href={visits.link(visit.token)} {...elsewhere}>
          {say("change")}
        </a>
        <p class="soft">{say("keep")}</p>
        <code class="address">{visits.link(visit.token)}</code>
      </div>
      <button class="plain" type="button" onClick={onMore}>
        {say("more")}
      </button>
    </section>
  );
}
