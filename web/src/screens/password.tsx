import { useState } from "react";
import { client } from "../api/client";
import { t } from "../texts";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { Notice } from "../ui/states";

export default function Password() {
  const [done, setDone] = useState(false);
  return (
    <Page
      title={t("settings.password")}
      back={{ href: "/settings", text: t("nav.settings") }}
      narrow
    >
      {done ? (
        <Notice tone="good" title={t("password.done")}>
          <p>{t("password.done.detail")}</p>
        </Notice>
      ) : (
        <div className="panel">
          <AskForm
            submit={t("password.submit")}
            act={async ({ current_password = "", new_password = "" }) => {
              await client.POST("/v1/auth/password", { body: { current_password, new_password } });
              setDone(true);
            }}
          >
            <Field
              name="current_password"
              type="password"
              label={t("password.current")}
              autoComplete="current-password"
              isRequired
            />
            <Field
              name="new_password"
              type="password"
              label={t("password.new")}
              hint={t("password.hint")}
              autoComplete="new-password"
              isRequired
            />
          </AskForm>
        </div>
      )}
    </Page>
  );
}
