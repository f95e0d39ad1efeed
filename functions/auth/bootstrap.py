"""Appoints the very first operator. Invoked by those who run the deployment, never routed:

aws lambda invoke --function-name … --payload '{"phone": "+7…"}' /dev/stdout
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from kernel import accounts, dynamo, identifiers, log, profiles, settings
from kernel.identity import Appointment


class BootstrapSettings(NamedTuple):
    accounts_table: str
    identity_table: str
    lookup_key_id: str


_settings = settings.load(BootstrapSettings)


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Make the account of `phone` an operator, and say which account it is.

    `name` is what others see of them; it is optional. Twice is once.

    Raises:
        ValueError: no phone number, or no account has it.
    """
    phone = identifiers.phone(str(event.get("phone", "")))
    if phone is None:
        raise ValueError("phone must be a number such as +7 900 000-00-00")
    account_id = profiles.find(_settings.identity_table, _settings.lookup_key_id, phone)
    if account_id is None:
        raise ValueError("no account has this phone number: register first")
    place = accounts.state_lookup(_settings.accounts_table, account_id)
    new = accounts.appointment_item(
        Appointment("operator", None, str(event.get("name") or "Оператор"))
    )
    try:
        dynamo.update(
            place.table,
            {"pk": place.pk, "sk": place.sk},
            "SET appointments = list_append(if_not_exists(appointments, :none), :new)",
            {":none": [], ":new": [new], ":one": new},
            condition="attribute_exists(pk) AND NOT contains(appointments, :one)",
        )
    except dynamo.ConditionFailed as lost:
        if lost.old is None:
            raise ValueError("the account is gone") from lost
    else:
        log.info("operator appointed", account_id=account_id)
    return {"account_id": account_id, "role": "operator"}
