"""What people write about an access: reasons, contests and answers, sealed for each card.

They have a KMS key of their own, so that who shows a journal can open these and no medical record.

Keys table:
    CARD#<id> | KEY#notes    the wrapped data key
"""

from kernel.identity import CardId
from kernel.sealing import KeyDestroyed, Keyring


class Notes:
    """Seals and opens notes; `place` says where a note rests, and it opens nowhere else."""

    def __init__(self, *, keys_table: str, notes_key: str) -> None:
        self._keys = Keyring(table=keys_table, kms_key=notes_key, purpose="notes")

    def seal(self, card_id: CardId, place: str, text: str) -> bytes:
        return self._keys.create(f"CARD#{card_id}").seal(text.encode(), place)

    def open(self, card_id: CardId, place: str, sealed: bytes | None) -> str | None:
        """The text; None where there is none, or where the card's key is destroyed."""
        if sealed is None:
            return None
        try:
            return self._keys.get(f"CARD#{card_id}").open(sealed, place).decode()
        except KeyDestroyed:
            return None


def key_of_notes(card_id: CardId) -> dict[str, str]:
    """Where the wrapped key of a card's notes rests."""
    return {"pk": f"CARD#{card_id}", "sk": "KEY#notes"}


def reason_place(card_id: CardId, entry_id: str) -> str:
    """Where the reason of a journal entry rests."""
    return f"journal/CARD#{card_id}/ENTRY#{entry_id}/reason"
