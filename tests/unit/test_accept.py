"""Content negotiation: which media type an `Accept` gets (RFC 9110 §12.5.1)."""

import pytest

JSON, FHIR = "application/json", "application/fhir+json"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (FHIR, FHIR),
        ("application/fhir+json; fhirVersion=4.0", FHIR),
        ("Application/FHIR+JSON;q=0.9, application/json;q=0.8", FHIR),
        ("application/fhir+json, application/json", FHIR),
        ("application/json, application/fhir+json", JSON),
        ("application/fhir+json, */*;q=0.1", FHIR),
        ("application/fhir+json, */*", FHIR),
        ("text/html, application/json;q=0, */*;q=0.1", FHIR),
        ("text/html, application/fhir+json;q=0, */*;q=0.1", JSON),
    ],
)
def test_the_media_type_that_a_client_likes_best(accept: str | None, expected: str) -> None:
    from kernel.api import acceptable

    assert acceptable(accept, (JSON, FHIR)) == expected


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml, text/*", "application/json;q=0", "*/*;q=0", "a;q=x"]
)
def test_a_client_that_takes_nothing_of_ours_is_told(accept: str) -> None:
    from kernel import errors
    from kernel.api import acceptable

    with pytest.raises(errors.NotAcceptable):
        acceptable(accept, (JSON, FHIR))


def test_only_routes_that_say_so_answer_in_fhir() -> None:
    from kernel import errors
    from kernel.api import acceptable

    with pytest.raises(errors.NotAcceptable):
        acceptable(FHIR, (JSON,))
