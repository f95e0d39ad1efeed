import { api } from "../api/client";
import { t } from "../texts";
import { Page } from "../ui/page";
import { Empty, Loaded } from "../ui/states";

/** Questions and answers, in the words of the service. */
export default function Help() {
  const help = api.useQuery("get", "/v1/help", { params: { query: { limit: 100 } } });
  return (
    <Page title={t("nav.help")}>
      <Loaded query={help}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("help.none")} />
          ) : (
            <div className="panel lines">
              {items.map((each) => (
                <details key={each.id}>
                  <summary>{each.question}</summary>
                  <p>{each.answer}</p>
                  {each.steps && each.steps.length > 0 && (
                    <ol>
                      {each.steps.map((step) => (
                        <li key={step}>{step}</li>
                      ))}
                    </ol>
                  )}
                </details>
              ))}
            </div>
          )
        }
      </Loaded>
    </Page>
  );
}
