"""Clinics' systems are told that a consent was withdrawn: an event for each clinic that it closed.

They subscribe to the topic, filtered by the attribute `clinic_id`. An event names nobody: ids only.
It may come twice; `event_id` is then the same.
"""

import json
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from kernel import aws
from kernel.errors import Unavailable
from kernel.identity import ClinicId, ConsentId, PatientId


class Withdrawals:
    """The topic of withdrawn consents."""

    def __init__(self, topic_arn: str) -> None:
        self._topic_arn = topic_arn

    def tell(
        self,
        consent_id: ConsentId,
        patient_id: PatientId,
        clinics: Sequence[ClinicId],
        withdrawn_at: str,
    ) -> None:
        """Tell each clinic.

        Raises:
            Unavailable: some may not have been told; repeat.
        """
        for clinic_id in clinics:
            event = {
                "event_id": f"{consent_id}-{clinic_id}",
                "type": "consent.withdrawn",
                "consent_id": consent_id,
                "patient_id": patient_id,
                "clinic_id": clinic_id,
                "withdrawn_at": withdrawn_at,
            }
            try:
                aws.sns().publish(
                    TopicArn=self._topic_arn,
                    Message=json.dumps(event),
                    MessageAttributes={
                        "clinic_id": {"DataType": "String", "StringValue": clinic_id}
                    },
                )
            except (ClientError, BotoCoreError) as error:
                raise Unavailable from error
