import type { Schemas } from "../api/client";
import { date, maybe, t } from "../texts";
import { Fact, Hidden } from "./records";

/** The basics: who, blood group, allergies, chronic conditions. */
export function SummaryView({ summary }: { summary: Schemas["Summary"] }) {
  const { patient, blood_group, allergies, chronic_conditions } = summary;
  const name = [patient.last_name, patient.first_name, patient.middle_name].filter(Boolean);
  return (
    <>
      <section className="panel">
        <h2>{name.join(" ")}</h2>
        <dl className="facts">
          <Fact name={t("person.birth_date")}>{date(patient.birth_date)}</Fact>
          <Fact name={t("person.sex")}>{maybe(`sex.${patient.sex}`, patient.sex)}</Fact>
          <Fact name={t("person.snils")}>{patient.snils}</Fact>
          <Fact name={t("summary.blood_group")}>{blood_group?.label ?? t("summary.unknown")}</Fact>
        </dl>
      </section>
      <section className="panel">
        <h2>{t("summary.allergies")}</h2>
        {allergies.length === 0 ? (
          <p>{summary.no_known_allergies ? t("summary.allergies.none") : t("summary.nothing")}</p>
        ) : (
          <ul className="plain lines">
            {allergies.map((each) => (
              <li key={each.record_id}>
                <p className="label">{each.text}</p>
                {each.reactions && each.reactions.length > 0 && <p>{each.reactions.join(", ")}</p>}
                {each.criticality && (
                  <p className={each.criticality === "high" ? "flag flag-bad" : ""}>
                    {maybe(`criticality.${each.criticality}`, "")}
                  </p>
                )}
                {each.hidden && <Hidden />}
              </li>
            ))}
          </ul>
        )}
      </section>
      <section className="panel">
        <h2>{t("summary.conditions")}</h2>
        {chronic_conditions.length === 0 ? (
          <p>{t("summary.nothing")}</p>
        ) : (
          <ul className="plain lines">
            {chronic_conditions.map((each) => (
              <li key={each.record_id}>
                <p className="label">{each.text}</p>
                <p className="quiet">
                  {[
                    maybe(`status.condition.${each.status}`, ""),
                    each.since && t("summary.since", { date: date(each.since) }),
                    each.code && t("record.code", { code: each.code }),
                  ]
                    .filter(Boolean)
                    .join(" · ")}
                </p>
                {each.hidden && <Hidden />}
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}
