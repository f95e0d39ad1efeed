import { useState } from "react";
import { api, client, type Schemas } from "../api/client";
import { date, maybe, moment } from "../texts";
import { Field } from "../ui/form";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Fact } from "../ui/records";
import { Empty } from "../ui/states";
import { FormDialog, fullName, Select } from "./parts";
import { d } from "./texts";
import { Words } from "./words";

const STATES = ["open", "answered"] as const;
type State = (typeof STATES)[number];

/** The accesses that patients of this clinic contest. */
export default function Cases() {
  const [status, setStatus] = useState<State>("open");
  const cases = api.useInfiniteQuery(
    "get",
    "/v1/clinic/cases",
    { params: { query: { status } } },
    byCursor,
  );
  return (
    <Page title={d("cases.title")}>
      <p>{d("cases.lead")}</p>
      <Select
        name="status"
        label={d("cases.show")}
        options={STATES.map((each) => [each, d(`cases.${each}`)])}
        chosen={status}
        change={(value) => setStatus(value as State)}
      />
      <Pages query={cases} empty={<Empty title={d(`cases.none.${status}`)} />}>
        {(items) => items.map((each) => <Case key={each.case_id} contested={each} />)}
      </Pages>
    </Page>
  );
}

function Case({ contested }: { contested: Schemas["ContestedCase"] }) {
  const { entry, patient } = contested;
  return (
    <article className="panel">
      <div className="row">
        <h2>{patient ? fullName(patient) : d("cases.no_patient")}</h2>
        <p className="quiet">{d("cases.opened", { at: moment(contested.opened_at) })}</p>
      </div>
      {contested.status === "open" && (
        <p className={contested.overdue ? "flag flag-bad" : "flag flag-warning"}>
          {d(contested.overdue ? "cases.overdue" : "cases.due", { date: date(contested.due_at) })}
        </p>
      )}
      <dl className="facts">
        <Fact name={d("cases.text")}>{contested.text ?? d("cases.erased")}</Fact>
        <Fact name={d("cases.who")}>
          {[entry.actor.name, maybe(`role.${entry.actor.role}`, "")].filter(Boolean).join(", ")}
        </Fact>
        <Fact name={d("cases.what")}>
          {[
            maybe(`journal.action.${entry.action}`, d("cases.action")),
            entry.section && maybe(`journal.section.${entry.section}`, ""),
            entry.purpose && maybe(`journal.purpose.${entry.purpose}`, ""),
          ]
            .filter(Boolean)
            .join(" · ")}
          {entry.emergency && <span className="flag flag-bad">{d("cases.emergency")}</span>}
        </Fact>
        <Fact name={d("cases.when")}>{moment(entry.at)}</Fact>
        {contested.answer && (
          <Fact name={d("cases.answer")}>
            {contested.answer}
            {contested.answered_at && (
              <span className="quiet"> ({moment(contested.answered_at)})</span>
            )}
          </Fact>
        )}
      </dl>
      {contested.status === "open" && (
        <div className="actions">
          <Words of="answer">
            <FormDialog
              open={d("cases.reply")}
              kind="button"
              title={d("cases.reply")}
              submit={d("send")}
              act={({ text = "" }) =>
                client.POST("/v1/clinic/cases/{case_id}/answer", {
                  params: { path: { case_id: contested.case_id } },
                  body: { text },
                })
              }
            >
              <p>{d("cases.reply.hint")}</p>
              <Field name="text" label={d("cases.answer")} rows={6} maxLength={2000} isRequired />
            </FormDialog>
          </Words>
        </div>
      )}
    </article>
  );
}
