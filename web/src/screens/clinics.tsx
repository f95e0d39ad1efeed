import { Link, Redirect } from "wouter";
import { api, type Schemas } from "../api/client";
import { counted, date, t } from "../texts";
import { Page } from "../ui/page";
import { Empty, Loaded } from "../ui/states";

type ClinicAccess = Schemas["ClinicAccess"];

/** The clinics of whoever is signed in: which card to open, and why another one is closed. */
export default function Clinics() {
  const access = api.useQuery("get", "/v1/access");
  const cards = api.useQuery("get", "/v1/cards", { params: { query: { limit: 100 } } });
  return (
    <Page title={t("clinics.title")}>
      <Loaded query={access}>
        {({ clinics }) => {
          const known = clinics.filter((each) => each.clinic);
          if (known.length > 0 && known.every((each) => !each.open) && known.some(wantsConsent)) {
            return <Redirect to="/consent" replace />;
          }
          return known.length === 0 ? (
            <Empty title={t("clinics.none")}>
              <Link href="/access" className="button">
                {t("access.open")}
              </Link>
            </Empty>
          ) : (
            <>
              <p className="lead">{t("clinics.lead")}</p>
              <div className="panels">
                {known.map((each) => (
                  <Choice
                    key={each.clinic?.clinic_id}
                    access={each}
                    card={cards.data?.items.find(({ card_id }) => card_id === each.card_id)}
                  />
                ))}
              </div>
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

/** Whether consent is all that is missing. */
function wantsConsent({ steps }: ClinicAccess): boolean {
  return steps.every(({ step, ok }) => ok || step === "consent_given");
}

function Choice({ access, card }: { access: ClinicAccess; card?: Schemas["CardSummary"] }) {
  const { clinic, card_id, open } = access;
  const facts = (
    <>
      <span className="panel-title">{clinic?.name}</span>
      <span className="quiet">{clinic?.address}</span>
    </>
  );
  if (open && card_id) {
    return (
      <Link href={`/cards/${card_id}/summary`} className="panel">
        {facts}
        {card && (
          <span>
            {[
              counted("count.visits", card.counts.visits),
              counted("count.results", card.counts.results),
              counted("count.prescriptions", card.counts.prescriptions),
            ].join(", ")}
            <br />
            {t("clinics.updated", { date: date(card.updated_at) })}
          </span>
        )}
      </Link>
    );
  }
  const failed = access.steps.find(({ ok }) => !ok);
  return (
    <div className="panel">
      {facts}
      <p>{failed?.message}</p>
      <Link href={wantsConsent(access) ? "/consent" : "/access"}>
        {wantsConsent(access) ? t("consent.open") : t("access.open")}
      </Link>
    </div>
  );
}
