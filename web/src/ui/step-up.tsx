import { useQuery } from "@tanstack/react-query";
import { client } from "../api/client";
import { adopt } from "../api/session";
import { identityConfirmed } from "../api/step-up";
import { t } from "../texts";
import { Dialog } from "./dialog";
import { SecondStep } from "./second-step";
import { Loaded } from "./states";

/** The dialog that asks for a fresh second step. */
export default function StepUp() {
  const challenge = useQuery({
    queryKey: ["step-up"],
    queryFn: async () => (await client.POST("/v1/auth/step-up")).data,
    gcTime: 0,
    staleTime: Number.POSITIVE_INFINITY,
  });
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
