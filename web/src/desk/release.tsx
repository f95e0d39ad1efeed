import { useState } from "react";
import { api, cache, client } from "../api/client";
import { t } from "../texts";
import { AskForm } from "../ui/form";
import { Page } from "../ui/page";
import { Loaded } from "../ui/states";
import { Done, Select } from "./parts";
import { d } from "./texts";

const DAYS = Array.from({ length: 15 }, (_, days) => String(days));

/** For how many days the clinic holds results back until a doctor has seen them. */
export default function Release() {
  const [saved, setSaved] = useState(false);
  const rules = api.useQuery("get", "/v1/clinic/release-rules");
  const options = DAYS.map((days): [string, string] => [
    days,
    days === "0" ? d("release.at_once") : d("release.days", { days }),
  ]);
  return (
    <Page title={d("release.title")} narrow>
      <p>{d("release.lead")}</p>
      <Loaded query={rules}>
        {(now) => (
          <section className="panel">
            <AskForm
              submit={d("save")}
              act={async ({ laboratory, diagnostic }) => {
                setSaved(false);
                await client.PUT("/v1/clinic/release-rules", {
                  body: { laboratory: Number(laboratory), diagnostic: Number(diagnostic) },
                });
                await cache.invalidateQueries();
                setSaved(true);
              }}
            >
              <Select
                name="laboratory"
                label={t("kind.laboratory")}
                options={options}
                chosen={String(now.laboratory)}
              />
              <Select
                name="diagnostic"
                label={t("kind.diagnostic")}
                options={options}
                chosen={String(now.diagnostic)}
              />
            </AskForm>
            {saved && <Done title={d("saved")} />}
          </section>
        )}
      </Loaded>
    </Page>
  );
}
