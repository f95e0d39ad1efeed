import { useState } from "react";
import { useLocation } from "wouter";
import { api, cache, client } from "../api/client";
import { maybe, moment, t } from "../texts";
import { Act } from "../ui/act";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { useSession } from "../ui/session";
import { Empty, Loaded } from "../ui/states";
import { Done, Select } from "./parts";
import { d } from "./texts";
import { Words } from "./words";

/** Who works here: an operator appoints registrars, a registrar the clinicians of their clinic. */
export default function Staff() {
  const [path] = useLocation();
  const role = path === "/registrars" ? "registrar" : "clinician";
  const session = useSession();
  const me = session.status === "signed_in" ? session.account.account_id : "";
  const [appointed, setAppointed] = useState("");
  const account = api.useQuery("get", "/v1/auth/account");
  const clinics = api.useQuery("get", "/v1/clinics", {
    params: { query: { limit: 100 } },
    cache: "reload", // the clinic that was entered just now is one to appoint for
  });
  const workers = api.useInfiniteQuery(
    "get",
    "/v1/clinic/staff",
    { params: { query: { limit: 50 } } },
    byCursor,
  );
  const mine = account.data?.appointments.find((each) => each.role === "registrar")?.clinic_id;
  const clinicName = (id: string) =>
    clinics.data?.items.find((each) => each.clinic_id === id)?.name ?? id;
  return (
    <Page title={role === "registrar" ? d("registrars.title") : d("staff.title")}>
      <section className="panel">
        <h2>{role === "registrar" ? d("appoint.registrar") : d("appoint.clinician")}</h2>
        <p>{d("appoint.hint")}</p>
        <Words of="appoint">
          <Loaded<unknown> query={role === "registrar" ? clinics : account}>
            {() => (
              <AskForm
                key={appointed}
                submit={d("appoint")}
                act={async (given) => {
                  const { data } = await client.POST("/v1/clinic/staff", {
                    body: {
                      phone: given.phone ?? "",
                      role,
                      clinic_id: (role === "registrar" ? given.clinic_id : mine) ?? "",
                      name: given.name ?? "",
                      specialty: given.specialty || null,
                    },
                  });
                  await cache.invalidateQueries();
                  setAppointed(data?.name ?? "");
                }}
              >
                {role === "registrar" && (
                  <Select
                    name="clinic_id"
                    label={d("clinic")}
                    options={(clinics.data?.items ?? []).map((each) => [each.clinic_id, each.name])}
                  />
                )}
                <Field
                  name="phone"
                  type="tel"
                  label={d("appoint.phone")}
                  hint={d("appoint.phone.hint")}
                  autoComplete="off"
                  isRequired
                />
                <Field
                  name="name"
                  label={d("appoint.name")}
                  hint={d("appoint.name.hint")}
                  autoComplete="off"
                  isRequired
                />
                {role === "clinician" && (
                  <Field
                    name="specialty"
                    label={t("field.optional", { label: d("appoint.specialty") })}
                    autoComplete="off"
                  />
                )}
              </AskForm>
            )}
          </Loaded>
        </Words>
        {appointed && (
          <Done title={d("appoint.done", { name: appointed })}>
            <p>{d("appoint.done.hint")}</p>
          </Done>
        )}
      </section>
      <h2>{d("staff.now")}</h2>
      <Pages query={workers} empty={<Empty title={d("staff.none")} />}>
        {(items) => (
          <ul className="plain lines panel">
            {items.map((each) => (
              <li key={`${each.account_id} ${each.role} ${each.clinic_id}`} className="desk-step">
                <p className="label">{each.name}</p>
                <p>
                  {[maybe(`role.${each.role}`, ""), each.specialty, clinicName(each.clinic_id)]
                    .filter(Boolean)
                    .join(", ")}
                </p>
                <p className="quiet">{d("staff.since", { at: moment(each.appointed_at) })}</p>
                {each.role === role && each.account_id !== me && (
                  <div className="actions">
                    <Words of="dismiss">
                      <Act
                        text={d("dismiss")}
                        act={() =>
                          client.DELETE("/v1/clinic/staff/{account_id}", {
                            params: { path: { account_id: each.account_id } },
                          })
                        }
                        ask={{
                          title: d("dismiss.ask"),
                          body: <p>{d("dismiss.hint", { name: each.name })}</p>,
                        }}
                      />
                    </Words>
                  </div>
                )}
              </li>
            ))}
          </ul>
        )}
      </Pages>
    </Page>
  );
}
