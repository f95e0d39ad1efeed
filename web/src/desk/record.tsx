import type { UseQueryResult } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link, useParams } from "wouter";
import { api, client, type Schemas } from "../api/client";
import Missing from "../screens/missing";
import { date, moment, t } from "../texts";
import { Act } from "../ui/act";
import { Page } from "../ui/page";
import { Fact, PrescriptionView, ResultView, VisitView } from "../ui/records";
import { Loaded, Notice } from "../ui/states";
import { Done } from "./parts";
import { because, usePurpose } from "./purpose";
import { d } from "./texts";
import { Words } from "./words";

type Kept = Schemas["OneVisit"] | Schemas["OneResult"] | Schemas["OnePrescription"];

interface Of {
  card: string;
  record: string;
}

/** One record of a patient's card. */
export default function OneRecord() {
  const { card = "", section, record = "" } = useParams();
  if (section === "visits") return <Visit card={card} record={record} />;
  if (section === "results") return <Result card={card} record={record} />;
  if (section === "prescriptions") return <Prescription card={card} record={record} />;
  return <Missing />;
}

function useParameters({ card, record }: Of) {
  return {
    params: { path: { card_id: card, record_id: record }, header: because(usePurpose()) },
  };
}

function Visit(of: Of) {
  const path = "/v1/clinic/cards/{card_id}/visits/{record_id}";
  const query = api.useQuery("get", path, useParameters(of));
  return (
    <Around query={query} of={of} section="visits" title={(read) => read.title ?? t("visits.one")}>
      {(read) => <VisitView visit={read} card={of.card} />}
    </Around>
  );
}

function Result(of: Of) {
  const path = "/v1/clinic/cards/{card_id}/results/{record_id}";
  const query = api.useQuery("get", path, useParameters(of));
  return (
    <Around query={query} of={of} section="results" title={(read) => read.title}>
      {(read) => (
        <>
          <ResultView result={read} card={of.card} />
          <Held result={read} of={of} />
        </>
      )}
    </Around>
  );
}

function Prescription(of: Of) {
  const path = "/v1/clinic/cards/{card_id}/prescriptions/{record_id}";
  const query = api.useQuery("get", path, useParameters(of));
  return (
    <Around query={query} of={of} section="prescriptions" title={(read) => read.text}>
      {(read) => (
        <>
          <PrescriptionView prescription={read} />
          {read.visit_id && (
            <Link href={`/cards/${of.card}/visits/${read.visit_id}`}>{t("record.visit")}</Link>
          )}
        </>
      )}
    </Around>
  );
}

/** A result that waits for a doctor: once seen, its patient is shown it. */
function Held({ result, of }: { result: Schemas["OneResult"]; of: Of }) {
  const [seen, setSeen] = useState(false);
  const parameters = useParameters(of);
  if (seen) return <Done title={d("held.seen")} />;
  if (!result.held_until) return null;
  return (
    <Notice tone="warning" title={d("held.until", { date: date(result.held_until) })}>
      <p>{d("held.hint")}</p>
      <Words of="seen">
        <Act
          kind="button"
          text={d("held.see")}
          act={async () => {
            await client.POST("/v1/clinic/cards/{card_id}/results/{record_id}/seen", parameters);
            setSeen(true);
          }}
        />
      </Words>
    </Notice>
  );
}

function Around<One extends Kept>({
  query,
  of,
  section,
  title,
  children,
}: {
  query: UseQueryResult<One, unknown>;
  of: Of;
  section: "visits" | "results" | "prescriptions";
  title: (read: One) => string;
  children: (read: One) => ReactNode;
}) {
  const back = { href: `/cards/${of.card}/${section}`, text: t(`section.${section}`) };
  return (
    <Page title={query.data ? title(query.data) : t(`section.${section}`)} back={back}>
      <Loaded query={query}>
        {(read) => (
          <>
            {read.date && <p className="lead">{date(read.date)}</p>}
            <section className="panel">{children(read)}</section>
            <section className="panel">
              <h2>{t("record.origin")}</h2>
              <dl className="facts">
                <Fact name={t("record.clinic")}>{read.clinic.name}</Fact>
                <Fact name={t("record.received")}>{moment(read.received_at)}</Fact>
                {read.document?.title && (
                  <Fact name={t("record.document")}>{read.document.title}</Fact>
                )}
              </dl>
            </section>
          </>
        )}
      </Loaded>
    </Page>
  );
}
