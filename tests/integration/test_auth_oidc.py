"""Signing in by an outside provider: a real one, and one that has turned hostile."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests import provider as outside
from tests.gateway import Api, Response, outbox
from tests.integration.test_auth_journey import login, new_phone, part, register
from tests.provider import OpenIDProvider, esia_person

pytestmark = pytest.mark.usefixtures("aws")

START, CALLBACK = "/v1/auth/oidc/esia/start", "/v1/auth/oidc/esia/callback"


@pytest.fixture(scope="module")
def running(aws: None) -> Iterator[OpenIDProvider]:
    with outside.running(lambda: dict(Api().get("/.well-known/jwks.json").json)) as provider:
        yield provider


@pytest.fixture
def provider(running: OpenIDProvider, monkeypatch: pytest.MonkeyPatch) -> OpenIDProvider:
    """The provider, honest again, and configured."""
    running.forge, running.down, running.person = None, set(), esia_person()
    configure(monkeypatch, {"esia": running.configuration()})
    return running


def configure(monkeypatch: pytest.MonkeyPatch, setting: dict[str, Any]) -> None:
    from auth import handler, oidc

    known = oidc.providers(json.dumps(setting))
    monkeypatch.setitem(handler._federation.__dict__, "_providers", known)
    handler._federation._client._keys.clear()


def new_snils() -> str:
    from kernel import snils

    number = f"{secrets.randbelow(900_000_000) + 100_000_000}"
    return number + snils.check_digits(number)


def at_provider(address: str) -> dict[str, str]:
    """Sign in at the provider; what its redirect brings back to the portal."""
    answer = httpx.get(address, follow_redirects=False, trust_env=False)
    assert answer.status_code == 302, answer.text
    back = urlsplit(answer.headers["location"])
    assert answer.headers["location"].startswith(outside.REDIRECT_URI)
    return {name: values[0] for name, values in parse_qs(back.query).items()}


def begin(api: Api, **headers: str) -> Response:
    answer = api.post(START, headers=headers)
    assert answer.status == 200, answer
    return answer


def sign_in(api: Api | None = None, **more: Any) -> Response:
    api = api or Api()
    back = at_provider(begin(api).json["authorization_url"])
    return api.post(CALLBACK, {"code": back["code"], "state": back["state"], **more})


# --- the honest way -------------------------------------------------------------------------------


def test_a_confirmed_person_gets_a_verified_account(provider: OpenIDProvider) -> None:
    snils, phone = new_snils(), new_phone()
    number = f"{phone[:2]}({phone[2:5]}){phone[5:]}"
    element = {"type": "MBT", "vrfStu": "VERIFIED", "value": number}
    provider.person = esia_person(snils=snils, contacts={"elements": [element]})
    answer = sign_in()
    assert answer.status == 200, answer
    assert answer.json["account"]["level"] == "verified"
    assert answer.json["refresh_token"]
    assert part(answer.json["access_token"], 1)["amr"] == ["fed"]
    shown = Api(token=answer.json["access_token"]).get("/v1/auth/account").json
    assert (shown["last_name"], shown["first_name"]) == ("Безухов", "Пьер")
    assert shown["birth_date"] == "1986-05-01"
    assert shown["snils_verified"] is True
    assert shown["phone"].endswith(f"{phone[-4:-2]}-{phone[-2:]}")
    again = sign_in()
    assert again.json["account"] == answer.json["account"]
    assert "нового устройства" in outbox(phone)[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"is_tru": None, "lvl": "P"},
        {"is_tru": None},
        {"is_tru": False},
        {"is_tru": "true"},
        {"is_tru": 1},
        {"lvl": "P"},
        {"lvl": "KD"},
    ],
)
def test_nobody_else_is_verified(provider: OpenIDProvider, changes: dict[str, Any]) -> None:
    snils = new_snils()
    provider.person = esia_person(snils=snils, **changes)
    answer = sign_in()
    assert answer.json["account"]["level"] == "standard"
    assert login(Api(), snils).status == 401


def test_a_confirmed_person_without_snils_is_not_verified(provider: OpenIDProvider) -> None:
    provider.person = esia_person(snils=None)
    assert sign_in().json["account"]["level"] == "simplified"
    provider.person = esia_person(snils="112-233-445 96")
    assert sign_in().json["account"]["level"] == "simplified"


def test_an_account_is_verified_once_the_provider_says_so(provider: OpenIDProvider) -> None:
    snils = new_snils()
    provider.person = esia_person(sub=77, snils=snils, is_tru=None, lvl="P")
    first = sign_in().json["account"]
    provider.person = esia_person(sub=77, snils=snils)
    second = sign_in().json["account"]
    assert (first["level"], second["level"]) == ("standard", "verified")
    assert first["account_id"] == second["account_id"]


def patient(snils: str) -> str:
    """A patient of the registry, with one card."""
    from auth import handler
    from kernel import clock, dynamo, hashing, ids

    settings = handler._settings
    patient_id = ids.time_ordered(clock.now())
    hashed = hashing.lookup_hash(settings.lookup_key_id, "snils", snils)
    table = settings.registry_table
    dynamo.put(table, {"pk": f"SNILS#{hashed}", "sk": "SNILS", "patient_id": patient_id})
    dynamo.put(table, {"pk": f"PATIENT#{patient_id}", "sk": "PATIENT", "patient_id": patient_id})
    relation = {"pk": f"PATIENT#{patient_id}", "sk": "CLINIC#c1", "clinic_id": "c1"}
    dynamo.put(table, {**relation, "card_id": f"card-{patient_id}", "attached": True})
    return patient_id


def test_the_registrys_patient_is_bound_and_the_journal_says_so(provider: OpenIDProvider) -> None:
    from auth import handler
    from kernel import dynamo

    snils = new_snils()
    patient_id = patient(snils)
    provider.person = esia_person(snils=snils)
    account = sign_in().json["account"]
    assert account["patient_id"] == patient_id
    pk = {":pk": f"CARD#card-{patient_id}"}
    entries = dynamo.query_all(handler._settings.journal_table, "pk = :pk", pk)
    assert [entry["action"] for entry in entries] == ["account_verified"]
    key = {"pk": f"PATIENT#{patient_id}", "sk": "PATIENT"}
    bound = dynamo.get(handler._settings.registry_table, key)
    assert bound is not None
    assert bound["account_id"] == account["account_id"]


def test_a_patient_who_comes_later_is_bound_at_the_next_sign_in(provider: OpenIDProvider) -> None:
    snils = new_snils()
    provider.person = esia_person(snils=snils)
    assert "patient_id" not in sign_in().json["account"]
    patient_id = patient(snils)
    assert sign_in().json["account"]["patient_id"] == patient_id
    assert sign_in().json["account"]["patient_id"] == patient_id


def test_a_patient_who_is_bound_elsewhere_or_dead_is_not_bound(provider: OpenIDProvider) -> None:
    from auth import handler
    from kernel import dynamo

    for change in ("account_id", "died_on"):
        snils = new_snils()
        key = {"pk": f"PATIENT#{patient(snils)}", "sk": "PATIENT"}
        dynamo.update(handler._settings.registry_table, key, f"SET {change} = :x", {":x": "x"})
        provider.person = esia_person(snils=snils)
        account = sign_in().json["account"]
        assert account["level"] == "verified"
        assert "patient_id" not in account


def test_a_verified_account_is_found_by_snils_and_told(provider: OpenIDProvider) -> None:
    """The account was verified at a desk before its owner came by the provider."""
    from auth import handler
    from kernel import dynamo

    snils = new_snils()
    person = register(birth_date="1986-05-01")
    account_id = person.answer["account"]["account_id"]
    profile = handler._profiles.get(account_id)
    assert profile is not None
    dynamo.transact(*handler._profiles.verify_actions(profile, snils))
    provider.person = esia_person(snils=snils)
    answer = sign_in()
    assert answer.json["account"]["account_id"] == account_id
    assert "способ подтверждения" in outbox(person.phone)[0]
    # Another birth date: somebody's СНИЛС is wrong somewhere, so nothing opens.
    provider.person = esia_person(snils=snils, birthDate="02.05.1986")
    assert (sign_in().status, sign_in().json["code"]) == (409, "conflict")


def test_a_claimed_snils_and_a_phone_find_nobody(provider: OpenIDProvider) -> None:
    snils = new_snils()
    claimed = register(snils=snils, birth_date="1986-05-01")
    element = {"type": "MBT", "vrfStu": "VERIFIED", "value": claimed.phone}
    provider.person = esia_person(snils=snils, contacts={"elements": [element]})
    answer = sign_in()
    assert answer.json["account"]["account_id"] != claimed.answer["account"]["account_id"]
    shown = Api(token=answer.json["access_token"]).get("/v1/auth/account").json
    assert shown["phone"] is None
    assert shown["factors"]["sms"] is False
    assert login(Api(), claimed.phone).status == 200


def test_who_came_without_a_phone_adds_one_and_a_password(provider: OpenIDProvider) -> None:
    provider.person = esia_person(snils=new_snils())
    api = Api(token=sign_in().json["access_token"])
    assert api.post("/v1/auth/step-up").json["methods"] == []
    phone = new_phone()
    assert api.post("/v1/auth/phone", {"phone": phone}).status == 200
    from tests.integration.test_auth_journey import code_for

    assert api.post("/v1/auth/phone/confirm", {"code": code_for(phone)}).status == 200
    begun = Api().post("/v1/auth/password/reset", {"login": phone}).json
    body = {
        "challenge_id": begun["challenge_id"],
        "code": code_for(phone),
        "birth_date": "1986-05-01",
        "new_password": "совсем другой пароль",
    }
    assert Api().post("/v1/auth/password/reset/confirm", body).status == 204
    assert login(Api(), phone, "совсем другой пароль").status == 200


def test_an_address_that_the_provider_verified_is_a_login(provider: OpenIDProvider) -> None:
    from tests.integration.test_auth_journey import code_for

    phone = new_phone()
    address = f"pierre{phone[1:]}@example.ru"

    def contacts(email_state: str, number: str) -> dict[str, Any]:
        email = {"type": "EML", "vrfStu": email_state, "value": address.upper()}
        mobile = {"type": "MBT", "vrfStu": "VERIFIED", "value": number}
        return {"elements": [email, mobile]}

    provider.person = esia_person(snils=new_snils(), contacts=contacts("NOT_VERIFIED", new_phone()))
    other = sign_in()
    assert Api(token=other.json["access_token"]).get("/v1/auth/account").json["email"] is None
    provider.person = esia_person(snils=new_snils(), contacts=contacts("VERIFIED", phone))
    answer = sign_in()
    shown = Api(token=answer.json["access_token"]).get("/v1/auth/account").json
    assert shown["email_confirmed"] is True
    begun = Api().post("/v1/auth/password/reset", {"login": address}).json
    body = {
        "challenge_id": begun["challenge_id"],
        "code": code_for(phone),
        "birth_date": "1986-05-01",
        "new_password": "совсем другой пароль",
    }
    assert Api().post("/v1/auth/password/reset/confirm", body).status == 204
    assert login(Api(), f" {address.title()} ", "совсем другой пароль").status == 200
    # Whose login it is by now, it stays.
    provider.person = esia_person(snils=new_snils(), contacts=contacts("VERIFIED", new_phone()))
    third = sign_in()
    assert third.json["account"]["account_id"] != answer.json["account"]["account_id"]
    assert Api(token=third.json["access_token"]).get("/v1/auth/account").json["email"] is None


def test_a_disabled_account_does_not_open(provider: OpenIDProvider) -> None:
    from auth import handler
    from kernel import dynamo

    account_id = sign_in().json["account"]["account_id"]
    key = {"pk": f"ACCOUNT#{account_id}", "sk": "STATE"}
    dynamo.update(handler._settings.accounts_table, key, "SET disabled = :yes", {":yes": True})
    answer = sign_in()
    assert (answer.status, answer.json["code"]) == (401, "credentials_invalid")


def test_a_known_device_is_not_told_of(provider: OpenIDProvider) -> None:
    phone = new_phone()
    element = {"type": "MBT", "vrfStu": "VERIFIED", "value": phone}
    provider.person = esia_person(snils=new_snils(), contacts={"elements": [element]})
    token = sign_in().json["device_token"]
    again = sign_in(device_token=token)
    assert "device_token" not in again.json
    assert outbox(phone) == []


def test_the_address_asks_for_what_it_should(provider: OpenIDProvider) -> None:
    address = urlsplit(begin(Api()).json["authorization_url"])
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == outside.REDIRECT_URI
    assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 32
    other = parse_qs(urlsplit(begin(Api()).json["authorization_url"]).query)
    for name in ("state", "nonce", "code_challenge"):
        assert other[name] != [query[name]]


# --- browsers -------------------------------------------------------------------------------------

WEB = {"X-Client": "web", "Origin": "https://portal.example"}


def test_a_browser_finishes_what_it_began_itself(provider: OpenIDProvider) -> None:
    begun = begin(Api(), **WEB)
    cookie = begun.headers["set-cookie"].partition(";")[0]
    back = at_provider(begun.json["authorization_url"])
    body = {"code": back["code"], "state": back["state"]}
    for headers in (WEB, {**WEB, "Cookie": cookie[:-1] + "x"}, {"X-Client": "app"}):
        stolen = Api().post(CALLBACK, body, headers=headers)
        assert (stolen.status, stolen.json["code"]) == (401, "challenge_expired")
    foreign = {**WEB, "Cookie": cookie, "Origin": "https://evil.example"}
    assert Api().post(CALLBACK, body, headers=foreign).status == 403
    answer = Api().post(CALLBACK, body, headers={**WEB, "Cookie": cookie})
    assert answer.status == 200, answer
    assert "refresh_token" not in answer.json
    assert "__Host-medkarta-refresh=" in answer.headers["set-cookie"]


# --- state ----------------------------------------------------------------------------------------


def test_a_state_serves_once(provider: OpenIDProvider) -> None:
    back = at_provider(begin(Api()).json["authorization_url"])
    body = {"code": back["code"], "state": back["state"]}
    assert Api().post(CALLBACK, body).status == 200
    replayed = Api().post(CALLBACK, body)
    assert (replayed.status, replayed.json["code"]) == (401, "challenge_expired")


def test_a_state_of_nobody_is_refused_before_the_provider_is_asked(
    provider: OpenIDProvider,
) -> None:
    provider.calls.clear()
    for state in ("unknown", "x" * 64):
        answer = Api().post(CALLBACK, {"code": "c", "state": state})
        assert (answer.status, answer.json["code"]) == (401, "challenge_expired")
    assert provider.calls == []


def test_a_state_is_its_providers(
    provider: OpenIDProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, {"esia": provider.configuration(), "other": provider.configuration()})
    back = at_provider(begin(Api()).json["authorization_url"])
    body = {"code": back["code"], "state": back["state"]}
    elsewhere = Api().post("/v1/auth/oidc/other/callback", body)
    assert elsewhere.json["code"] == "challenge_expired"
    mixed = Api().post(CALLBACK, {**body, "iss": "https://evil.example"})
    assert mixed.json["code"] == "challenge_expired"
    right = Api().post(CALLBACK, {**body, "iss": "http://esia.gosuslugi.ru/"})
    assert right.status == 200


def test_a_code_of_another_sign_in_is_refused_by_pkce(provider: OpenIDProvider) -> None:
    mine, others = (at_provider(begin(Api()).json["authorization_url"]) for _ in range(2))
    answer = Api().post(CALLBACK, {"code": others["code"], "state": mine["state"]})
    assert (answer.status, answer.json["code"]) == (401, "credentials_invalid")


def test_a_state_grows_old(provider: OpenIDProvider) -> None:
    from auth import handler
    from kernel import dynamo

    back = at_provider(begin(Api()).json["authorization_url"])
    key = {"pk": f"CHALLENGE#{back['state']}", "sk": "CHALLENGE"}
    table = handler._settings.identity_table
    dynamo.update(table, key, "SET valid_until = :past", {":past": int(time.time())})
    answer = Api().post(CALLBACK, {"code": back["code"], "state": back["state"]})
    assert answer.json["code"] == "challenge_expired"


def test_a_sign_ins_challenge_is_no_state_and_a_state_no_challenge(
    provider: OpenIDProvider,
) -> None:
    challenge = login(Api(), register().phone).json["challenge_id"]
    answer = Api().post(CALLBACK, {"code": "c", "state": challenge})
    assert answer.json["code"] == "challenge_expired"
    state = at_provider(begin(Api()).json["authorization_url"])["state"]
    verified = Api().post(
        f"/v1/auth/challenges/{state}/verify", {"method": "sms", "code": "000000"}
    )
    assert verified.json["code"] == "challenge_expired"


# --- a hostile provider, or somebody in its place -------------------------------------------------


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unsigned(claims: dict[str, Any], header: dict[str, Any], alg: str = "none") -> str:
    head = _b64(json.dumps({**header, "alg": alg}).encode())
    return f"{head}.{_b64(json.dumps(claims).encode())}."


def _hs256(claims: dict[str, Any], header: dict[str, Any], secret: bytes) -> str:
    message = _unsigned(claims, header, "HS256").rstrip(".")
    return f"{message}.{_b64(hmac.digest(secret, message.encode(), hashlib.sha256))}"


def changed(**changes: Any) -> Callable[[OpenIDProvider], outside.Forge]:
    """Claims that are other than they should be, signed as they should be; None leaves one out."""

    def forging(provider: OpenIDProvider) -> outside.Forge:
        def forge(claims: dict[str, Any], header: dict[str, Any]) -> str:
            merged = {**claims, **changes}
            bent = {k: v for k, v in merged.items() if v is not None}
            return str(jwt.encode(header, bent, provider.key))

        return forge

    return forging


def _moved(seconds: int) -> Callable[[OpenIDProvider], outside.Forge]:
    now = int(time.time())
    return changed(iat=now + seconds, nbf=now + seconds, exp=now + seconds + 300)


OTHER = ECKey.generate_key("P-256", {"kid": "esia-1"})
HOSTILE: dict[str, Callable[[OpenIDProvider], outside.Forge]] = {
    "another nonce": changed(nonce="other"),
    "no nonce": changed(nonce=None),
    "nonce is a list": changed(nonce=["x"]),
    "another issuer": changed(iss="https://evil.example"),
    "an issuer without its slash": changed(iss="http://esia.gosuslugi.ru"),
    "no issuer": changed(iss=None),
    "another audience": changed(aud="OTHER"),
    "audiences besides us": changed(aud=[outside.CLIENT_ID, "OTHER"]),
    "no audience": changed(aud=None),
    "another authorized party": changed(azp="OTHER"),
    "no subject": changed(sub=None),
    "an empty subject": changed(sub=""),
    "the subject is true": changed(sub=True),
    "the subject is an object": changed(sub={"a": 1}),
    "no end": changed(exp=None),
    "the end is a text": changed(exp="9999999999"),
    "expired": _moved(-3600),
    "issued long ago": changed(iat=int(time.time()) - 86400, exp=int(time.time()) + 86400),
    "not yet issued": _moved(3600),
    "alg none": lambda _: _unsigned,
    "alg HS256 by the public key": lambda p: lambda c, h: _hs256(c, h, p.key.as_pem(private=False)),
    "alg HS256 by our id": lambda _: lambda c, h: _hs256(c, h, outside.CLIENT_ID.encode()),
    "another key": lambda _: lambda c, h: str(jwt.encode(h, c, OTHER)),
    "a key in the header": lambda _: (
        lambda c, h: str(jwt.encode({**h, "jwk": OTHER.as_dict(private=False)}, c, OTHER))
    ),
    "a key by address": lambda _: (
        lambda c, h: str(jwt.encode({**h, "jku": "http://127.0.0.1:9/jwks"}, c, OTHER))
    ),
    "an unknown kid": lambda p: lambda c, h: str(jwt.encode({**h, "kid": "other"}, c, p.key)),
    "another key's kid": lambda p: lambda c, h: str(jwt.encode({**h, "kid": "esia-rsa"}, c, p.key)),
    "no kid, and two keys": lambda p: (
        lambda c, h: str(jwt.encode({k: v for k, v in h.items() if k != "kid"}, c, p.key))
    ),
    "a critical header": lambda p: lambda c, h: _crit(c, h, p),
    "no signature": lambda p: lambda c, h: str(jwt.encode(h, c, p.key)).rpartition(".")[0] + ".",
    "cut": lambda p: lambda c, h: str(jwt.encode(h, c, p.key))[:-4],
    "text": lambda _: lambda c, h: "not a token",
    "empty": lambda _: lambda c, h: "",
    "deep": lambda _: lambda c, h: _b64(b"[" * 20_000) + "." + _b64(b"{}") + ".x",
    "another's typ": lambda p: changed(**{"urn:esia:sbj": {"urn:esia:sbj:typ": "B"}})(p),
}


def _crit(claims: dict[str, Any], header: dict[str, Any], provider: OpenIDProvider) -> str:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    full = {**header, "crit": ["exp"], "exp": 1}
    message = f"{_b64(json.dumps(full).encode())}.{_b64(json.dumps(claims).encode())}"
    private: Any = provider.key.get_op_key("sign")
    r, s = decode_dss_signature(private.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{message}.{_b64(r.to_bytes(32) + s.to_bytes(32))}"


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_sign_nobody_in(provider: OpenIDProvider, name: str) -> None:
    provider.forge = HOSTILE[name](provider)
    answer = sign_in()
    assert (answer.status, answer.json["code"]) == (401, "credentials_invalid"), answer
    provider.forge = None
    assert sign_in().status == 200


def test_rsa_is_taken_too(provider: OpenIDProvider) -> None:
    provider.forge = lambda c, h: str(
        jwt.encode({**h, "alg": "RS256", "kid": "esia-rsa"}, c, provider.rsa)
    )
    assert sign_in().status == 200


def test_an_audience_of_us_alone_in_a_list_is_ours(provider: OpenIDProvider) -> None:
    provider.forge = changed(aud=[outside.CLIENT_ID], azp=outside.CLIENT_ID)(provider)
    assert sign_in().status == 200


def test_a_provider_may_change_its_key(
    provider: OpenIDProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    from auth import oidc

    assert sign_in().status == 200
    old, provider.key = provider.key, ECKey.generate_key("P-256", {"kid": "esia-2"})
    provider.forge = lambda c, h: str(jwt.encode({**h, "kid": "esia-2"}, c, provider.key))
    try:
        # Within the pause a new name is not asked for, so nobody makes us ask without end.
        before = provider.calls.count("/jwks")
        assert sign_in().status == 401
        assert provider.calls.count("/jwks") == before
        monkeypatch.setattr(oidc, "_KEYS_PAUSE", 0)
        assert sign_in().status == 200
        monkeypatch.setattr(oidc, "_KEYS_PAUSE", 30)
        before = provider.calls.count("/jwks")
        assert sign_in().status == 200
        assert provider.calls.count("/jwks") == before
    finally:
        provider.key = old


@pytest.mark.parametrize("path", ["/aas/oauth2/te", "/jwks"])
def test_a_provider_that_is_down_is_told_as_that(provider: OpenIDProvider, path: str) -> None:
    provider.down = {path}
    answer = sign_in()
    assert (answer.status, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]


def test_a_provider_that_is_not_there_is_told_as_that(
    provider: OpenIDProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = provider.configuration(token_endpoint="http://127.0.0.1:9/te")
    configure(monkeypatch, {"esia": gone})
    answer = sign_in()
    assert (answer.status, answer.json["code"]) == (503, "unavailable")


def test_names_and_birth_date_are_needed(provider: OpenIDProvider) -> None:
    for name, value in (
        ("lastName", None),
        ("firstName", "<script>"),
        ("birthDate", "1986-05-01"),
        ("birthDate", "31.02.1986"),
        ("birthDate", "01.05.2986"),
        ("birthDate", None),
    ):
        provider.person = esia_person(**{name: value})
        answer = sign_in()
        assert (answer.status, answer.json["code"]) == (401, "credentials_invalid"), name


def test_somebody_elses_data_are_not_taken(provider: OpenIDProvider) -> None:
    provider.person = esia_person(sub=5)
    provider.person[1]["sub"] = 6
    assert sign_in().json["code"] == "credentials_invalid"


# --- configuration --------------------------------------------------------------------------------


def test_without_a_provider_there_is_no_such_route() -> None:
    for path, body in ((START, None), (CALLBACK, {"code": "c", "state": "s"})):
        answer = Api().post(path, body)
        assert (answer.status, answer.json["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"token_endpoint": "http://esia.example/te"},
        {"jwks_uri": "file:///etc/passwd"},
        {"userinfo_endpoint": "http://169.254.169.254/latest"},
        {"token_endpoint": "http://127.0.0.1:1/te", "plain_http_on_loopback": False},
        {"algorithms": ["HS256"]},
        {"algorithms": ["none"]},
        {"secret": "x"},
        {"issuer": None},
    ],
)
def test_a_wrong_configuration_is_refused(provider: OpenIDProvider, change: dict[str, Any]) -> None:
    from auth import oidc

    with pytest.raises(ValueError, match=r"(?s)validation error"):
        oidc.providers(json.dumps({"esia": provider.configuration(**change)}))


def test_birth_dates_are_dates() -> None:
    from auth import esia

    claims, info = esia_person()
    assert esia.vouched(claims, info).birth_date == date(1986, 5, 1).isoformat()
