import { useState } from "react";
import { api, cache, client, type Schemas } from "../api/client";
import { addPasskey } from "../api/passkey";
import { counted, date, t } from "../texts";
import { Act } from "../ui/act";
import { AskForm, Field } from "../ui/form";
import { Page } from "../ui/page";
import { Loaded, Notice } from "../ui/states";

/** The second steps: text message, authenticator app, passkeys; and the phone itself. */
export default function Factors() {
  const account = api.useQuery("get", "/v1/auth/account");
  return (
    <Page title={t("settings.factors")} back={{ href: "/settings", text: t("nav.settings") }}>
      <p className="lead">{t("factors.lead")}</p>
      <Loaded query={account}>
        {(own) => (
          <>
            <Phone phone={own.phone ?? ""} />
            <App enrolled={own.factors.totp} codes={own.factors.recovery_codes_left} />
            <Passkeys />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Phone({ phone }: { phone: string }) {
  const [asked, setAsked] = useState<"number" | "code">();
  const [challenge, setChallenge] = useState<string>();
  return (
    <section className="panel">
      <h2>{t("factors.phone")}</h2>
      <p>{t("factors.phone.now", { phone })}</p>
      {!asked && <Act text={t("factors.phone.change")} act={async () => setAsked("number")} />}
      {asked === "number" && (
        <AskForm
          key="number"
          submit={t("reset.send")}
          act={async ({ phone: number = "" }) => {
            const { data } = await client.POST("/v1/auth/phone", { body: { phone: number } });
            setChallenge(data?.challenge_id);
            setAsked("code");
          }}
        >
          <Field name="phone" type="tel" label={t("factors.phone.new")} autoFocus isRequired />
        </AskForm>
      )}
      {asked === "code" && (
        <AskForm
          key="code"
          submit={t("second.submit")}
          act={async ({ code = "" }) => {
            await client.POST("/v1/auth/phone/confirm", {
              body: { challenge_id: challenge, code },
            });
            setAsked(undefined);
            await cache.invalidateQueries();
          }}
        >
          <Field
            name="code"
            label={t("second.sms.label")}
            inputMode="numeric"
            autoComplete="one-time-code"
            autoFocus
            isRequired
          />
        </AskForm>
      )}
    </section>
  );
}

function App({ enrolled, codes }: { enrolled: boolean; codes: number }) {
  const [secret, setSecret] = useState<Schemas["TotpSecret"]>();
  const [given, setGiven] = useState<string[]>();
  return (
    <section className="panel">
      <h2>{t("factors.totp")}</h2>
      {given ? (
        <Notice tone="warning" title={t("factors.recovery")}>
          <p>{t("factors.recovery.how")}</p>
          <ul className="plain codes">
            {given.map((each) => (
              <li key={each}>
                <code>{each}</code>
              </li>
            ))}
          </ul>
        </Notice>
      ) : enrolled ? (
        <>
          <p>{t("factors.totp.on")}</p>
          <p className="quiet">{counted("factors.codes", codes)}</p>
          <div className="actions">
            <Act
              text={t("factors.totp.remove")}
              kind="button button-danger"
              act={() => client.DELETE("/v1/auth/totp")}
              ask={{
                title: t("factors.totp.remove.ask"),
                body: <p>{t("factors.totp.remove.what")}</p>,
              }}
            />
          </div>
        </>
      ) : secret ? (
        <AskForm
          submit={t("second.submit")}
          act={async ({ code = "" }) => {
            const { data } = await client.POST("/v1/auth/totp/confirm", { body: { code } });
            setGiven(data?.recovery_codes);
            await cache.invalidateQueries();
          }}
        >
          <p>{t("factors.totp.secret")}</p>
          <p>
            <code>{secret.secret}</code>
          </p>
          <a href={secret.otpauth_uri}>{t("factors.totp.here")}</a>
          <Field
            name="code"
            label={t("second.totp.label")}
            inputMode="numeric"
            autoComplete="one-time-code"
            isRequired
          />
        </AskForm>
      ) : (
        <>
          <p>{t("factors.totp.off")}</p>
          <div className="actions">
            <Act
              text={t("factors.totp.add")}
              act={async () => setSecret((await client.POST("/v1/auth/totp")).data)}
            />
          </div>
        </>
      )}
    </section>
  );
}

function Passkeys() {
  const passkeys = api.useQuery("get", "/v1/auth/passkeys");
  return (
    <section className="panel">
      <h2>{t("factors.passkeys")}</h2>
      <p>{t("factors.passkeys.lead")}</p>
      <Loaded query={passkeys}>
        {({ items }) => (
          <ul className="plain lines">
            {items.map((each) => (
              <li key={each.passkey_id} className="row">
                <p>
                  {each.name}{" "}
                  <span className="quiet">
                    {t("factors.since", { date: date(each.created_at) })}
                  </span>
                </p>
                <Act
                  text={t("factors.passkeys.remove")}
                  kind="link"
                  act={() =>
                    client.DELETE("/v1/auth/passkeys/{passkey_id}", {
                      params: { path: { passkey_id: each.passkey_id } },
                    })
                  }
                />
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      {"PublicKeyCredential" in window ? (
        <AskForm
          submit={t("factors.passkeys.add")}
          act={async ({ name = "" }) => {
            await addPasskey(name);
            await cache.invalidateQueries();
          }}
        >
          <Field
            name="name"
            label={t("factors.passkeys.name")}
            defaultValue={t("factors.passkeys.this")}
            isRequired
          />
        </AskForm>
      ) : (
        <p className="quiet">{t("factors.passkeys.cannot")}</p>
      )}
    </section>
  );
}
