import { useState } from "react";
import { useLocation, useParams, useSearchParams } from "wouter";
import { cache, client } from "../api/client";
import { language } from "../language";
import { type TextKey, t } from "../texts";
import { AskForm, Field, writtenDay } from "../ui/form";
import { Page } from "../ui/page";

const KINDS = ["results", "visit", "prescriptions", "summary"] as const;
type Kind = (typeof KINDS)[number];

/** Which part of the card, for which months, in which language; one record where one is named. */
export default function OrderExtract() {
  const { card = "" } = useParams();
  const [query] = useSearchParams();
  const [, go] = useLocation();
  const record = query.get("record");
  const section = query.get("kind") ?? "results";
  const asked = section === "visits" ? "visit" : (section as Kind);
  const [kind, setKind] = useState<Kind>(KINDS.includes(asked) ? asked : "results");
  const [spoken, setSpoken] = useState(language);
  const today = new Date();
  const yearAgo = new Date(today);
  yearAgo.setFullYear(today.getFullYear() - 1);
  yearAgo.setDate(yearAgo.getDate() + 1);
  const order = async ({ from, to }: Record<string, string>) => {
    const what =
      kind === "summary" ? {} : record ? { record_ids: [record] } : { from: from, to: to };
    await client.POST("/v1/cards/{card_id}/extracts", {
      params: { path: { card_id: card } },
      body: { kind, language: spoken, ...what },
    });
    await cache.invalidateQueries({ queryKey: ["get", "/v1/extracts"] });
    go("/extracts");
  };
  return (
    <Page
      title={t("extract.order")}
      back={{ href: `/cards/${card}/${section}`, text: t("extract.to_card") }}
      narrow
    >
      <p>{t("extract.lead")}</p>
      <div className="panel">
        <AskForm submit={t("extract.submit")} act={order}>
          {record ? (
            <p className="label">{t("extract.one_record")}</p>
          ) : (
            <Choices
              legend={t("extract.kind")}
              name="kind"
              of={KINDS}
              texts={KINDS.map((each) => t(`extract.kind.${each}` as TextKey))}
              chosen={kind}
              choose={setKind}
            />
          )}
          {!record && kind !== "summary" && (
            <>
              <Field
                name="from"
                day
                label={t("extract.from")}
                hint={t("extract.period.hint")}
                defaultValue={writtenDay(yearAgo.toISOString().slice(0, 10))}
                isRequired
              />
              <Field
                name="to"
                day
                label={t("extract.to")}
                defaultValue={writtenDay(today.toISOString().slice(0, 10))}
                isRequired
              />
            </>
          )}
          <Choices
            legend={t("extract.language")}
            name="language"
            of={["ru", "en"] as const}
            texts={["Русский", "English"]}
            chosen={spoken}
            choose={setSpoken}
          />
        </AskForm>
      </div>
    </Page>
  );
}

function Choices<Of extends string>({
  legend,
  name,
  of,
  texts,
  chosen,
  choose,
}: {
  legend: string;
  name: string;
  of: readonly Of[];
  texts: string[];
  chosen: Of;
  choose: (one: Of) => void;
}) {
  return (
    <fieldset>
      <legend>{legend}</legend>
      {of.map((each, index) => (
        <label key={each} className="choice">
          <input type="radio" name={name} checked={chosen === each} onChange={() => choose(each)} />
          {texts[index]}
        </label>
      ))}
    </fieldset>
  );
}
