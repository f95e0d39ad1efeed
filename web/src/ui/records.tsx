/** The records of a card as panels of a list, and what stands inside of them. */

import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Schemas } from "../api/client";
import { counted, date, maybe, number, t } from "../texts";
import { RangeBar } from "./range-bar";

type Visit = Schemas["Visit"];
type Result = Schemas["Result"];
type Prescription = Schemas["Prescription"];
type Observation = Schemas["Observation"];

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  );
}

export function Hidden() {
  return <p className="flag">{t("hide.hidden")}</p>;
}

const day = (at?: string | null) => (at ? date(at) : t("record.undated"));
const doctorOf = (doctor?: Schemas["Doctor"] | null) =>
  doctor && [doctor.name, doctor.specialty].filter(Boolean).join(", ");

export function VisitPanel({ visit, card }: { visit: Visit; card: string }) {
  return (
    <article className="panel">
      <div className="row">
        <h3>
          <Link href={`/cards/${card}/visits/${visit.record_id}`}>
            {visit.title ?? visit.doctor?.specialty ?? t("visits.one")}
          </Link>
        </h3>
        <p className="quiet">{day(visit.date)}</p>
      </div>
      <VisitView visit={visit} card={card} />
    </article>
  );
}

export function VisitView({ visit, card }: { visit: Visit; card: string }) {
  return (
    <>
      <dl className="facts">
        {visit.doctor && <Fact name={t("record.doctor")}>{doctorOf(visit.doctor)}</Fact>}
        {visit.complaints && <Fact name={t("visits.complaints")}>{visit.complaints}</Fact>}
        {visit.diagnoses.length > 0 && (
          <Fact name={t("visits.diagnoses")}>
            <ul className="plain">
              {visit.diagnoses.map((each) => (
                <li key={`${each.code} ${each.text}`}>
                  {each.text || each.name}
                  {each.code && <span className="quiet"> ({each.code})</span>}
                </li>
              ))}
            </ul>
          </Fact>
        )}
        {visit.orders.length > 0 && (
          <Fact name={t("visits.orders")}>
            <ul className="plain">
              {visit.orders.map((each) => (
                <li key={`${each.kind} ${each.text}`}>
                  {each.record_id && each.kind !== "service" ? (
                    <Link href={`/cards/${card}/prescriptions/${each.record_id}`}>{each.text}</Link>
                  ) : (
                    each.text
                  )}
                </li>
              ))}
            </ul>
          </Fact>
        )}
        {visit.status !== "finished" && (
          <Fact name={t("record.status")}>
            {maybe(`status.visit.${visit.status}`, visit.status)}
          </Fact>
        )}
      </dl>
      {visit.hidden && <Hidden />}
    </>
  );
}

export function ResultPanel({ result, card }: { result: Result; card: string }) {
  const outside = result.observations.filter(outOfRange);
  const judged = result.observations.some((each) => each.interpretation);
  const shown = judged ? outside : result.observations;
  return (
    <article className="panel">
      <div className="row">
        <h3>
          <Link href={`/cards/${card}/results/${result.record_id}`}>{result.title}</Link>
        </h3>
        <p className="quiet">{day(result.date)}</p>
      </div>
      <p>
        <span className="quiet">{maybe(`kind.${result.kind}`, result.kind)}</span>
        {result.status !== "final" &&
          ` · ${maybe(`status.result.${result.status}`, result.status)}`}
      </p>
      {shown.length > 0 && (
        <ul className="plain values">
          {shown.slice(0, 3).map((each) => (
            <li
              key={`${each.code} ${each.name}`}
              className={outOfRange(each) ? flagClass(each) : ""}
            >
              {[`${each.name}: ${shownValue(each)}`, interpretationOf(each)]
                .filter(Boolean)
                .join(", ")}
            </li>
          ))}
          {shown.length > 3 && <li>{counted("results.more", shown.length - 3)}</li>}
        </ul>
      )}
      {judged && outside.length === 0 && (
        <p className="flag flag-good">{t("results.all_normal")}</p>
      )}
      {result.conclusion && <p className="clamped">{result.conclusion}</p>}
      {result.hidden && <Hidden />}
    </article>
  );
}

