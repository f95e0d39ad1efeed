import { useState } from "react";
import { Link } from "wouter";
import { api, client, type Schemas } from "../api/client";
import { moment, t } from "../texts";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { Notice } from "../ui/states";
import { Done, SnilsField } from "./parts";
import { noteEmergency } from "./purpose";
import { d } from "./texts";
import { Words } from "./words";

/** Opens the cards of somebody who cannot be asked: for 60 minutes, told to them at once. */
export default function Emergency() {
  const [opened, setOpened] = useState<Schemas["OpenedInEmergency"]>();
  const clinics = api.useQuery("get", "/v1/clinics", { params: { query: { limit: 100 } } });
  if (opened) {
    return (
      <Page title={d("emergency.opened")} narrow>
        <Done title={d("emergency.until", { at: moment(opened.until) })}>
          <p>{d("emergency.told")}</p>
        </Done>
        <div className="panel">
          {opened.cards.map(({ card_id, clinic_id }) => {
            const clinic = clinics.data?.items.find((each) => each.clinic_id === clinic_id);
            return (
              <Link key={card_id} href={`/cards/${card_id}/summary`} className="button">
                {clinic ? d("emergency.open_card", { clinic: clinic.name }) : d("cards.open")}
              </Link>
            );
          })}
        </div>
      </Page>
    );
  }
  return (
    <Page title={d("emergency.title")} narrow>
      <Notice tone="warning" title={d("emergency.when")}>
        <p>{d("emergency.what")}</p>
        <p>{d("emergency.told")}</p>
      </Notice>
      <section className="panel">
        <Words of="emergency">
          <AskForm
            submit={d("emergency.submit")}
            act={async ({ snils = "", birth_date = "", reason = "" }) => {
              const { data } = await client.POST("/v1/clinic/cards/emergency", {
                body: { snils, birth_date, reason },
              });
              if (!data) return;
              noteEmergency(data);
              setOpened(data);
            }}
          >
            <SnilsField />
            <Field name="birth_date" day label={t("person.birth_date")} isRequired />
            <Field
              name="reason"
              label={d("emergency.reason")}
              hint={d("emergency.reason.hint")}
              rows={4}
              maxLength={1000}
              isRequired
            />
          </AskForm>
        </Words>
      </section>
    </Page>
  );
}
