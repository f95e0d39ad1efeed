import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link, useParams } from "wouter";
import { api, cache, client, type Schemas } from "../api/client";
import { counted, date, moment, t } from "../texts";
import { Act } from "../ui/act";
import { Page } from "../ui/page";
import { Fact, PrescriptionView, ResultView, VisitView } from "../ui/records";
import { Loaded, Notice } from "../ui/states";
import Missing from "./missing";

type Kept = Schemas["OneVisit"] | Schemas["OneResult"] | Schemas["OnePrescription"];

/** One record, with where it came from, its earlier versions, and who may see it. */
export default function OneRecord() {
  const { card = "", section, record = "" } = useParams();
  if (section === "visits") return <Visit card={card} record={record} />;
  if (section === "results") return <Result card={card} record={record} />;
  if (section === "prescriptions") return <Prescription card={card} record={record} />;
  return <Missing />;
}

interface Of {
  card: string;
  record: string;
}

function Visit({ card, record }: Of) {
  const query = api.useQuery("get", "/v1/cards/{card_id}/visits/{record_id}", {
    params: { path: { card_id: card, record_id: record } },
  });
  return (
    <Around
      query={query}
      card={card}
      section="visits"
      title={(read) => read.title ?? t("visits.one")}
    >
      {(read) => <VisitView visit={read} card={card} />}
    </Around>
  );
}

function Result({ card, record }: Of) {
  const query = api.useQuery("get", "/v1/cards/{card_id}/results/{record_id}", {
    params: { path: { card_id: card, record_id: record } },
  });
  return (
    <Around query={query} card={card} section="results" title={(read) => read.title}>
      {(read) => <ResultView result={read} card={card} />}
    </Around>
  );
}

function Prescription({ card, record }: Of) {
  const query = api.useQuery("get", "/v1/cards/{card_id}/prescriptions/{record_id}", {
    params: { path: { card_id: card, record_id: record } },
  });
  return (
    <Around query={query} card={card} section="prescriptions" title={(read) => read.text}>
      {(read) => (
        <>
          <PrescriptionView prescription={read} />
          {read.visit_id && (
            <Link href={`/cards/${card}/visits/${read.visit_id}`}>{t("record.visit")}</Link>
          )}
        </>
      )}
    </Around>
  );
}

function Around<One extends Kept>({
  query,
  card,
  section,
  title,
  children,
}: {
  query: UseQueryResult<One, unknown>;
  card: string;
  section: "visits" | "results" | "prescriptions";
  title: (read: One) => string;
  children: (read: One) => ReactNode;
}) {
  const back = { href: `/cards/${card}/${section}`, text: t(`section.${section}`) };
  return (
    <Page title={query.data ? title(query.data) : t(`section.${section}`)} back={back}>
      <Loaded query={query}>
        {(read) => (
          <>
            {read.date && <p className="lead">{date(read.date)}</p>}
            <section className="panel">{children(read)}</section>
            <div className="actions">
              <Link
                href={`/cards/${card}/extract?kind=${section}&record=${read.record_id}`}
                className="button button-second"
              >
                {t("record.extract")}
              </Link>
              <HideRecord card={card} record={read.record_id} hidden={Boolean(read.hidden)} />
            </div>
            <Origin read={read} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function HideRecord({ card, record, hidden }: Of & { hidden: boolean }) {
  const [asked, setAsked] = useState(false);
  const params = { path: { card_id: card, record_id: record } };
  const path = "/v1/cards/{card_id}/records/{record_id}/hidden";
  if (!hidden) {
    return (
      <Act
        text={t("hide.record")}
        act={() => client.PUT(path, { params })}
        ask={{ title: t("hide.ask"), body: <p>{t("hide.explained")}</p> }}
      />
    );
  }
  return (
    <>
      <Act
        text={t("hide.record.show")}
        act={async () => {
          await client.DELETE(path, { params });
          await cache.invalidateQueries();
          setAsked(true);
        }}
      />
      {asked && (
        <Notice tone="warning" title={t("hide.still")}>
          <p>{t("hide.still.why")}</p>
          <Link href="/settings/hidden">{t("settings.hidden")}</Link>
        </Notice>
      )}
    </>
  );
}

function Origin({ read }: { read: Kept }) {
  const earlier = (read.history ?? []).filter(({ version }) => version !== read.version);
  return (
    <section className="panel">
      <h2>{t("record.origin")}</h2>
      <dl className="facts">
        <Fact name={t("record.clinic")}>{read.clinic.name}</Fact>
        <Fact name={t("record.received")}>{moment(read.received_at)}</Fact>
        {read.document?.title && <Fact name={t("record.document")}>{read.document.title}</Fact>}
        {earlier.length > 0 && (
          <Fact name={t("record.versions")}>
            {counted("record.corrected", earlier.length)}
            <ul className="plain">
              {earlier.map((each) => (
                <li key={each.version}>
                  {t("record.version", { version: each.version, date: moment(each.received_at) })}
                </li>
              ))}
            </ul>
          </Fact>
        )}
      </dl>
    </section>
  );
}
