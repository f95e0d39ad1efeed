import { useState } from "react";
import { api, type Schemas } from "../api/client";
import { phone, t } from "../texts";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Empty } from "../ui/states";

/** The clinics of a region: which are connected, where they are, and their phones. */
export default function FindClinic() {
  const [region, choose] = useState("");
  const regions = api.useQuery("get", "/v1/regions", { params: { query: { limit: 100 } } });
  const clinics = api.useInfiniteQuery(
    "get",
    "/v1/clinics",
    { params: { query: { region: region || undefined } } },
    byCursor,
  );
  const opens = (clinic: Schemas["Clinic"]) =>
    clinic.connected && regions.data?.items.find(({ code }) => code === clinic.region)?.connected;
  return (
    <Page title={t("find.title")} back={{ href: "/access", text: t("access.open") }}>
      <p className="lead">{t("find.lead")}</p>
      <div className="field">
        <label htmlFor="region">{t("find.region")}</label>
        <select id="region" value={region} onChange={(event) => choose(event.target.value)}>
          <option value="">{t("find.every")}</option>
          {regions.data?.items.map((each) => (
            <option key={each.code} value={each.code}>
              {each.connected ? each.name : t("find.region.not", { region: each.name })}
            </option>
          ))}
        </select>
      </div>
      <Pages query={clinics} empty={<Empty title={t("find.none")} />}>
        {(items) =>
          items.map((each) => (
            <article key={each.clinic_id} className="panel">
              <div className="row">
                <h2>{each.name}</h2>
                <p className={opens(each) ? "flag flag-good" : "flag flag-warning"}>
                  {opens(each) ? t("find.connected") : t("find.not_connected")}
                </p>
              </div>
              <p>{each.address}</p>
              <a href={`tel:${each.phone}`}>{t("access.call", { phone: phone(each.phone) })}</a>
            </article>
          ))
        }
      </Pages>
    </Page>
  );
}
