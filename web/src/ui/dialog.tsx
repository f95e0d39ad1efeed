import type { ReactNode } from "react";
import { Dialog as AriaDialog, Button, Heading, Modal, ModalOverlay } from "react-aria-components";
import { t } from "../texts";

/** A question over the page; Escape and a press outside close it. */
export function Dialog({
  title,
  close,
  children,
}: {
  title: string;
  close: () => void;
  children: ReactNode;
}) {
  return (
    <ModalOverlay isOpen isDismissable className="overlay" onOpenChange={close}>
      <Modal className="modal">
        <AriaDialog className="dialog">
          <Heading slot="title" level={2}>
            {title}
          </Heading>
          {children}
          {/* The last stop, and where eyes look for it: above at the end of the line. */}
          <Button className="dialog-close" aria-label={t("state.close")} onPress={close}>
            <span aria-hidden="true">×</span>
          </Button>
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}
