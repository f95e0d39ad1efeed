import { useMutation } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";
import { api, cache, client, type Schemas } from "../api/client";
import { date, moment, t } from "../texts";
import { Act } from "../ui/act";
import { Dialog } from "../ui/dialog";
import { AskForm, Field, writtenDay } from "../ui/form";
import { Fact } from "../ui/records";
import { Loaded, Notice, ProblemNotice } from "../ui/states";
import { Check, ConsentState, Done, FormDialog, fullName, SnilsField, today } from "./parts";
import { find } from "./people";
import { d } from "./texts";
import { Words } from "./words";

type Found = Schemas["PatientFound"];

/** A person of the registry: how far they are on the way to their card, and what can be done. */
export function Person({ person, snils }: { person: Found; snils: string }) {
  const account = api.useQuery("get", "/v1/auth/account");
  const mine = account.data?.appointments.find(({ role }) => role === "registrar")?.clinic_id;
  const here = Boolean(mine) && person.attached_to?.clinic_id === mine;
  const params = { path: { patient_id: person.patient_id } };
  return (
    <section className="panel" aria-label={fullName(person)}>
      <h2>{fullName(person)}</h2>
      <dl className="facts">
        <Fact name={t("person.birth_date")}>{date(person.birth_date)}</Fact>
        <Fact name={t("person.sex")}>{t(`sex.${person.sex}`)}</Fact>
        <Fact name={t("person.snils")}>{person.snils}</Fact>
      </dl>
      {person.died_on ? (
        <Notice tone="warning" title={d("person.died", { date: date(person.died_on) })}>
          <p>{d("person.died.hint")}</p>
          <Words of="death">
            <Act
              text={d("death.take_back")}
              act={() =>
                client.POST("/v1/clinic/patients/{patient_id}/death", {
                  params,
                  body: { date: null },
                })
              }
              ask={{ title: d("death.take_back.ask"), body: <p>{d("death.take_back.hint")}</p> }}
            />
          </Words>
        </Notice>
      ) : (
        <Loaded query={account}>
          {() => (
            <>
              <ol className="plain lines desk-steps">
                <Step
                  ok={here}
                  title={d("step.attached")}
                  said={
                    person.attached_to
                      ? here
                        ? d("step.attached.here")
                        : d("step.attached.elsewhere", { clinic: person.attached_to.name })
                      : d("step.attached.nowhere")
                  }
                >
                  {!here && <Attach person={person} />}
                </Step>
                <Step
                  ok={Boolean(person.card_id)}
                  title={d("step.card")}
                  said={person.card_id ? d("step.card.active") : d("step.card.none")}
                >
                  {!person.card_id && here && (
                    <Words of="activate">
                      <Act
                        text={d("card.activate")}
                        act={() => client.POST("/v1/clinic/patients/{patient_id}/card", { params })}
                      />
                    </Words>
                  )}
                </Step>
                <Step
                  ok={person.account_bound}
                  title={d("step.account")}
                  said={person.account_bound ? d("step.account.bound") : d("step.account.none")}
                >
                  {!person.account_bound && <VerifyAccount person={person} snils={snils} />}
                </Step>
                <Step
                  ok={person.consent === "given"}
                  title={d("step.consent")}
                  said={
                    person.consent_withdrawn_at
                      ? d("step.consent.withdrawn", { at: moment(person.consent_withdrawn_at) })
                      : undefined
                  }
                  state={<ConsentState consent={person.consent} />}
                >
                  {person.consent !== "given" && (here || person.card_id) && (
                    <PaperConsent person={person} />
                  )}
                </Step>
              </ol>
              <details>
                <summary>{d("person.more")}</summary>
                <div className="actions">
                  {here && (
                    <Words of="detach">
                      <Act
                        text={d("detach")}
                        act={() =>
                          client.DELETE("/v1/clinic/patients/{patient_id}/attachment", { params })
                        }
                        ask={{ title: d("detach.ask"), body: <p>{d("detach.hint")}</p> }}
                      />
                    </Words>
                  )}
                  <Merge person={person} />
                  <Words of="death">
                    <FormDialog
                      open={d("death.note")}
                      title={d("death.note")}
                      submit={d("death.note")}
                      act={({ date: day = "" }) =>
                        client.POST("/v1/clinic/patients/{patient_id}/death", {
                          params,
                          body: { date: day },
                        })
                      }
                    >
                      <p>{d("death.hint", { name: fullName(person) })}</p>
                      <Field name="date" day label={d("death.date")} isRequired />
                    </FormDialog>
                  </Words>
                </div>
              </details>
            </>
          )}
        </Loaded>
      )}
    </section>
  );
}

