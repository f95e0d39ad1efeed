import { useState } from "react";
import { Button } from "react-aria-components";
import { Link, useLocation, useSearchParams } from "wouter";
import { client } from "../api/client";
import { adopt } from "../api/session";
import { t } from "../texts";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { type Challenge, SecondStep } from "../ui/second-step";
import { useSession } from "../ui/session";
import { Notice } from "../ui/states";

/** Password, then the second step; then back to where the sign-in was asked for. */
export default function SignIn() {
  const [challenge, setChallenge] = useState<Challenge>();
  const [, go] = useLocation();
  const [query] = useSearchParams();
  const session = useSession();
  const next = query.get("next") ?? "";
  if (challenge) {
    return (
      <Page title={t("second.title")} narrow>
        <div className="panel">
          <SecondStep
            challenge={challenge}
            done={(given) => {
              adopt(given);
              // Only a path of this site: an address from outside must not lead away.
              go(/^\/[^/\\]/.test(next) ? next : "/clinics", { replace: true });
            }}
          />
          <Button className="link" onPress={() => setChallenge(undefined)}>
            {t("sign_in.again")}
          </Button>
        </div>
      </Page>
    );
  }
  return (
    <Page title={t("sign_in.title")} narrow>
      {session.status === "guest" && session.ended && (
        <Notice title={t("sign_in.ended")}>
          <p>{t("sign_in.ended.why")}</p>
        </Notice>
      )}
      <div className="panel">
        <AskForm
          submit={t("sign_in.submit")}
          act={async ({ login = "", password = "" }) => {
            const { data } = await client.POST("/v1/auth/login", { body: { login, password } });
            setChallenge(data);
          }}
        >
          <Field name="login" label={t("sign_in.login")} autoComplete="username" isRequired />
          <Field
            name="password"
            type="password"
            label={t("sign_in.password")}
            autoComplete="current-password"
            isRequired
          />
        </AskForm>
        <div className="row">
          <Link href="/register">{t("sign_in.register")}</Link>
          <Link href="/reset">{t("sign_in.reset")}</Link>
        </div>
      </div>
    </Page>
  );
}
