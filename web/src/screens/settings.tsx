import { Link } from "wouter";
import { api } from "../api/client";
import { date, maybe, t } from "../texts";
import { Page } from "../ui/page";
import { Fact } from "../ui/records";
import { Loaded, Notice } from "../ui/states";

const PARTS = ["consents", "devices", "factors", "password", "hidden"] as const;

/** Who the account belongs to, and the way to what can be set. */
export default function Settings() {
  const account = api.useQuery("get", "/v1/auth/account");
  return (
    <Page title={t("nav.settings")}>
      <Loaded query={account}>
        {(own) => (
          <>
            {own.level !== "verified" && (
              <Notice tone="warning" title={t("settings.unverified")}>
                <p>{t("settings.unverified.how")}</p>
                <Link href="/access">{t("access.open")}</Link>
              </Notice>
            )}
            {own.password_change_advised && (
              <Notice title={t("settings.password_old")}>
                <Link href="/settings/password">{t("settings.password")}</Link>
              </Notice>
            )}
            <section className="panel">
              <h2>{[own.last_name, own.first_name, own.middle_name].filter(Boolean).join(" ")}</h2>
              <dl className="facts">
                <Fact name={t("person.birth_date")}>{date(own.birth_date)}</Fact>
                {own.phone && <Fact name={t("person.phone")}>{own.phone}</Fact>}
                {own.snils && <Fact name={t("person.snils")}>{own.snils}</Fact>}
                <Fact name={t("settings.level")}>{maybe(`level.${own.level}`, own.level)}</Fact>
              </dl>
            </section>
          </>
        )}
      </Loaded>
      <div className="panels">
        {PARTS.map((each) => (
          <Link key={each} href={`/settings/${each}`} className="panel">
            <span className="panel-title">{t(`settings.${each}`)}</span>
            <span>{t(`settings.${each}.lead`)}</span>
          </Link>
        ))}
      </div>
    </Page>
  );
}