function Step({
  ok,
  title,
  said,
  state,
  children,
}: {
  ok: boolean;
  title: string;
  said?: string;
  state?: ReactNode;
  children?: ReactNode;
}) {
  return (
    <li className="desk-step">
      <p className="label">
        {title}{" "}
        {state ?? (
          <span className={ok ? "flag flag-good" : "flag flag-warning"}>
            {ok ? d("step.done") : d("step.not_yet")}
          </span>
        )}
      </p>
      {said && <p>{said}</p>}
      {children && <div className="actions">{children}</div>}
    </li>
  );
}

/** At once, or by a code that goes to somebody who is attached elsewhere. */
function Attach({ person }: { person: Found }) {
  const [asked, setAsked] = useState(false);
  const put = async (code: string | null) => {
    const { response } = await client.PUT("/v1/clinic/patients/{patient_id}/attachment", {
      params: { path: { patient_id: person.patient_id } },
      body: { code },
    });
    if (response.status === 202) setAsked(true);
    else {
      setAsked(false);
      await cache.invalidateQueries();
    }
  };
  const attach = useMutation({ mutationFn: () => put(null) });
  return (
    <Words of="attach">
      <Button
        className="button"
        data-busy={attach.isPending || undefined}
        onPress={() => attach.isPending || attach.mutate()}
      >
        {attach.isPending ? t("state.sending") : d("attach")}
      </Button>
      {attach.error && <ProblemNotice error={attach.error} again={() => attach.mutate()} />}
      {asked && (
        <Dialog title={d("attach.confirm")} close={() => setAsked(false)}>
          <AskForm submit={d("attach")} act={({ code = "" }) => put(code.trim())}>
            <p>{d("attach.code_sent")}</p>
            <Code />
          </AskForm>
        </Dialog>
      )}
    </Words>
  );
}

function Code() {
  return (
    <Field
      name="code"
      label={d("code")}
      inputMode="numeric"
      autoComplete="off"
      maxLength={10}
      isRequired
      autoFocus
    />
  );
}

/** The person stands here with passport and phone: a code to the phone, then the code. */
function VerifyAccount({ person, snils }: { person: Found; snils: string }) {
  const [open, setOpen] = useState(false);
  const [phone, setPhone] = useState<string>();
  const close = () => {
    setOpen(false);
    setPhone(undefined);
  };
  return (
    <Words of="verify">
      <Button className="button button-second" onPress={() => setOpen(true)}>
        {d("verify.open")}
      </Button>
      {open && (
        <Dialog title={d("verify.title")} close={close}>
          {phone === undefined ? (
            <AskForm
              key="start"
              submit={d("verify.send")}
              act={async ({ phone: given = "" }) => {
                await client.POST("/v1/clinic/accounts/verify/start", { body: { phone: given } });
                setPhone(given);
              }}
            >
              <p>{d("verify.hint")}</p>
              <Field
                name="phone"
                type="tel"
                label={t("person.phone")}
                autoComplete="off"
                isRequired
                autoFocus
              />
            </AskForm>
          ) : (
            <>
              <AskForm
                key="confirm"
                submit={d("verify.confirm")}
                act={async ({ code = "" }) => {
                  await client.POST("/v1/clinic/accounts/verify", {
                    body: {
                      phone,
                      code: code.trim(),
                      snils, // the answer's own is masked
                      document_checked: true,
                    },
                  });
                  close();
                  await cache.invalidateQueries();
                }}
              >
                <p>{d("verify.sent", { phone })}</p>
                <Code />
                <Check name="document_checked" required>
                  {d("verify.checked", {
                    name: fullName(person),
                    birth_date: date(person.birth_date),
                  })}
                </Check>
              </AskForm>
              <Button className="link" onPress={() => setPhone(undefined)}>
                {d("verify.again")}
              </Button>
            </>
          )}
        </Dialog>
      )}
    </Words>
  );
}

