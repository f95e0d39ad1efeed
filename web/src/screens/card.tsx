import { lazy, Suspense, useState } from "react";
import { useParams } from "wouter";
import { api } from "../api/client";
import { t } from "../texts";
import { CardPage, SECTIONS, type Section } from "../ui/card-page";
import { byCursor, Pages } from "../ui/pages";
import { PrescriptionPanel, ResultPanel, VisitPanel } from "../ui/records";
import { Empty, Loaded, Loading } from "../ui/states";
import { SummaryView } from "../ui/summary";
import Missing from "./missing";

/** One section of one card. */
export default function Card() {
  const { card = "", section = "" } = useParams();
  if (!SECTIONS.includes(section as Section)) return <Missing />;
  const lists = {
    summary: Summary,
    visits: Visits,
    results: Results,
    prescriptions: Prescriptions,
  };
  const List = lists[section as Section];
  return (
    <CardPage card={card} section={section as Section}>
      <List card={card} />
      <WhoSees key={section} card={card} section={section as Section} />
    </CardPage>
  );
}

function Summary({ card }: { card: string }) {
  const summary = api.useQuery("get", "/v1/cards/{card_id}/summary", {
    params: { path: { card_id: card } },
  });
  return <Loaded query={summary}>{(read) => <SummaryView summary={read} />}</Loaded>;
}

function Visits({ card }: { card: string }) {
  const visits = api.useInfiniteQuery(
    "get",
    "/v1/cards/{card_id}/visits",
    { params: { path: { card_id: card } } },
    byCursor,
  );
  return (
    <Pages query={visits} empty={<Empty title={t("visits.none")} />}>
      {(items) =>
        byYear(items).map(([year, ofYear]) => (
          <section key={year} className="stack">
            <h2>{year}</h2>
            {ofYear.map((each) => (
              <VisitPanel key={each.record_id} visit={each} card={card} />
            ))}
          </section>
        ))
      }
    </Pages>
  );
}

/** Records under the year they belong to, in the order in which they came. */
function byYear<Item extends { date?: string | null }>(items: Item[]): [string, Item[]][] {
  const years = new Map<string, Item[]>();
  for (const item of items) {
    const year = item.date?.slice(0, 4) ?? t("record.undated");
    years.set(year, [...(years.get(year) ?? []), item]);
  }
  return [...years];
}

function Results({ card }: { card: string }) {
  const results = api.useInfiniteQuery(
    "get",
    "/v1/cards/{card_id}/results",
    { params: { path: { card_id: card } } },
    byCursor,
  );
  return (
    <Pages query={results} empty={<Empty title={t("results.none")} />}>
      {(items) =>
        byYear(items).map(([year, ofYear]) => (
          <section key={year} className="stack">
            <h2>{year}</h2>
            {ofYear.map((each) => (
              <ResultPanel key={each.record_id} result={each} card={card} />
            ))}
          </section>
        ))
      }
    </Pages>
  );
}

function Prescriptions({ card }: { card: string }) {
  const prescriptions = api.useInfiniteQuery(
    "get",
    "/v1/cards/{card_id}/prescriptions",
    { params: { path: { card_id: card }, query: { limit: 100 } } },
    byCursor,
  );
  const today = new Date().toISOString().slice(0, 10);
  return (
    <Pages query={prescriptions} empty={<Empty title={t("prescriptions.none")} />}>
      {(items) => {
        const current = items.filter(
          (each) => each.status === "active" && (!each.valid_until || each.valid_until >= today),
        );
        const earlier = items.filter((each) => !current.includes(each));
        return (
          [
            [t("prescriptions.current"), current],
            [t("prescriptions.earlier"), earlier],
          ] as const
        ).map(
          ([title, some]) =>
            some.length > 0 && (
              <section key={title} className="stack">
                <h2>{title}</h2>
                {some.map((each) => (
                  <PrescriptionPanel key={each.record_id} prescription={each} card={card} />
                ))}
              </section>
            ),
        );
      }}
    </Pages>
  );
}

const SectionHiding = lazy(() => import("../ui/hiding"));

/** Whether doctors see the section; fetched and read only when it is asked for. */
function WhoSees({ card, section }: { card: string; section: Section }) {
  const [open, setOpen] = useState(false);
  return (
    <details className="panel" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t("hide.who")}</summary>
      <p>{t("hide.explained")}</p>
      {open && (
        <Suspense fallback={<Loading />}>
          <SectionHiding card={card} section={section} />
        </Suspense>
      )}
    </details>
  );
}
