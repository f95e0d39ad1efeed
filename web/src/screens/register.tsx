import { useState } from "react";
import { Link, useLocation } from "wouter";
import { client } from "../api/client";
import { adopt } from "../api/session";
import { t } from "../texts";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { type Challenge, SecondStep } from "../ui/second-step";
import { Notice } from "../ui/states";

/** A new account: who, the password, then the code that proves the phone. */
export default function Register() {
  const [challenge, setChallenge] = useState<Challenge>();
  const [, go] = useLocation();
  if (challenge) {
    return (
      <Page title={t("register.confirm")} narrow>
        <div className="panel">
          <SecondStep
            challenge={challenge}
            done={(given) => {
              adopt(given);
              go("/clinics", { replace: true });
            }}
          />
        </div>
      </Page>
    );
  }
  return (
    <Page title={t("register.title")} narrow back={{ href: "/sign-in", text: t("sign_in.title") }}>
      <Notice>
        <p>{t("register.verified_later")}</p>
      </Notice>
      <div className="panel">
        <AskForm
          submit={t("register.submit")}
          act={async ({ phone, password, last_name, first_name, birth_date, ...rest }) => {
            const { data } = await client.POST("/v1/auth/register", {
              body: {
                phone: phone ?? "",
                password: password ?? "",
                last_name: last_name ?? "",
                first_name: first_name ?? "",
                birth_date: birth_date ?? "",
                middle_name: rest.middle_name || undefined,
                snils: rest.snils || undefined,
              },
            });
            setChallenge(data);
          }}
        >
          <Field
            name="last_name"
            label={t("person.last_name")}
            autoComplete="family-name"
            isRequired
          />
          <Field
            name="first_name"
            label={t("person.first_name")}
            autoComplete="given-name"
            isRequired
          />
          <Field
            name="middle_name"
            label={t("field.optional", { label: t("person.middle_name") })}
            autoComplete="additional-name"
          />
          <Field
            name="birth_date"
            day
            label={t("person.birth_date")}
            autoComplete="bday"
            isRequired
          />
          <Field
            name="phone"
            type="tel"
            label={t("person.phone")}
            hint={t("register.phone.hint")}
            autoComplete="tel"
            isRequired
          />
          <Field
            name="snils"
            label={t("field.optional", { label: t("person.snils") })}
            hint={t("register.snils.hint")}
            inputMode="numeric"
          />
          <Field
            name="password"
            type="password"
            label={t("register.password")}
            hint={t("password.hint")}
            autoComplete="new-password"
            isRequired
          />
        </AskForm>
        <Link href="/sign-in">{t("register.known")}</Link>
      </div>
    </Page>
  );
}