function PaperConsent({ person }: { person: Found }) {
  const document = api.useQuery("get", "/v1/consents/documents/current");
  return (
    <Words of="paper">
      <FormDialog
        open={d("paper.open")}
        title={d("paper.title")}
        submit={d("paper.submit")}
        act={({ signed_on = "" }) => {
          if (!document.data) throw document.error ?? new Error("no document");
          return client.POST("/v1/clinic/patients/{patient_id}/consents", {
            params: { path: { patient_id: person.patient_id } },
            body: {
              document_version: document.data.version,
              document_sha256: document.data.sha256,
              signed_on,
            },
          });
        }}
      >
        <Loaded query={document}>
          {(read) => (
            <>
              <p>{d("paper.hint")}</p>
              <dl className="facts">
                <Fact name={d("paper.document")}>{read.title}</Fact>
                <Fact name={d("paper.version")}>{read.version}</Fact>
              </dl>
              <Field
                name="signed_on"
                day
                label={d("paper.signed_on")}
                defaultValue={writtenDay(today())}
                isRequired
              />
              <Check name="seen" required>
                {d("paper.seen")}
              </Check>
            </>
          )}
        </Loaded>
      </FormDialog>
    </Words>
  );
}

/** Somebody entered twice: the other entry is found first, looked at, and then joined to this. */
function Merge({ person }: { person: Found }) {
  const [open, setOpen] = useState(false);
  const [other, setOther] = useState<Found | null>();
  const [merged, setMerged] = useState(false);
  const close = () => {
    setOpen(false);
    setOther(undefined);
  };
  return (
    <Words of="merge">
      <Button className="button button-second" onPress={() => setOpen(true)}>
        {d("merge.open")}
      </Button>
      {merged && <Done title={d("merge.done")} />}
      {open && (
        <Dialog title={d("merge.open")} close={close}>
          {other ? (
            <AskForm
              key="merge"
              submit={d("merge.submit")}
              act={async () => {
                await client.POST("/v1/clinic/patients/{patient_id}/merge", {
                  params: { path: { patient_id: person.patient_id } },
                  body: { duplicate_patient_id: other.patient_id },
                });
                close();
                setMerged(true);
                await cache.invalidateQueries();
              }}
              second={
                <Button className="button button-second" onPress={() => setOther(undefined)}>
                  {d("back")}
                </Button>
              }
            >
              <p>{d("merge.look")}</p>
              <dl className="facts">
                <Fact name={d("merge.stays")}>
                  {fullName(person)}, {date(person.birth_date)}, {person.snils}
                </Fact>
                <Fact name={d("merge.goes")}>
                  {fullName(other)}, {date(other.birth_date)}, {other.snils}
                </Fact>
              </dl>
              <p>{d("merge.final")}</p>
            </AskForm>
          ) : (
            <AskForm
              key="find"
              submit={d("find")}
              act={async ({ snils = "" }) => setOther(await find(snils))}
            >
              <p>{d("merge.hint", { name: fullName(person) })}</p>
              <SnilsField label={d("merge.snils")} autoFocus />
              {other === null && <Notice tone="warning" title={d("people.unknown")} />}
            </AskForm>
          )}
        </Dialog>
      )}
    </Words>
  );
}
