import { useDeferredValue, useState } from "react";
import { api, client, type Schemas } from "../api/client";
import { phone } from "../texts";
import { Field } from "../ui/form";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Empty } from "../ui/states";
import { Check, FormDialog, Select } from "./parts";
import { Connected } from "./regions";
import { d } from "./texts";
import { Words } from "./words";

type Clinic = Schemas["Clinic"];
type Regions = Schemas["Region"][];

/** The clinics, by region and name, and which of them are connected. */
export default function Clinics() {
  const [region, setRegion] = useState("");
  const [text, setText] = useState("");
  const q = useDeferredValue(text.trim());
  const regions = api.useQuery("get", "/v1/regions", {
    params: { query: { limit: 100 } },
    cache: "reload",
  });
  const clinics = api.useInfiniteQuery(
    "get",
    "/v1/clinics",
    {
      params: { query: { limit: 50, region: region || undefined, q: q || undefined } },
      cache: "reload", // what was just saved has to show
    },
    byCursor,
  );
  const known = regions.data?.items ?? [];
  return (
    <Page title={d("clinics.title")}>
      <div className="actions">
        <Edit regions={known} />
      </div>
      <section className="panel">
        <Field
          name="q"
          label={d("clinics.find")}
          value={text}
          onChange={setText}
          autoComplete="off"
        />
        <Select
          name="region"
          label={d("region")}
          options={[
            ["", d("regions.all")],
            ...known.map((each): [string, string] => [each.code, each.name]),
          ]}
          chosen={region}
          change={setRegion}
        />
      </section>
      <Pages query={clinics} empty={<Empty title={d("clinics.none")} />}>
        {(items) => (
          <ul className="plain lines panel">
            {items.map((each) => (
              <li key={each.clinic_id} className="desk-step">
                <p className="label">
                  {each.name} <Connected connected={each.connected} />
                </p>
                <p className="quiet">
                  {where(each, known)}, {phone(each.phone)}
                </p>
                <div className="actions">
                  <Edit clinic={each} regions={known} />
                </div>
              </li>
            ))}
          </ul>
        )}
      </Pages>
    </Page>
  );
}

/** The address, after its region where it does not begin with that itself. */
function where({ region, address }: Clinic, known: Regions): string {
  const name = known.find(({ code }) => code === region)?.name;
  return !name || address.startsWith(name) ? address : `${name}, ${address}`;
}

function Edit({ clinic, regions }: { clinic?: Clinic; regions: Regions }) {
  return (
    <Words of="clinic">
      <FormDialog
        open={clinic ? d("edit.named", { name: clinic.name }) : d("clinics.enter")}
        kind={clinic ? "button button-second button-small" : "button"}
        title={clinic?.name ?? d("clinics.enter")}
        submit={d("save")}
        act={(given) =>
          client.PUT("/v1/clinic/clinics/{clinic_id}", {
            params: { path: { clinic_id: clinic?.clinic_id ?? given.clinic_id ?? "" } },
            body: {
              name: given.name ?? "",
              region: given.region ?? "",
              phone: given.phone ?? "",
              address: given.address ?? "",
              connected: given.connected === "on",
            },
          })
        }
      >
        {!clinic && (
          <Field
            name="clinic_id"
            label={d("clinics.id")}
            hint={d("clinics.id.hint")}
            autoComplete="off"
            isRequired
          />
        )}
        <Field name="name" label={d("name")} defaultValue={clinic?.name} isRequired />
        <Select
          name="region"
          label={d("region")}
          options={regions.map((each) => [each.code, each.name])}
          chosen={clinic?.region}
        />
        <Field
          name="phone"
          type="tel"
          label={d("clinics.phone")}
          defaultValue={clinic?.phone}
          isRequired
        />
        <Field
          name="address"
          label={d("clinics.address")}
          defaultValue={clinic?.address}
          isRequired
        />
        <Check name="connected" checked={clinic?.connected}>
          {d("clinics.connect")}
        </Check>
        <p className="quiet">{d("clinics.connect.hint")}</p>
      </FormDialog>
    </Words>
  );
}
