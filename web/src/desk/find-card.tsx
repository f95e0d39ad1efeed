import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "wouter";
import { cache, client } from "../api/client";
import { date, moment, t } from "../texts";
import { AskForm } from "../ui/form";
import { Page } from "../ui/page";
import { Empty, Loaded } from "../ui/states";
import { Choice, ConsentState, fullName, SnilsField } from "./parts";
import { PURPOSES, type Purpose, setPurpose, usePurpose } from "./purpose";
import { d } from "./texts";

/** The cards of a patient of my clinic, by their СНИЛС, and why I open one. */
export default function FindCard() {
  const [snils, setSnils] = useState<string>();
  const purpose = usePurpose();
  const found = useQuery({
    queryKey: ["desk", "cards", snils],
    queryFn: () => find(snils ?? ""),
    enabled: snils !== undefined,
    gcTime: 0,
  });
  return (
    <Page title={d("cards.title")}>
      <section className="panel">
        <AskForm
          submit={d("find")}
          act={async ({ snils: asked = "", purpose: why }) => {
            await cache.fetchQuery({
              queryKey: ["desk", "cards", asked],
              queryFn: () => find(asked),
              staleTime: 0,
            });
            setPurpose(why as Purpose);
            setSnils(asked);
          }}
        >
          <SnilsField />
          <Choice
            name="purpose"
            label={d("purpose")}
            options={PURPOSES.map((each) => [each, t(`journal.purpose.${each}`)])}
            chosen={purpose}
          />
          <p className="quiet">{d("purpose.hint")}</p>
        </AskForm>
      </section>
      {snils !== undefined && (
        <Loaded query={found}>
          {(cards) =>
            cards.length === 0 ? (
              <Empty title={d("cards.none")}>
                <p>{d("cards.none.hint")}</p>
                <Link href="/emergency">{d("emergency.title")}</Link>
              </Empty>
            ) : (
              <div className="stack">
                {cards.map((each) => (
                  <article key={each.card_id} className="panel">
                    <h2>{fullName(each.patient)}</h2>
                    <p>
                      {t("person.birth_date")}: {date(each.patient.birth_date)}
                    </p>
                    {each.clinic && <p>{each.clinic.name}</p>}
                    <p>
                      {d("step.consent")}: <ConsentState consent={each.consent} />
                    </p>
                    {each.consent_withdrawn_at && (
                      <p>
                        {d("step.consent.withdrawn", { at: moment(each.consent_withdrawn_at) })}
                      </p>
                    )}
                    {each.consent !== "given" && <p>{d("cards.no_consent")}</p>}
                    <div className="actions">
                      <Link href={`/cards/${each.card_id}/summary`} className="button">
                        {d("cards.open")}
                      </Link>
                      <Link href={`/cards/${each.card_id}/send`}>{d("send.title")}</Link>
                    </div>
                  </article>
                ))}
              </div>
            )
          }
        </Loaded>
      )}
    </Page>
  );
}

async function find(snils: string) {
  const { data } = await client.POST("/v1/clinic/cards/search", { body: { snils } });
  return data?.items ?? [];
}
