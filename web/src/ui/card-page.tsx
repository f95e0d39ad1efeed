import type { ReactNode } from "react";
import { Link } from "wouter";
import { api } from "../api/client";
import { t } from "../texts";
import { Page } from "./page";

export const SECTIONS = ["summary", "visits", "results", "prescriptions"] as const;
export type Section = (typeof SECTIONS)[number];

/** What surrounds the sections of a card: whose clinic, the tabs, what else can be done. */
export function CardPage({
  card,
  section,
  children,
}: {
  card: string;
  section: Section;
  children: ReactNode;
}) {
  const cards = api.useQuery("get", "/v1/cards", { params: { query: { limit: 100 } } });
  const clinic = cards.data?.items.find((each) => each.card_id === card)?.clinic;
  return (
    <Page title={t(`section.${section}`)} back={{ href: "/clinics", text: t("clinics.back") }}>
      {clinic && <p className="quiet">{clinic.name}</p>}
      <Tabs card={card} section={section} />
      <div className="actions">
        <Link href={`/cards/${card}/extract?kind=${section}`} className="button button-second">
          {t("card.extract")}
        </Link>
        <Link href={`/cards/${card}/journal`}>{t("card.journal")}</Link>
      </div>
      {children}
    </Page>
  );
}

/** The sections of a card, the one that is open marked. */
export function Tabs({ card, section }: { card: string; section: Section }) {
  return (
    <nav className="tabs" aria-label={t("card.sections")}>
      {SECTIONS.map((each) => (
        <Link
          key={each}
          href={`/cards/${card}/${each}`}
          aria-current={each === section ? "page" : undefined}
        >
          {t(`card.${each}`)}
        </Link>
      ))}
    </nav>
  );
}
