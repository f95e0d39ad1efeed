import { useParams } from "wouter";
import { api } from "../api/client";
import Missing from "../screens/missing";
import { date, t } from "../texts";
import { SECTIONS, type Section } from "../ui/card-page";
import { byCursor, Pages } from "../ui/pages";
import { PrescriptionPanel, ResultPanel, VisitPanel } from "../ui/records";
import { Empty, Loaded } from "../ui/states";
import { SummaryView } from "../ui/summary";
import { CardFrame } from "./card-frame";
import { because, usePurpose } from "./purpose";
import { d } from "./texts";

/** One section of a patient's card, as a clinician may see it. */
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
    <CardFrame card={card} section={section as Section}>
      {section !== "summary" && <h2 className="only-read">{t(`card.${section as Section}`)}</h2>}
      <List card={card} />
    </CardFrame>
  );
}

function useParameters(card: string) {
  return { params: { path: { card_id: card }, header: because(usePurpose()) } };
}

function Summary({ card }: { card: string }) {
  const summary = api.useQuery("get", "/v1/clinic/cards/{card_id}/summary", useParameters(card));
  return <Loaded query={summary}>{(read) => <SummaryView summary={read} />}</Loaded>;
}

function Visits({ card }: { card: string }) {
  const visits = api.useInfiniteQuery(
    "get",
    "/v1/clinic/cards/{card_id}/visits",
    useParameters(card),
    byCursor,
  );
  return (
    <Pages query={visits} empty={<Empty title={t("visits.none")} />}>
      {(items) => items.map((each) => <VisitPanel key={each.record_id} visit={each} card={card} />)}
    </Pages>
  );
}

function Results({ card }: { card: string }) {
  const results = api.useInfiniteQuery(
    "get",
    "/v1/clinic/cards/{card_id}/results",
    useParameters(card),
    byCursor,
  );
  return (
    <Pages query={results} empty={<Empty title={t("results.none")} />}>
      {(items) =>
        items.map((each) => (
          <div key={each.record_id} className="stack desk-held">
            {each.held_until && (
              <p className="flag flag-warning">
                {d("held.until", { date: date(each.held_until) })}
              </p>
            )}
            <ResultPanel result={each} card={card} />
          </div>
        ))
      }
    </Pages>
  );
}

function Prescriptions({ card }: { card: string }) {
  const prescriptions = api.useInfiniteQuery(
    "get",
    "/v1/clinic/cards/{card_id}/prescriptions",
    useParameters(card),
    byCursor,
  );
  return (
    <Pages query={prescriptions} empty={<Empty title={t("prescriptions.none")} />}>
      {(items) =>
        items.map((each) => (
          <PrescriptionPanel key={each.record_id} prescription={each} card={card} />
        ))
      }
    </Pages>
  );
}
