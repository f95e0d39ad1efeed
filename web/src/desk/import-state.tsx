import { Link, useParams } from "wouter";
import { api } from "../api/client";
import { moment } from "../texts";
import { Page } from "../ui/page";
import { Fact } from "../ui/records";
import { Loaded, Notice } from "../ui/states";
import { Outcome } from "./outcome";
import { because, usePurpose } from "./purpose";
import { d, dMaybe } from "./texts";

const EVERY = 2_000; // ms between two looks at an import that is under way

/** How far a large file is, and what became of it. */
export default function ImportState() {
  const { card = "", import: id = "" } = useParams();
  const state = api.useQuery(
    "get",
    "/v1/clinic/cards/{card_id}/imports/{import_id}",
    { params: { path: { card_id: card, import_id: id }, header: because(usePurpose()) } },
    {
      refetchInterval: ({ state: { data } }) =>
        data && (data.status === "done" || data.status === "failed") ? false : EVERY,
    },
  );
  return (
    <Page title={d("import.title")} back={{ href: `/cards/${card}/send`, text: d("send.title") }}>
      <Loaded query={state}>
        {(read) => (
          <section className="panel">
            <p role="status" className="label">
              {d(`import.${read.status}`)}
            </p>
            {(read.status === "waiting" || read.status === "running") && (
              <>
                <progress aria-label={d("import.title")} />
                <p className="quiet">{d("import.leave")}</p>
              </>
            )}
            <dl className="facts">
              <Fact name={d("import.began")}>{moment(read.created_at)}</Fact>
              {read.finished_at && <Fact name={d("import.ended")}>{moment(read.finished_at)}</Fact>}
            </dl>
            {read.status === "failed" && (
              <Notice tone="bad" title={d("import.failed.title")}>
                <p>{dMaybe(`import.error.${read.error}`) ?? d("import.error.other")}</p>
                {read.errors && read.errors.length > 0 && (
                  <ul>
                    {read.errors.map((each) => (
                      <li key={`${each.field} ${each.code}`}>
                        {each.field === "body" ? each.message : `${each.field}: ${each.message}`}
                      </li>
                    ))}
                  </ul>
                )}
              </Notice>
            )}
            {read.status === "done" && (
              <Outcome
                counts={{
                  created: read.created ?? 0,
                  updated: read.updated ?? 0,
                  unchanged: read.unchanged ?? 0,
                  kept: read.kept ?? 0,
                  rejected: read.rejected ?? [],
                  rejected_total: read.rejected_total,
                }}
              />
            )}
            <div className="actions">
              <Link href={`/cards/${card}/summary`}>{d("send.back")}</Link>
            </div>
          </section>
        )}
      </Loaded>
    </Page>
  );
}
