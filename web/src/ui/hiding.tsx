/** What of a section doctors see, as far as its records tell: no route lists what is hidden. */

import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { client } from "../api/client";
import { counted, date, t } from "../texts";
import { Act } from "./act";
import type { Section } from "./card-page";
import { Loaded } from "./states";

const MOST_PAGES = 10;

interface Seen {
  record_id: string;
  text: string;
  date?: string | null;
  hidden?: boolean;
}

/** The records of a section, all pages up to a limit; `whole`: there were no more. */
async function records(card: string, section: Section): Promise<{ items: Seen[]; whole: boolean }> {
  const path = { card_id: card };
  if (section === "summary") {
    const { data } = await client.GET("/v1/cards/{card_id}/summary", { params: { path } });
    const items = [...(data?.allergies ?? []), ...(data?.chronic_conditions ?? [])];
    return { items, whole: true };
  }
  const items: Seen[] = [];
  let cursor: string | null | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const params = { path, query: { limit: 100, cursor } };
    if (section === "visits") {
      const { data } = await client.GET("/v1/cards/{card_id}/visits", { params });
      for (const each of data?.items ?? []) {
        items.push({ ...each, text: each.title ?? each.doctor?.specialty ?? t("visits.one") });
      }
      cursor = data?.next_cursor;
    } else if (section === "results") {
      const { data } = await client.GET("/v1/cards/{card_id}/results", { params });
      items.push(...(data?.items ?? []).map((each) => ({ ...each, text: each.title })));
      cursor = data?.next_cursor;
    } else {
      const { data } = await client.GET("/v1/cards/{card_id}/prescriptions", { params });
      items.push(...(data?.items ?? []));
      cursor = data?.next_cursor;
    }
    if (!cursor) return { items, whole: true };
  }
  return { items, whole: false };
}

/** Whether doctors see a section, which of its records they do not, and the buttons for it. */
export default function SectionHiding({ card, section }: { card: string; section: Section }) {
  const read = useQuery({
    queryKey: ["hiding", card, section],
    queryFn: () => records(card, section),
  });
  const params = { path: { card_id: card, section } };
  const path = "/v1/cards/{card_id}/sections/{section}/hidden";
  const about = t(`section.${section}`);
  const hide = (
    <Act text={t("hide.section")} about={about} act={() => client.PUT(path, { params })} />
  );
  const show = (
    <Act text={t("hide.section.show")} about={about} act={() => client.DELETE(path, { params })} />
  );
  return (
    <Loaded query={read}>
      {({ items, whole }) => {
        const hidden = items.filter((each) => each.hidden);
        if (items.length === 0) {
          return (
            <>
              <p>{t("hide.state.unknown")}</p>
              <div className="actions">
                {hide}
                {show}
              </div>
            </>
          );
        }
        if (hidden.length === items.length) {
          return (
            <>
              <p className="flag flag-warning">{t("hide.state.all")}</p>
              <p>{t("hide.state.all.how")}</p>
              <div className="actions">{show}</div>
            </>
          );
        }
        return (
          <>
            <p className="flag flag-good">{t("hide.state.seen")}</p>
            {hidden.length > 0 && (
              <>
                <p>{counted("hide.state.but", hidden.length)}</p>
                <ul>
                  {hidden.map((each) => (
                    <li key={each.record_id}>
                      {section === "summary" ? (
                        each.text
                      ) : (
                        <Link href={`/cards/${card}/${section}/${each.record_id}`}>
                          {[each.text, each.date && date(each.date)].filter(Boolean).join(", ")}
                        </Link>
                      )}
                    </li>
                  ))}
                </ul>
              </>
            )}
            {!whole && <p className="quiet">{t("hide.state.more")}</p>}
            <div className="actions">{hide}</div>
          </>
        );
      }}
    </Loaded>
  );
}
