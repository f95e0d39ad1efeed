import { useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { client } from "../api/client";
import { adopt } from "../api/session";
import { awaited, identityConfirmed, onAwaited } from "../api/step-up";
import { t } from "../texts";
import { Dialog } from "./dialog";
import { SecondStep } from "./second-step";
import { Loaded } from "./states";

/** The dialog that asks for a fresh second step when an act wants one. */
export function StepUp() {
  const waiting = useSyncExternalStore(onAwaited, awaited);
  const challenge = useQuery({
    queryKey: ["step-up", waiting],
    queryFn: async () => (await client.POST("/v1/auth/step-up")).data,
    enabled: waiting !== null,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (waiting === null) return null;
  return (
    <Dialog title={t("step_up.title")} close={() => identityConfirmed(false)}>
      <p>{t("step_up.why")}</p>
      <Loaded query={challenge}>
        {(made) =>
          made && (
            <SecondStep
              challenge={made}
              done={(given) => {
                adopt(given);
                identityConfirmed(true);
              }}
            />
          )
        }
      </Loaded>
    </Dialog>
  );
}
