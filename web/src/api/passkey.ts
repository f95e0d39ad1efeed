/** Passkeys (WebAuthn level 3): options and answers go as the JSON that the specification names. */

import { client } from "./client";
import { Problem } from "./problem";

type Json = Record<string, unknown>;

/** Have the device sign a challenge; throws a Problem when its owner did not let it. */
export async function signWithPasskey(challenge: string): Promise<Json> {
  const { data } = await client.POST("/v1/auth/challenges/{challenge_id}/send", {
    params: { path: { challenge_id: challenge } },
    body: { method: "passkey" },
  });
  if (!data || !("options" in data)) throw new Problem(0, {});
  const asked = data.options as unknown as PublicKeyCredentialRequestOptionsJSON;
  return given(() =>
    navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked),
    }),
  );
}

/** Make a passkey on this device and keep it under a name; throws as above. */
export async function addPasskey(name: string): Promise<void> {
  const { data } = await client.POST("/v1/auth/passkeys/options");
  if (!data) throw new Problem(0, {});
  const asked = data.options as unknown as PublicKeyCredentialCreationOptionsJSON;
  const credential = await given(() =>
    navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked),
    }),
  );
  await client.POST("/v1/auth/passkeys", { body: { credential, name } });
}

async function given(ask: () => Promise<Credential | null>): Promise<Json> {
  try {
    const credential = (await ask()) as PublicKeyCredential | null;
    if (credential) return credential.toJSON() as unknown as Json;
  } catch {
    // Cancelled, timed out, or a device that cannot: for the person all the same.
  }
  throw new Problem(0, { code: "passkey_refused" });
}
