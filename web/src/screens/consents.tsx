import { Link } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { date, maybe, moment, t } from "../texts";
import { Act } from "../ui/act";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Fact } from "../ui/records";
import { Empty } from "../ui/states";

/** Every consent that was given, and the way to withdraw the ones that hold. */
export default function Consents() {
  const consents = api.useInfiniteQuery("get", "/v1/consents", {}, byCursor);
  const access = api.useQuery("get", "/v1/access");
  const nameOf = (id?: string | null) =>
    access.data?.clinics.find(({ clinic }) => clinic?.clinic_id === id)?.clinic?.name;
  const give = (
    <Link href="/consent" className="button">
      {t("consent.open")}
    </Link>
  );
  return (
    <Page title={t("settings.consents")} back={{ href: "/settings", text: t("nav.settings") }}>
      <p className="lead">{t("consents.lead")}</p>
      <Pages query={consents} empty={<Empty title={t("consents.none")}>{give}</Empty>}>
        {(items) => (
          <>
            {!items.some((each) => each.status === "active") && <div>{give}</div>}
            {items.map((each) => (
              <One
                key={each.consent_id}
                consent={each}
                whom={each.clinic_id ? nameOf(each.clinic_id) : t("consent.every")}
              />
            ))}
          </>
        )}
      </Pages>
    </Page>
  );
}

function One({ consent, whom }: { consent: Schemas["Consent"]; whom?: string }) {
  const active = consent.status === "active";
  const withdraw = () =>
    client.POST("/v1/consents/{consent_id}/withdraw", {
      params: { path: { consent_id: consent.consent_id } },
    });
  return (
    <article className="panel">
      <div className="row">
        <h2>{whom ?? t("consents.one_clinic")}</h2>
        <p className={active ? "flag flag-good" : "flag"}>
          {maybe(`status.consent.${consent.status}`, consent.status)}
        </p>
      </div>
      <dl className="facts">
        <Fact name={t("consents.given")}>
          {moment(consent.given_at)}
          {consent.method === "written" && ` (${t("consents.written")})`}
        </Fact>
        {active && consent.expires_at && (
          <Fact name={t("consents.until")}>{date(consent.expires_at)}</Fact>
        )}
        {consent.withdrawn_at && (
          <Fact name={t("consents.withdrawn")}>{moment(consent.withdrawn_at)}</Fact>
        )}
        <Fact name={t("consents.version")}>{consent.document_version}</Fact>
      </dl>
      {active && (
        <div className="actions">
          <Act
            text={t("consents.withdraw")}
            act={withdraw}
            kind="button button-danger"
            ask={{ title: t("consents.withdraw.ask"), body: <p>{t("consents.withdraw.what")}</p> }}
          />
        </div>
      )}
    </article>
  );
}
