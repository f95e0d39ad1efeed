"""СЭМД for the tests, written after the structure of the guides of portal.egisz.rosminzdrav.ru."""

from dataclasses import dataclass, field

ORGANIZATION = "1.2.643.5.1.13.13.12.2.77.7973"
SECTIONS = "1.2.643.5.1.13.13.99.2.197"
FIELDS = "1.2.643.5.1.13.13.99.2.166"
TESTS = "1.2.643.5.1.13.13.11.1080"
UNITS = "1.2.643.5.1.13.13.11.1358"
ICD10 = "1.2.643.5.1.13.13.11.1005"
NAMESPACES = (
    'xmlns="urn:hl7-org:v3" xmlns:identity="urn:hl7-ru:identity" '
    'xmlns:address="urn:hl7-ru:address" xmlns:medService="urn:hl7-ru:medService" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


def result(
    code: str, name: str, value: str, *, low: str = "", high: str = "", more: str = ""
) -> str:
    """A laboratory observation; `value` is the whole value element."""
    limits = ""
    if low or high:
        ends = f'<low value="{low}" unit="mmol/L"/>' if low else '<low nullFlavor="NINF"/>'
        ends += f'<high value="{high}" unit="mmol/L"/>' if high else '<high nullFlavor="PINF"/>'
        limits = (
            f"<referenceRange><observationRange><text>{low} - {high} ммоль/л</text>"
            f'<value xsi:type="IVL_PQ">{ends}</value><interpretationCode code="N"/>'
            "</observationRange></referenceRange>"
        )
    return f"""<component><observation classCode="OBS" moodCode="EVN">
      <code code="{code}" codeSystem="{TESTS}" codeSystemVersion="3.20"
        codeSystemName="Справочник лабораторных тестов" displayName="{name}"/>
      <statusCode code="completed"/><effectiveTime value="202603021030+0300"/>
      {value}{more}{limits}</observation></component>"""


def amount(value: str, shown: str = "ммоль/л", unit: str = "mmol/L") -> str:
    return (
        f'<value xsi:type="PQ" value="{value}" unit="{unit}"><translation value="{value}" '
        f'displayName="{shown}" code="47" codeSystem="{UNITS}" codeSystemVersion="2.3"/></value>'
    )


GLUCOSE = result("1023393", "Глюкоза в крови", amount("7.80"), low="4.1", high="6.1")
PROTEIN = result("1022391", "Общий белок", amount("72", "г/л", "g/L"))
GROUP = result(
    "1118050",
    "Группа крови АВ0",
    '<value xsi:type="CD" code="103" codeSystem="1.2.643.5.1.13.13.11.1061" displayName="B(III)"/>',
)
NOTHING = result("1016945", "Креатинин", '<value xsi:type="PQ" nullFlavor="NAV"/>')


@dataclass
class Laboratory:
    """A Протокол лабораторного исследования."""

    snils: str
    birth_date: str = "19800505"
    number: str = "7805553"
    set_number: str | None = "7805500"
    version: int = 1
    replaces: str | None = None
    results: list[str] = field(default_factory=lambda: [GLUCOSE, PROTEIN, GROUP, NOTHING])
    conclusion: str | None = "Гипергликемия."

    def __str__(self) -> str:
        conclusion = ""
        if self.conclusion:
            conclusion = f"""<component><section>
              <code code="RESINFO" codeSystem="{SECTIONS}" displayName="Заключение"/>
              <title>Заключение</title><text>{self.conclusion}</text></section></component>"""
        body = f"""<component><section>
          <code code="SPECIMENS" codeSystem="{SECTIONS}" displayName="Исследованные материалы"/>
          <title>Исследованные материалы</title><text>Кровь венозная</text></section></component>
        <component><section>
          <code code="RESLAB" codeSystem="{SECTIONS}" codeSystemVersion="1.19"
            displayName="Результаты лабораторных исследований"/>
          <title>Результаты исследования</title>
          <text><table><tbody><tr><td>Глюкоза</td><td>7.80</td></tr></tbody></table></text>
          <entry><organizer classCode="CLUSTER" moodCode="EVN"><statusCode code="completed"/>
            <component><organizer classCode="BATTERY" moodCode="EVN">
              <code><originalText>Биохимический анализ крови</originalText></code>
              <statusCode code="completed"/>{"".join(self.results)}
            </organizer></component>
          </organizer></entry></section></component>{conclusion}"""
        return document(self, "7", "Протокол лабораторного исследования", body)


@dataclass
class Consultation:
    """A Протокол консультации."""

    snils: str
    birth_date: str = "19800505"
    number: str = "51"
    set_number: str | None = "50"
    version: int = 1
    replaces: str | None = None
    diagnosis: str = "Острый бронхит, лёгкое течение"
    code: str = "J20.9"
    medicine: str | None = "Амброксол"

    def __str__(self) -> str:
        medicine = ""
        if self.medicine:
            medicine = f"""<entry><substanceAdministration classCode="SBADM" moodCode="RQO">
              <text>по 1 таблетке 3 раза в день</text>
              <effectiveTime xsi:type="IVL_TS"><low value="20260305"/><high value="20260312"/>
              </effectiveTime><doseQuantity value="30" unit="mg"/>
              <consumable><manufacturedProduct><manufacturedMaterial>
                <name>{self.medicine}</name></manufacturedMaterial></manufacturedProduct>
              </consumable></substanceAdministration></entry>"""
        body = f"""<component><section>
          <code code="DOCINFO" codeSystem="{SECTIONS}" displayName="Сведения о документе"/>
          <title>Общие сведения</title><text>Шифр по МКБ-10: {self.code}</text>
          <entry><observation classCode="OBS" moodCode="EVN">
            <code code="809" codeSystem="{FIELDS}" displayName="Шифр по МКБ-10"/>
            <value xsi:type="CD" code="{self.code}" codeSystem="{ICD10}"
              displayName="Острый бронхит неуточненный"/></observation></entry>
        </section></component>
        <component><section>
          <code code="COMPLNTS" codeSystem="{SECTIONS}" displayName="Жалобы"/><title>Жалобы</title>
          <text>Кашель, <content>слабость</content>, температура 37,8 &lt;вечером&gt;</text>
        </section></component>
        <component><section>
          <code code="ANAM" codeSystem="{SECTIONS}" displayName="Анамнез заболевания"/>
          <title>Анамнез заболевания</title>
          <text><table><tbody><tr><td>Описание</td>
            <td>Болен три дня</td></tr></tbody></table></text>
        </section></component>
        <component><section>
          <code code="ALL" codeSystem="{SECTIONS}" displayName="Аллергии и непереносимость"/>
          <title>Аллергии</title><text>Пенициллин: крапивница</text>
          <entry><observation classCode="OBS" moodCode="EVN">
            <code code="1" codeSystem="1.2.643.5.1.13.13.11.1064" displayName="Лекарственная"/>
            <value xsi:type="CD" code="17" codeSystem="1.2.643.5.1.13.13.11.1063"
              displayName="Крапивница"/>
            <participant typeCode="CSM"><participantRole classCode="MANU">
              <playingEntity classCode="MMAT"><name>Пенициллин</name></playingEntity>
            </participantRole></participant></observation></entry></section></component>
        <component><section>
          <code code="VITALPARAM" codeSystem="{SECTIONS}" displayName="Витальные параметры"/>
          <title>Витальные параметры</title><text>Температура 37,8</text>
          <entry><organizer classCode="CLUSTER" moodCode="EVN"><component>
            <observation classCode="OBS" moodCode="EVN">
              <code code="50" codeSystem="1.2.643.5.1.13.13.99.2.262"
                displayName="Температура тела"/><statusCode code="completed"/>
              <effectiveTime value="202603051010+0300"/>
              <value xsi:type="PQ" value="37.8" unit="Cel"><translation displayName="°C"
                value="37.8" code="1" codeSystem="{UNITS}"/></value></observation>
          </component></organizer></entry></section></component>
        <component><section>
          <code code="RESCONS" codeSystem="{SECTIONS}" displayName="Консультации специалистов"/>
          <title>Консультация врача-терапевта</title><text>Состояние удовлетворительное.</text>
          <entry><observation classCode="OBS" moodCode="EVN">
            <code code="806" codeSystem="{FIELDS}" displayName="Заключение консультации"/>
            <value xsi:type="ST">Лечение амбулаторное</value></observation></entry>
          <component><section>
            <code code="DGN" codeSystem="{SECTIONS}" displayName="Диагнозы"/><title>Диагнозы</title>
            <text><content ID="d1">{self.diagnosis}</content></text>
            <entry><act classCode="ACT" moodCode="EVN">
              <code code="1" codeSystem="1.2.643.5.1.13.13.11.1077" displayName="Основной"/>
              <entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN">
                <code code="3" codeSystem="1.2.643.5.1.13.13.11.1076" displayName="Заключительный"/>
                <text><reference value="#d1"/></text><statusCode code="completed"/>
                <value xsi:type="CD" code="{self.code}" codeSystem="{ICD10}"
                  displayName="Острый бронхит неуточненный"/></observation></entryRelationship>
            </act></entry></section></component></section></component>
        <component><section>
          <code code="REGIME" codeSystem="{SECTIONS}" displayName="Режим и рекомендации"/>
          <title>Рекомендации</title><text>Обильное питьё, явка через 5 дней</text>
        </section></component>
        <component><section>
          <code code="RECTREAT" codeSystem="{SECTIONS}" displayName="Рекомендованное лечение"/>
          <title>Назначения</title><text>Амброксол</text>{medicine}</section></component>"""
        return document(self, "5", "Протокол консультации", body)


def document(made: Laboratory | Consultation, kind: str, title: str, body: str) -> str:
    setting = (
        f'<setId root="{ORGANIZATION}.100.1.1.50" extension="{made.set_number}"/>'
        if made.set_number
        else ""
    )
    replaced = ""
    if made.replaces:
        replaced = (
            '<relatedDocument typeCode="RPLC"><parentDocument classCode="DOCCLIN" moodCode="EVN">'
            f'<id root="{ORGANIZATION}.100.1.1.51" extension="{made.replaces}"/>'
            "</parentDocument></relatedDocument>"
        )
    snils = (
        f'<id root="1.2.643.100.3" extension="{made.snils}"/>'
        if made.snils
        else '<id nullFlavor="NI"/>'
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="protocol.xsl"?>
<ClinicalDocument {NAMESPACES}>
  <realmCode code="RU"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>
  <templateId root="1.2.643.5.1.13.13.14.{kind}.9.4"/>
  <id root="{ORGANIZATION}.100.1.1.51" extension="{made.number}"/>
  <code code="{kind}" codeSystem="1.2.643.5.1.13.13.11.1522" codeSystemVersion="4.45"
    codeSystemName="Виды медицинской документации" displayName="{title}"/>
  <title>{title}</title><effectiveTime value="202603051200+0300"/>
  <confidentialityCode code="N" codeSystem="1.2.643.5.1.13.13.99.2.285" displayName="Обычный"/>
  <languageCode code="ru-RU"/>{setting}<versionNumber value="{made.version}"/>
  <recordTarget><patientRole>
    <id root="{ORGANIZATION}.100.1.1.10" extension="585233"/>{snils}
    <identity:InsurancePolicy xsi:type="identity:InsurancePolicy">
      <identity:Number xsi:type="ST">7700000000000000</identity:Number></identity:InsurancePolicy>
    <addr use="H"><streetAddressLine>г Москва</streetAddressLine></addr>
    <patient><name><family>Пробный</family><given>Пётр</given>
      <identity:Patronymic xsi:type="ST">Петрович</identity:Patronymic></name>
      <administrativeGenderCode code="1" codeSystem="1.2.643.5.1.13.13.11.1040"
        displayName="Мужской"/><birthTime value="{made.birth_date}"/></patient>
  </patientRole></recordTarget>
  <author><time value="202603051200+0300"/><assignedAuthor>
    <id root="{ORGANIZATION}.100.1.1.70" extension="2343"/>
    <id root="1.2.643.100.3" extension="178-624-364 19"/>
    <code code="109" codeSystem="1.2.643.5.1.13.13.11.1002" displayName="врач-терапевт"/>
    <assignedPerson><name><family>Смирнова</family><given>Анна</given>
      <identity:Patronymic xsi:type="ST">Ивановна</identity:Patronymic></name></assignedPerson>
  </assignedAuthor></author>{replaced}
  <documentationOf><serviceEvent><code code="1" codeSystem="1.2.643.5.1.13.13.99.2.726"
      displayName="{title}"/>
    <effectiveTime><low value="202603051000+0300"/><high value="202603051020+0300"/></effectiveTime>
    <performer typeCode="PPRF"><assignedEntity>
      <id root="{ORGANIZATION}.100.1.1.70" extension="2343"/>
      <id root="1.2.643.100.3" extension="178-624-364 19"/>
      <code code="109" codeSystem="1.2.643.5.1.13.13.11.1002" displayName="врач-терапевт"/>
      <assignedPerson><name><family>Смирнова</family><given>Анна</given>
        <identity:Patronymic xsi:type="ST">Ивановна</identity:Patronymic></name></assignedPerson>
    </assignedEntity></performer></serviceEvent></documentationOf>
  <componentOf><encompassingEncounter><id root="{ORGANIZATION}.100.1.1.15" extension="900"/>
    <effectiveTime><low value="202603051000+0300"/></effectiveTime></encompassingEncounter>
  </componentOf>
  <component><structuredBody>{body}</structuredBody></component>
</ClinicalDocument>"""
