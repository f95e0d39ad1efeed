"""Facts that go wrong: with a whole body (NotFhir) or with one entry (Invalid -> Rejection)."""


class NotFhir(Exception):
    """The body is no FHIR R4 JSON that the intake takes.

    `code` is stable: not_utf8, not_json, duplicate_key, too_deep, number_too_long, not_an_object,
    no_resource_type, unknown_resource_type, unsupported_bundle_type, invalid_bundle,
    too_many_entries, too_tangled.
    `detail` is an English sentence that echoes nothing of the body.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class Invalid(Exception):
    """An element that cannot be taken. `code` is a key of MESSAGES; `path` grows on the way up."""

    def __init__(self, code: str, *path: str) -> None:
        super().__init__(code)
        self.code = code
        self.path = list(path)

    @property
    def element(self) -> str:
        return ".".join(self.path)


# Of a whole body: code -> (English, Russian).
BODIES: dict[str, tuple[str, str]] = {
    "duplicate_key": (
        "An object in the body has the same key twice.",
        "Один и тот же ключ стоит в объекте дважды.",
    ),
    "forbidden_xml": (
        "The XML holds a DTD or entities, which are not taken.",
        "XML содержит DTD или сущности, они не принимаются.",
    ),
    "invalid_bundle": (
        "Bundle.entry must be an array.",
        "Bundle.entry должен быть массивом.",
    ),
    "no_resource_type": (
        "The body has no resourceType.",
        "В теле нет resourceType.",
    ),
    "not_an_object": (
        "The body is not a JSON object.",
        "Тело не является объектом JSON.",
    ),
    "not_cda": (
        "The body is no CDA R2 document with an id, a version and a patient.",
        "Тело не является документом CDA R2 с идентификатором, версией и пациентом.",
    ),
    "not_json": (
        "The body is not JSON.",
        "Тело не является JSON.",
    ),
    "not_utf8": (
        "The body is not UTF-8.",
        "Тело не в кодировке UTF-8.",
    ),
    "not_xml": (
        "The body is not well-formed XML.",
        "Тело не является правильно построенным XML.",
    ),
    "number_too_long": (
        "A number in the body is too long.",
        "Слишком длинное число.",
    ),
    "too_deep": (
        "The body nests too deep, or has too many elements.",
        "Слишком глубокая вложенность или слишком много элементов.",
    ),
    "too_many_entries": (
        "The Bundle has too many entries.",
        "В Bundle слишком много записей.",
    ),
    "too_tangled": (
        "Results share their members beyond all measure.",
        "Результаты ссылаются друг на друга сверх всякой меры.",
    ),
    "unknown_resource_type": (
        "The resourceType is none of FHIR R4.",
        "Такого resourceType в FHIR R4 нет.",
    ),
    "unsupported_bundle_type": (
        "Bundle.type must be transaction, batch, collection, document or searchset.",
        "Bundle.type должен быть transaction, batch, collection, document или searchset.",
    ),
}


def say(code: str, language: str) -> str:
    """What is wrong with a whole body, in "ru" or "en"."""
    english, russian = BODIES[code]
    return russian if language == "ru" else english


# code -> (English, Russian); {type} is a known resource type, {element} a path of known names.
MESSAGES: dict[str, tuple[str, str]] = {
    "choice_missing": (
        "{element}: one of the forms of this required element is needed.",
        "{element}: нужна одна из форм этого обязательного элемента.",
    ),
    "choice_repeated": (
        "{element}: given in more than one form.",
        "{element}: указано более чем в одной форме.",
    ),
    "dates_reversed": (
        "{element}: the start is later than the end.",
        "{element}: начало позже конца.",
    ),
    "duplicate_entry": (
        "{type}: the Bundle holds this resource more than once.",
        "{type}: этот ресурс встречается в Bundle более одного раза.",
    ),
    "empty_element": (
        "{element}: an element must not be null or empty.",
        "{element}: элемент не может быть пустым или null.",
    ),
    "id_mismatch": (
        "{type}: the id in the resource is not the one in the request's URL.",
        "{type}: id ресурса не совпадает с id в URL запроса.",
    ),
    "invalid_entry": (
        "{element}: not an entry of a Bundle as FHIR R4 has it.",
        "{element}: не соответствует записи Bundle в FHIR R4.",
    ),
    "invalid_value": (
        "{element}: not a valid value of its FHIR type.",
        "{element}: недопустимое значение для этого типа FHIR.",
    ),
    "missing_element": (
        "{element}: a required element is missing.",
        "{element}: отсутствует обязательный элемент.",
    ),
    "missing_resource": (
        "The entry holds no resource.",
        "В записи нет ресурса.",
    ),
    "not_about_patient": (
        "{element}: the subject is not a Patient.",
        "{element}: субъект не является пациентом (Patient).",
    ),
    "older_version": (
        "{type}: a later version of this document is here already.",
        "{type}: более новая версия этого документа уже принята.",
    ),
    "reference_unresolved": (
        "{element}: points to a contained resource that is not there.",
        "{element}: ссылка на вложенный ресурс, которого нет.",
    ),
    "size_mismatch": (
        "{element}: the stated size is not that of the data.",
        "{element}: указанный размер не совпадает с размером данных.",
    ),
    "too_large": (
        "{type}: the resource is too large.",
        "{type}: ресурс слишком большой.",
    ),
    "unknown_code": (
        "{element}: not a code of the required value set.",
        "{element}: кода нет в обязательном наборе значений.",
    ),
    "unknown_element": (
        "{element}: holds an element that FHIR R4 does not have there.",
        "{element}: содержит элемент, которого в этом месте нет в FHIR R4.",
    ),
    "unknown_modifier": (
        "{element}: a modifier that is not understood could change the meaning.",
        "{element}: неизвестный модификатор может менять смысл данных.",
    ),
    "unknown_type": (
        "The resource has no resourceType, or none of FHIR R4.",
        "У ресурса нет resourceType или такого типа нет в FHIR R4.",
    ),
    "unsupported_method": (
        "Bundle.entry.request.method: only POST and PUT are taken.",
        "Bundle.entry.request.method: принимаются только POST и PUT.",
    ),
    "unsupported_type": (
        "{type}: resources of this type are not taken.",
        "{type}: ресурсы этого типа не принимаются.",
    ),
    "wrong_type": (
        "{element}: the wrong JSON type.",
        "{element}: неверный тип JSON.",
    ),
}


def message(code: str, resource_type: str | None, element: str | None, language: str) -> str:
    """The sentence for a rejection in `language` ("ru", else English)."""
    english, russian = MESSAGES[code]
    kind = resource_type or "Resource"
    return (russian if language == "ru" else english).format(type=kind, element=element or kind)
