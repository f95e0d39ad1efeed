import { Link } from "wouter";
import { t } from "../texts";
import { Page } from "../ui/page";

export default function Missing() {
  return (
    <Page title={t("missing.title")}>
      <p>{t("missing.detail")}</p>
      <div className="actions">
        <Link href="/" className="button">
          {t("nav.home")}
        </Link>
      </div>
    </Page>
  );
}