export function ResultView({ result, card }: { result: Result; card: string }) {
  return (
    <>
      <dl className="facts">
        <Fact name={t("record.kind")}>{maybe(`kind.${result.kind}`, result.kind)}</Fact>
        <Fact name={t("record.status")}>
          {maybe(`status.result.${result.status}`, result.status)}
        </Fact>
        {result.doctor && <Fact name={t("record.doctor")}>{doctorOf(result.doctor)}</Fact>}
        {result.conclusion && <Fact name={t("results.conclusion")}>{result.conclusion}</Fact>}
      </dl>
      {result.observations.length > 0 && (
        <ul className="plain lines">
          {result.observations.map((each) => (
            <li key={`${each.code} ${each.name}`} className="observation">
              <div>
                <p className="label">{each.name}</p>
                <p>
                  <span className="value">{shownValue(each)}</span>
                  {each.interpretation && (
                    <span className={flagClass(each)}>{interpretationOf(each)}</span>
                  )}
                </p>
              </div>
              <div>
                <RangeBar observation={each} />
                {rangeOf(each) && (
                  <p className="quiet">{t("results.range", { range: rangeOf(each) })}</p>
                )}
                {each.interpretation_derived && <p className="quiet">{t("results.derived")}</p>}
                {each.code && typeof each.value === "number" && (
                  <Link href={`/cards/${card}/trend/${encodeURIComponent(each.code)}`}>
                    {t("results.trend")}
                    <span className="only-read"> {each.name}</span>
                  </Link>
                )}
              </div>
            </li>
          ))}
        </ul>
      )}
      {result.hidden && <Hidden />}
    </>
  );
}

export function PrescriptionPanel({
  prescription,
  card,
}: {
  prescription: Prescription;
  card: string;
}) {
  return (
    <article className="panel">
      <div className="row">
        <h3>
          <Link href={`/cards/${card}/prescriptions/${prescription.record_id}`}>
            {prescription.text}
          </Link>
        </h3>
        <p className="quiet">{day(prescription.date)}</p>
      </div>
      <PrescriptionView prescription={prescription} />
    </article>
  );
}

export function PrescriptionView({ prescription }: { prescription: Prescription }) {
  const { kind, status } = prescription;
  return (
    <>
      <dl className="facts">
        {prescription.dosage && <Fact name={t("prescriptions.dosage")}>{prescription.dosage}</Fact>}
        <Fact name={t("record.kind")}>{maybe(`kind.${kind}`, kind)}</Fact>
        <Fact name={t("record.status")}>{maybe(`status.prescription.${status}`, status)}</Fact>
        {prescription.valid_until && (
          <Fact name={t("prescriptions.until")}>{date(prescription.valid_until)}</Fact>
        )}
        {prescription.doctor && (
          <Fact name={t("record.doctor")}>{doctorOf(prescription.doctor)}</Fact>
        )}
      </dl>
      {prescription.hidden && <Hidden />}
    </>
  );
}

const outOfRange = ({ interpretation }: Observation) =>
  Boolean(interpretation) && interpretation !== "normal";

const interpretationOf = ({ interpretation }: Observation) =>
  maybe(`interpretation.${interpretation}`, "");

function flagClass({ interpretation }: Observation): string {
  if (interpretation === "normal") return "flag flag-good";
  return interpretation?.startsWith("critical") ? "flag flag-bad" : "flag flag-warning";
}

function shownValue({ value, unit }: Observation): string {
  if (typeof value === "number") return unit ? `${number(value)} ${unit}` : number(value);
  if (typeof value === "boolean") return value ? t("value.yes") : t("value.no");
  return value ?? t("value.none");
}

function rangeOf({ reference_range: range }: Observation): string {
  return range ? edges(range) || (range.text ?? "") : "";
}

/** A norm in words: between two values, up to one, from one. */
export function edges({ low, high }: { low?: number | null; high?: number | null }): string {
  if (low != null && high != null) return `${number(low)}–${number(high)}`;
  if (high != null) return t("range.to", { high: number(high) });
  if (low != null) return t("range.from", { low: number(low) });
  return "";
}
