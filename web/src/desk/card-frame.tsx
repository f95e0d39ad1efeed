import type { ReactNode } from "react";
import { Link } from "wouter";
import { api } from "../api/client";
import { date, moment, t } from "../texts";
import { type Section, Tabs } from "../ui/card-page";
import { Page } from "../ui/page";
import { Notice } from "../ui/states";
import { fullName, Select } from "./parts";
import { because, emergencyUntil, PURPOSES, type Purpose, setPurpose, usePurpose } from "./purpose";
import { d } from "./texts";

/** What surrounds the sections of a patient's card: whose it is, why it is read, what can be done. */
export function CardFrame({
  card,
  section,
  children,
}: {
  card: string;
  section: Section;
  children: ReactNode;
}) {
  const purpose = usePurpose();
  const summary = api.useQuery("get", "/v1/clinic/cards/{card_id}/summary", {
    params: { path: { card_id: card }, header: because(purpose) },
  });
  const patient = summary.data?.patient;
  const until = emergencyUntil(card);
  return (
    <Page title={t(`section.${section}`)} back={{ href: "/cards", text: d("cards.title") }}>
      {patient && (
        <p className="lead">
          {fullName(patient)}, {date(patient.birth_date)}
        </p>
      )}
      {until && (
        <Notice tone="warning" title={d("emergency.until", { at: moment(until) })}>
          <p>{d("emergency.read_only")}</p>
        </Notice>
      )}
      <Tabs card={card} section={section} />
      {children}
      <section className="panel">
        <Select
          name="purpose"
          label={d("purpose")}
          options={PURPOSES.map((each) => [each, t(`journal.purpose.${each}`)])}
          chosen={purpose}
          change={(value) => setPurpose(value as Purpose)}
        />
        <p className="quiet">{d("purpose.hint")}</p>
        {!until && (
          <div className="actions">
            <Link href={`/cards/${card}/send`} className="button button-second">
              {d("send.title")}
            </Link>
          </div>
        )}
      </section>
    </Page>
  );
}
