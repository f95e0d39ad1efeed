import { api, client, type Schemas } from "../api/client";
import { phone, t } from "../texts";
import { Field } from "../ui/form";
import { Page } from "../ui/page";
import { byCursor, Pages } from "../ui/pages";
import { Empty } from "../ui/states";
import { Check, FormDialog } from "./parts";
import { d } from "./texts";
import { Words } from "./words";

type Region = Schemas["Region"];

/** The regions, which of them are connected, and their support. */
export default function Regions() {
  const regions = api.useInfiniteQuery(
    "get",
    "/v1/regions",
    // What was just saved has to show. Of another length than where the regions are read at once:
    // asked for alike, pages and the whole would be one entry of the cache, in two shapes.
    { params: { query: { limit: 50 } }, cache: "reload" },
    byCursor,
  );
  return (
    <Page title={d("regions.title")}>
      <p>{d("regions.lead")}</p>
      <div className="actions">
        <Edit />
      </div>
      <Pages query={regions} empty={<Empty title={d("regions.none")} />}>
        {(items) => (
          <ul className="plain lines panel">
            {items.map((each) => (
              <li key={each.code} className="desk-step">
                <p className="label">
                  {each.name} <Connected connected={each.connected} />
                </p>
                <p className="quiet">
                  {[each.code, each.support.phone && phone(each.support.phone), each.support.url]
                    .filter(Boolean)
                    .join(", ")}
                </p>
                <div className="actions">
                  <Edit region={each} />
                </div>
              </li>
            ))}
          </ul>
        )}
      </Pages>
    </Page>
  );
}

export function Connected({ connected }: { connected: boolean }) {
  return (
    <span className={connected ? "flag flag-good" : "flag flag-warning"}>
      {connected ? d("connected.yes") : d("connected.no")}
    </span>
  );
}

function Edit({ region }: { region?: Region }) {
  return (
    <Words of="region">
      <FormDialog
        open={region ? d("edit.named", { name: region.name }) : d("regions.enter")}
        kind={region ? "button button-second button-small" : "button"}
        title={region?.name ?? d("regions.enter")}
        submit={d("save")}
        act={(given) =>
          client.PUT("/v1/clinic/regions/{code}", {
            params: { path: { code: region?.code ?? given.code ?? "" } },
            body: {
              name: given.name ?? "",
              connected: given.connected === "on",
              support: { phone: given.phone || null, url: given.url || null },
            },
          })
        }
      >
        {!region && (
          <Field
            name="code"
            label={d("regions.code")}
            hint={d("regions.code.hint")}
            autoComplete="off"
            isRequired
          />
        )}
        <Field name="name" label={d("name")} defaultValue={region?.name} isRequired />
        <Field
          name="phone"
          type="tel"
          label={t("field.optional", { label: d("regions.phone") })}
          defaultValue={region?.support.phone ?? ""}
        />
        <Field
          name="url"
          type="url"
          label={t("field.optional", { label: d("regions.url") })}
          defaultValue={region?.support.url ?? ""}
        />
        <Check name="connected" checked={region?.connected}>
          {d("regions.connect")}
        </Check>
        <p className="quiet">{d("regions.connect.hint")}</p>
      </FormDialog>
    </Words>
  );
}
