import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "react-aria-components";
import { cache, client, type Schemas } from "../api/client";
import { t } from "../texts";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { Empty, Loaded } from "../ui/states";
import { Choice, SnilsField } from "./parts";
import { Person } from "./person";
import { d } from "./texts";
import { Words } from "./words";

/** The registry: find a person by their СНИЛС, or enter one who is not there. */
export default function People() {
  const [snils, setSnils] = useState<string>();
  // In memory only: what is searched for stands in no address and in no storage.
  const found = useQuery({
    queryKey: ["desk", "person", snils],
    queryFn: () => find(snils ?? ""),
    enabled: snils !== undefined,
    gcTime: 0,
  });
  return (
    <Page title={d("people.title")}>
      <section className="panel">
        <AskForm
          submit={d("find")}
          act={async ({ snils: asked = "" }) => {
            await cache.fetchQuery({
              queryKey: ["desk", "person", asked],
              queryFn: () => find(asked),
              staleTime: 0,
            });
            setSnils(asked);
          }}
        >
          <SnilsField />
        </AskForm>
      </section>
      {snils !== undefined && (
        <Loaded query={found}>
          {(person) =>
            person ? (
              <Person key={person.patient_id} person={person} snils={snils} />
            ) : (
              <Unknown key={snils} snils={snils} />
            )
          }
        </Loaded>
      )}
    </Page>
  );
}

export async function find(snils: string): Promise<Schemas["PatientFound"] | null> {
  const { data } = await client.POST("/v1/clinic/patients/search", { body: { snils } });
  return data?.items[0] ?? null;
}

const SEXES = ["female", "male", "other", "unknown"] as const;

function Unknown({ snils }: { snils: string }) {
  const [entering, setEntering] = useState(false);
  if (!entering) {
    return (
      <Empty title={d("people.unknown")}>
        <p>{d("people.unknown.hint")}</p>
        <Button className="button" onPress={() => setEntering(true)}>
          {d("people.enter")}
        </Button>
      </Empty>
    );
  }
  return (
    <section className="panel">
      <h2>{d("people.enter")}</h2>
      <Words of="enter">
        <AskForm
          submit={d("people.enter")}
          act={async (given) => {
            await client.POST("/v1/clinic/patients", {
              body: {
                snils,
                last_name: given.last_name ?? "",
                first_name: given.first_name ?? "",
                middle_name: given.middle_name || null,
                birth_date: given.birth_date ?? "",
                sex: given.sex as (typeof SEXES)[number],
                policy_number: given.policy_number || null,
              },
            });
            await cache.invalidateQueries();
          }}
        >
          <p>{d("people.enter.hint", { snils })}</p>
          <Field name="last_name" label={t("person.last_name")} autoComplete="off" isRequired />
          <Field name="first_name" label={t("person.first_name")} autoComplete="off" isRequired />
          <Field
            name="middle_name"
            label={t("field.optional", { label: t("person.middle_name") })}
            autoComplete="off"
          />
          <Field name="birth_date" day label={t("person.birth_date")} isRequired />
          <Choice
            name="sex"
            label={t("person.sex")}
            options={SEXES.map((each) => [each, t(`sex.${each}`)])}
          />
          <Field
            name="policy_number"
            label={t("field.optional", { label: d("people.policy") })}
            hint={d("people.policy.hint")}
            inputMode="numeric"
            autoComplete="off"
          />
        </AskForm>
      </Words>
    </section>
  );
}
