import { Link } from "wouter";
import { api, type Schemas } from "../api/client";
import { phone, t } from "../texts";
import { Page } from "../ui/page";
import { Loaded, Notice } from "../ui/states";

/** «Почему карта не отображается»: each condition, whether it is met, what to do, whom to call. */
export default function Access() {
  const access = api.useQuery("get", "/v1/access");
  return (
    <Page title={t("access.open")} back={{ href: "/clinics", text: t("clinics.back") }}>
      <p className="lead">{t("access.lead")}</p>
      <Loaded query={access}>
        {({ clinics }) => (
          <div className="stack">
            {clinics.map((each) => (
              <OfClinic key={each.clinic?.clinic_id ?? "none"} access={each} />
            ))}
          </div>
        )}
      </Loaded>
    </Page>
  );
}

/** Whether an earlier step says the very same: without a clinic most do. */
function saidBefore(steps: Schemas["ClinicAccess"]["steps"], index: number): boolean {
  const own = steps[index];
  return steps.slice(0, index).some(({ ok, message }) => !ok && message === own?.message);
}

function OfClinic({ access }: { access: Schemas["ClinicAccess"] }) {
  const { clinic, steps, open, card_id } = access;
  const said = steps.filter((_, index) => !saidBefore(steps, index));
  const first = said.find(({ ok }) => !ok);
  return (
    <section className="panel">
      <h2>{clinic?.name ?? t("access.no_clinic")}</h2>
      {clinic && (
        <p className="quiet">
          {clinic.address} · <a href={`tel:${clinic.phone}`}>{phone(clinic.phone)}</a>
        </p>
      )}
      {open && card_id && (
        <Notice tone="good" title={t("access.all")}>
          <Link href={`/cards/${card_id}/summary`} className="button">
            {t("access.to_card")}
          </Link>
        </Notice>
      )}
      <ol className="plain lines steps">
        {said.map((each) => (
          <li key={each.step} className={each.ok ? "step step-ok" : "step step-missing"}>
            <p>
              <span className="step-mark">{each.ok ? t("access.ok") : t("access.missing")}</span>{" "}
              {each.message}
            </p>
            {!each.ok && each.remedy && (
              <Notice tone={each === first ? "warning" : "info"} title={t("access.remedy")}>
                <p>{each.remedy.text}</p>
                {each.remedy.contact?.phone && (
                  <a href={`tel:${each.remedy.contact.phone}`} className="button button-second">
                    {t("access.call", { phone: phone(each.remedy.contact.phone) })}
                  </a>
                )}
                {!clinic && (
                  <Link href="/find-clinic" className="button button-second">
                    {t("find.open")}
                  </Link>
                )}
                {each.step === "consent_given" && (
                  <Link href="/consent" className="button">
                    {t("consent.open")}
                  </Link>
                )}
              </Notice>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
