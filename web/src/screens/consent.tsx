import { useState } from "react";
import { Link, useLocation } from "wouter";
import { api, cache, client } from "../api/client";
import { t } from "../texts";
import { AskForm } from "../ui/form";
import { Page } from "../ui/page";
import { Prose } from "../ui/prose";
import { Loaded } from "../ui/states";

const EVERY = "";

/** The consent: what it covers, the document to read, for which clinics, and the button. */
export default function Consent() {
  const document = api.useQuery("get", "/v1/consents/documents/current");
  const access = api.useQuery("get", "/v1/access");
  const [clinic, choose] = useState(EVERY);
  const [, go] = useLocation();
  const clinics = access.data?.clinics.flatMap((each) => (each.clinic ? [each.clinic] : [])) ?? [];
  return (
    <Page title={t("consent.title")} back={{ href: "/", text: t("catalogue.title") }}>
      <p className="lead">{t("consent.lead")}</p>
      <ul>
        <li>{t("consent.covers.see")}</li>
        <li>{t("consent.covers.doctors")}</li>
        <li>{t("consent.covers.withdraw")}</li>
        <li>{t("consent.covers.free")}</li>
      </ul>
      <Loaded query={document}>
        {(read) => (
          <>
            <div className="panel">
              <h2>{read.title}</h2>
              <section
                className="document"
                // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable
                tabIndex={0}
                aria-label={read.title}
              >
                <Prose text={read.text} />
              </section>
            </div>
            <div className="panel">
              <AskForm
                submit={t("consent.give")}
                second={<Link href="/">{t("consent.later")}</Link>}
                act={async () => {
                  await client.POST("/v1/consents", {
                    body: {
                      document_version: read.version,
                      document_sha256: read.sha256,
                      clinic_id: clinic || undefined,
                    },
                  });
                  await cache.invalidateQueries();
                  go("/clinics");
                }}
              >
                {clinics.length > 1 && (
                  <fieldset>
                    <legend>{t("consent.whom")}</legend>
                    {[{ clinic_id: EVERY, name: t("consent.every") }, ...clinics].map((each) => (
                      <label key={each.clinic_id} className="choice">
                        <input
                          type="radio"
                          name="clinic"
                          checked={clinic === each.clinic_id}
                          onChange={() => choose(each.clinic_id)}
                        />
                        {each.name}
                      </label>
                    ))}
                  </fieldset>
                )}
                {clinics.length === 1 && (
                  <p>{t("consent.one", { clinic: clinics[0]?.name ?? "" })}</p>
                )}
              </AskForm>
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}
