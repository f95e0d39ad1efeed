import { useState } from "react";
import { Link } from "wouter";
import { client } from "../api/client";
import { t } from "../texts";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { Notice } from "../ui/states";

/** A forgotten password: the login, then the code with what else only its owner knows. */
export default function Reset() {
  const [challenge, setChallenge] = useState<string>();
  const [done, setDone] = useState(false);
  const back = { href: "/sign-in", text: t("sign_in.title") };
  if (done) {
    return (
      <Page title={t("reset.done")} narrow>
        <Notice tone="good">
          <p>{t("reset.done.detail")}</p>
        </Notice>
        <Link href="/sign-in" className="button">
          {t("nav.sign_in")}
        </Link>
      </Page>
    );
  }
  if (!challenge) {
    return (
      <Page title={t("reset.title")} narrow back={back}>
        <div className="panel">
          <p>{t("reset.lead")}</p>
          <AskForm
            submit={t("reset.send")}
            act={async ({ login = "" }) => {
              const { data } = await client.POST("/v1/auth/password/reset", { body: { login } });
              setChallenge(data?.challenge_id);
            }}
          >
            <Field name="login" label={t("sign_in.login")} autoComplete="username" isRequired />
          </AskForm>
        </div>
      </Page>
    );
  }
  return (
    <Page title={t("reset.title")} narrow back={back}>
      <div className="panel">
        <p role="status">{t("reset.sent")}</p>
        <AskForm
          submit={t("reset.submit")}
          act={async ({ code = "", birth_date, totp_code, new_password = "" }) => {
            await client.POST("/v1/auth/password/reset/confirm", {
              body: {
                challenge_id: challenge,
                code: code.replace(/\s/g, ""),
                birth_date: birth_date || undefined,
                totp_code: totp_code || undefined,
                new_password,
              },
            });
            setDone(true);
          }}
        >
          <Field
            name="code"
            label={t("second.sms.label")}
            autoComplete="one-time-code"
            inputMode="numeric"
            isRequired
            autoFocus
          />
          <Field name="birth_date" day label={t("person.birth_date")} autoComplete="bday" />
          <Field
            name="totp_code"
            label={t("field.optional", { label: t("second.totp.label") })}
            hint={t("reset.totp.hint")}
            inputMode="numeric"
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
    </Page>
  );
}
