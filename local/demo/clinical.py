"""The demo patients' charts: what the clinic's system sends about each of them."""

import json
from pathlib import Path
from typing import Any

from local.demo.charts import SNOMED, Analyte, Chart, Clinic, Doctor, Dose, Resource

PEOPLE = Path(__file__).parent / "people.json"

THERAPIST = Doctor("therapist", "Лебедева", "Екатерина", "Викторовна", "Врач-терапевт участковый")
ENDOCRINOLOGIST = Doctor("endocrinologist", "Соколов", "Дмитрий", "Андреевич", "Врач-эндокринолог")
CARDIOLOGIST = Doctor("cardiologist", "Морозова", "Ирина", "Павловна", "Врач-кардиолог")
OPHTHALMOLOGIST = Doctor("ophthalmologist", "Ким", "Алексей", "Юрьевич", "Врач-офтальмолог")
FUNCTIONAL = Doctor(
    "functional", "Захарова", "Наталья", "Олеговна", "Врач функциональной диагностики"
)
RADIOLOGIST = Doctor("radiologist", "Гусев", "Павел", "Ильич", "Врач-рентгенолог")
SONOGRAPHER = Doctor(
    "sonographer", "Ершова", "Светлана", "Аркадьевна", "Врач ультразвуковой диагностики"
)
SURGEON = Doctor("surgeon", "Дорофеев", "Константин", "Львович", "Врач-травматолог-ортопед")
GYNAECOLOGIST = Doctor("gynaecologist", "Щукина", "Юлия", "Борисовна", "Врач-акушер-гинеколог")
PULMONOLOGIST = Doctor("pulmonologist", "Абрамов", "Виктор", "Семёнович", "Врач-пульмонолог")

FIRST = "Первичный приём"
REPEATED = "Повторный приём"
CHECK_UP = "Диспансерный приём"

HBA1C = Analyte("4548-4", "Гликированный гемоглобин (HbA1c)", "%", "%", 4.0, 6.0)
GLUCOSE = Analyte("14771-0", "Глюкоза натощак, плазма", "ммоль/л", "mmol/L", 4.1, 6.1)
CREATININE_F = Analyte("14682-9", "Креатинин", "мкмоль/л", "umol/L", 44, 80)
CREATININE_M = Analyte("14682-9", "Креатинин", "мкмоль/л", "umol/L", 62, 106)
GFR = Analyte("62238-1", "СКФ по формуле CKD-EPI", "мл/мин/1,73 м²", "mL/min/{1.73_m2}", 90, None)
CHOLESTEROL = Analyte("14647-2", "Холестерин общий", "ммоль/л", "mmol/L", None, 5.0)
HDL = Analyte("14646-4", "Холестерин ЛПВП", "ммоль/л", "mmol/L", 1.2, None)
LDL = Analyte("22748-8", "Холестерин ЛПНП", "ммоль/л", "mmol/L", None, 2.6)
TRIGLYCERIDES = Analyte("14927-8", "Триглицериды", "ммоль/л", "mmol/L", None, 1.7)
ALT = Analyte("1742-6", "Аланинаминотрансфераза (АЛТ)", "Ед/л", "U/L", None, 35)
AST = Analyte("1920-8", "Аспартатаминотрансфераза (АСТ)", "Ед/л", "U/L", None, 35)
BILIRUBIN = Analyte("14631-6", "Билирубин общий", "мкмоль/л", "umol/L", 3.4, 20.5)
POTASSIUM = Analyte("2823-3", "Калий", "ммоль/л", "mmol/L", 3.5, 5.1)
ALBUMIN_RATIO = Analyte(
    "32294-1", "Альбумин/креатинин в разовой порции мочи", "мг/ммоль", "mg/mmol", None, 3.0
)
HAEMOGLOBIN_F = Analyte("718-7", "Гемоглобин", "г/л", "g/L", 120, 150)
HAEMOGLOBIN_M = Analyte("718-7", "Гемоглобин", "г/л", "g/L", 130, 170)
ERYTHROCYTES_F = Analyte("789-8", "Эритроциты", "10¹²/л", "10*12/L", 3.8, 5.1)
ERYTHROCYTES_M = Analyte("789-8", "Эритроциты", "10¹²/л", "10*12/L", 4.3, 5.7)
MCV = Analyte("787-2", "Средний объём эритроцита (MCV)", "фл", "fL", 80, 100)
LEUKOCYTES = Analyte("6690-2", "Лейкоциты", "10⁹/л", "10*9/L", 4.0, 9.0)
PLATELETS = Analyte("777-3", "Тромбоциты", "10⁹/л", "10*9/L", 150, 400)
ESR_F = Analyte("4537-7", "СОЭ по Вестергрену", "мм/ч", "mm/h", None, 20)
ESR_M = Analyte("4537-7", "СОЭ по Вестергрену", "мм/ч", "mm/h", None, 15)
FERRITIN_F = Analyte("2276-4", "Ферритин", "мкг/л", "ug/L", 13, 150)
IRON_F = Analyte("14798-3", "Железо сывороточное", "мкмоль/л", "umol/L", 9.0, 30.4)
PSA = Analyte("2857-1", "Простатспецифический антиген общий", "нг/мл", "ng/mL", None, 4.0)

BLOOD_COUNT = ("58410-2", "Общий анализ крови, автоматический подсчёт")
LIPIDS = ("57698-3", "Липидный профиль")
ECG = ("11524-6", "ЭКГ")
CHEST = ("36643-5", "Рентгенография органов грудной клетки в двух проекциях")
ABDOMEN = ("24558-9", "УЗИ органов брюшной полости")
MAMMOGRAPHY = ("24606-6", "Скрининговая маммография")

O_GROUP = ("0(I)", "58460004", "Blood group O (finding)")
A_GROUP = ("A(II)", "112144000", "Blood group A (finding)")
B_GROUP = ("B(III)", "112149005", "Blood group B (finding)")
AB_GROUP = ("AB(IV)", "165743006", "Blood group AB (finding)")

I10 = ("I10", "Эссенциальная [первичная] гипертензия")
I11 = (
    "I11.9",
    "Гипертензивная [гипертоническая] болезнь с преимущественным поражением сердца"
    " без (застойной) сердечной недостаточности",
)
E11 = ("E11.9", "Инсулиннезависимый сахарный диабет без осложнений")
E78 = ("E78.0", "Чистая гиперхолестеринемия")
K76 = ("K76.0", "Жировая дегенерация печени, не классифицированная в других рубриках")
J06 = ("J06.9", "Острая инфекция верхних дыхательных путей неуточненная")
J44_8 = ("J44.8", "Другая уточненная хроническая обструктивная легочная болезнь")


def bundles() -> dict[str, Resource]:
    """The transaction Bundles by the person's key in `people.json`."""
    charts = {
        "anna": _anna,
        "maxim": _maxim,
        "not_verified": _nikolai,
        "consent_not_given": _olga,
    }
    data = json.loads(PEOPLE.read_text("utf-8"))
    people: dict[str, dict[str, Any]] = {person["key"]: person for person in data["patients"]}
    clinics = {
        clinic["clinic_id"]: Clinic(
            clinic["clinic_id"], clinic["name"], clinic["phone"], clinic["address"]
        )
        for clinic in data["clinics"]
    }
    result = {}
    for key, write in charts.items():
        chart = Chart(people[key], clinics[people[key]["clinic_id"]])
        write(chart)
        result[key] = chart.bundle()
    return result


def _anna(chart: Chart) -> None:
    chart.blood_group("2012-05-21", A_GROUP, rhesus=True)
    chart.allergy(
        "Пенициллины",
        "medication",
        "high",
        ["Крапивница", "Отёк Квинке"],
        "2009-02-12",
        (SNOMED, "764146007", "Penicillin (substance)"),
    )
    chart.allergy("Пыльца берёзы", "environment", "low", ["Насморк, слезотечение"], "2016-05-11")
    chart.problem(
        *I11,
        "Гипертоническая болезнь II стадии, контролируемая артериальная гипертензия, риск 3",
        "2023-11-14",
        THERAPIST,
    )
    chart.problem(*E11, "Сахарный диабет 2 типа", "2023-11-28", ENDOCRINOLOGIST)
    chart.problem(*E78, "Гиперхолестеринемия", "2025-04-15", THERAPIST)
    chart.problem(*K76, "Неалкогольная жировая болезнь печени", "2026-05-19", THERAPIST)
    _anna_2023(chart)
    _anna_2024(chart)
    _anna_2025(chart)
    _anna_2026(chart)


def _anna_2023(chart: Chart) -> None:
    day = "2023-11-14"
    visit = chart.visit(
        day,
        "09:20",
        THERAPIST,
        f"{FIRST} врача-терапевта",
        "Головная боль в затылке по утрам, повышение давления до 165/100, жажда, быстрая"
        " утомляемость в течение трёх месяцев.",
        (*I10, "Артериальная гипертензия 2 степени, впервые выявленная"),
        ("R73.0", "Отклонения результатов нормы теста на толерантность к глюкозе", "Гипергликемия"),
    )
    chart.vitals(visit, day, 162, 98, 84.5)
    chart.drug(
        visit,
        day,
        THERAPIST,
        "Лизиноприл, таблетки 10 мг",
        ("C09AA03", "Лизиноприл"),
        Dose("По 1 таблетке (10 мг) 1 раз в день, утром, длительно", 1, 1, "таблетка"),
        "2024-06-18",
        status="stopped",
        stopped_because="Сухой кашель",
    )
    chart.referral(visit, day, THERAPIST, "Консультация врача-эндокринолога", done=True)
    chart.referral(visit, day, THERAPIST, "Биохимический анализ крови", done=True)
    chart.advice(
        visit,
        day,
        THERAPIST,
        "Измерять давление утром и вечером, записывать в дневник",
        "Ограничить соль до 5 г в сутки",
        active=False,
    )
    chart.study(
        "2023-11-16",
        "Электрокардиография в 12 отведениях",
        "EC",
        ECG,
        "Ритм синусовый, ЧСС 78 в минуту. Электрическая ось отклонена влево. Признаки гипертрофии"
        " левого желудочка.",
        FUNCTIONAL,
        visit,
    )
    chart.laboratory(
        "2023-11-20",
        "Биохимический анализ крови",
        [
            (GLUCOSE, 8.4),
            (HBA1C, 7.6),
            (CREATININE_F, 68),
            (GFR, 96),
            (POTASSIUM, 4.4),
            (ALT, 38),
            (AST, 29),
            (BILIRUBIN, 11.2),
            (CHOLESTEROL, 5.9),
        ],
        visit=visit,
    )
    day = "2023-11-28"
    visit = chart.visit(
        day,
        "11:00",
        ENDOCRINOLOGIST,
        f"{FIRST} врача-эндокринолога",
        "Жажда, сухость во рту, учащённое мочеиспускание. Прибавка веса 6 кг за год.",
        (*E11, "Сахарный диабет 2 типа, впервые выявленный, целевой HbA1c менее 6,5 %"),
        (
            "E66.0",
            "Ожирение, обусловленное избыточным поступлением энергетических ресурсов",
            "Ожирение 1 степени, ИМТ 30,7",
        ),
    )
    chart.drug(
        visit,
        day,
        ENDOCRINOLOGIST,
        "Метформин, таблетки 500 мг",
        ("A10BA02", "Метформин"),
        Dose("По 1 таблетке (500 мг) 2 раза в день во время еды", 2, 1, "таблетка"),
        "2024-03-05",
        status="completed",
    )
    chart.advice(
        visit,
        day,
        ENDOCRINOLOGIST,
        "Исключить сладкие напитки, есть 3 раза в день небольшими порциями",
        "Ходьба не менее 30 минут в день",
        "Измерять глюкозу натощак 3 раза в неделю",
    )


def _anna_2024(chart: Chart) -> None:
    chart.laboratory(
        "2024-03-01", "Глюкоза и гликированный гемоглобин", [(GLUCOSE, 6.9), (HBA1C, 6.9)]
    )
    day = "2024-03-05"
    visit = chart.visit(
        day,
        "12:20",
        ENDOCRINOLOGIST,
        f"{REPEATED} врача-эндокринолога",
        "Жажды нет, похудела на 3 кг. Первую неделю приёма метформина беспокоила тошнота, прошла.",
        (*E11, "Сахарный диабет 2 типа, целевой HbA1c менее 6,5 % не достигнут"),
    )
    chart.vitals(visit, day, 136, 86, 81.4)
    _metformin(chart, visit, day, ENDOCRINOLOGIST, "2025-03-04", "completed")
    day = "2024-06-18"
    visit = chart.visit(
        day,
        "10:40",
        CARDIOLOGIST,
        f"{FIRST} врача-кардиолога",
        "Сухой кашель в течение двух месяцев, без температуры. Давление дома 130–140/85.",
        (*I11, "Гипертоническая болезнь II стадии, гипертрофия левого желудочка, риск 3"),
    )
    chart.vitals(visit, day, 138, 86, 80.9)
    _losartan(chart, visit, day, CARDIOLOGIST, "2025-06-17", "completed")
    chart.advice(visit, day, CARDIOLOGIST, "Отменить лизиноприл из-за кашля", active=False)
    chart.study(
        "2024-06-20",
        "Электрокардиография в 12 отведениях",
        "EC",
        ECG,
        "Ритм синусовый, ЧСС 72 в минуту. Признаки гипертрофии левого желудочка, без динамики по"
        " сравнению с записью от 16.11.2023.",
        FUNCTIONAL,
        visit,
    )
    chart.laboratory(
        "2024-09-10",
        "Глюкоза и гликированный гемоглобин",
        [(GLUCOSE, 6.3), (HBA1C, 6.5)],
    )
    day = "2024-12-10"
    visit = chart.visit(
        day,
        "15:00",
        THERAPIST,
        f"{FIRST} врача-терапевта",
        "Кашель с желтоватой мокротой, температура 38,2, слабость, болеет пятый день.",
        ("J20.9", "Острый бронхит неуточненный", "Острый бронхит"),
        resolved="2024-12-23",
    )
    chart.study(
        "2024-12-10",
        "Рентгенография органов грудной клетки",
        "RAD",
        CHEST,
        "Очаговых и инфильтративных изменений нет. Лёгочный рисунок усилен в прикорневых отделах."
        " Синусы свободны.",
        RADIOLOGIST,
        visit,
    )
    chart.laboratory(
        "2024-12-11",
        "Общий анализ крови",
        [
            (HAEMOGLOBIN_F, 131),
            (ERYTHROCYTES_F, 4.5),
            (LEUKOCYTES, 11.8),
            (PLATELETS, 286),
            (ESR_F, 31),
        ],
        visit=visit,
        panel=BLOOD_COUNT,
        conclusion="Лейкоцитоз, ускорение СОЭ.",
    )
    chart.drug(
        visit,
        day,
        THERAPIST,
        "Азитромицин, таблетки 500 мг",
        ("J01FA10", "Азитромицин"),
        Dose(
            "По 1 таблетке (500 мг) 1 раз в день за час до еды, 3 дня. Пенициллины противопоказаны",
            1,
            1,
            "таблетка",
        ),
        "2024-12-12",
        status="completed",
    )
    chart.drug(
        visit,
        day,
        THERAPIST,
        "Амброксол, сироп 30 мг/5 мл",
        ("R05CB06", "Амброксол"),
        Dose("По 10 мл 2 раза в день после еды, 7 дней", 2, 10, "мл"),
        "2024-12-16",
        status="completed",
    )
    chart.advice(
        visit,
        day,
        THERAPIST,
        "Тёплое питьё, постельный режим до снижения температуры",
        active=False,
    )


def _anna_2025(chart: Chart) -> None:
    chart.laboratory(
        "2025-04-10",
        "Биохимический анализ крови",
        [(GLUCOSE, 6.4), (HBA1C, 6.4), (CREATININE_F, 71), (GFR, 92), (ALT, 41), (AST, 33)],
    )
    chart.laboratory(
        "2025-04-10",
        "Липидный профиль",
        [(CHOLESTEROL, 6.4), (LDL, 4.1), (HDL, 1.3), (TRIGLYCERIDES, 2.1)],
        panel=LIPIDS,
        conclusion="Гиперхолестеринемия, повышение ЛПНП.",
    )
    day = "2025-04-15"
    visit = chart.visit(
        day,
        "08:40",
        THERAPIST,
        f"{CHECK_UP} врача-терапевта",
        "Жалоб нет.",
        (*E78, "Гиперхолестеринемия, целевой ЛПНП менее 1,8 ммоль/л"),
        (*I11, "Гипертоническая болезнь II стадии, контролируемая"),
        (*E11, "Сахарный диабет 2 типа"),
    )
    chart.vitals(visit, day, 128, 82, 79.8)
    _atorvastatin(chart, visit, day, THERAPIST, "2026-04-14", "completed")
    _losartan(chart, visit, day, THERAPIST, "2026-04-14", "completed")
    _metformin(chart, visit, day, THERAPIST, "2025-11-18", "completed")
    chart.referral(
        visit, day, THERAPIST, "Консультация врача-офтальмолога, осмотр глазного дна", done=True
    )
    day = "2025-10-21"
    visit = chart.visit(
        day,
        "16:10",
        OPHTHALMOLOGIST,
        f"{FIRST} врача-офтальмолога",
        "Трудно читать вблизи, глаза устают к вечеру.",
        ("H52.4", "Пресбиопия", "Пресбиопия. Признаков диабетической ретинопатии нет"),
    )
    chart.advice(
        visit,
        day,
        OPHTHALMOLOGIST,
        "Очки для чтения +1,0 дптр на оба глаза",
        "Осмотр глазного дна раз в год",
    )
    chart.vaccine(
        "2025-10-28", "Вакцина гриппозная четырёхвалентная инактивированная", "Г-2025-118"
    )
    chart.laboratory(
        "2025-11-13",
        "Биохимический анализ крови",
        [(GLUCOSE, 6.7), (HBA1C, 6.6), (CREATININE_F, 73), (GFR, 89), (CHOLESTEROL, 4.6)],
    )
    chart.laboratory(
        "2025-11-13",
        "Альбумин и креатинин в моче",
        [(ALBUMIN_RATIO, 1.4)],
        conclusion="Альбуминурии нет.",
    )
    day = "2025-11-18"
    visit = chart.visit(
        day,
        "13:00",
        ENDOCRINOLOGIST,
        f"{CHECK_UP} врача-эндокринолога",
        "Жалоб нет. Глюкоза дома натощак 6,0–6,8.",
        (*E11, "Сахарный диабет 2 типа, целевой HbA1c менее 6,5 %"),
    )
    chart.vitals(visit, day, 126, 80, 79.2)
    _metformin(chart, visit, day, ENDOCRINOLOGIST, "2026-11-17", "completed")
    chart.advice(visit, day, ENDOCRINOLOGIST, "Осматривать стопы каждый день")


def _anna_2026(chart: Chart) -> None:
    chart.laboratory(
        "2026-05-14",
        "Биохимический анализ крови",
        [
            (GLUCOSE, 6.9),
            (HBA1C, 6.8),
            (CREATININE_F, 74),
            (GFR, 87),
            (ALT, 58),
            (AST, 42),
            (BILIRUBIN, 12.6),
            (CHOLESTEROL, 4.3),
        ],
        conclusion="Умеренное повышение АЛТ и АСТ.",
    )
    day = "2026-05-19"
    visit = chart.visit(
        day,
        "09:00",
        THERAPIST,
        f"{CHECK_UP} врача-терапевта",
        "Тяжесть в правом подреберье после жирной пищи.",
        (*K76, "Неалкогольная жировая болезнь печени"),
        (*E78, "Гиперхолестеринемия, на терапии"),
    )
    chart.vitals(visit, day, 130, 82, 80.6)
    _atorvastatin(chart, visit, day, THERAPIST, "2027-05-18")
    _losartan(chart, visit, day, THERAPIST, "2027-05-18", "stopped", "Доза увеличена до 100 мг")
    chart.study(
        "2026-05-22",
        "УЗИ органов брюшной полости",
        "RUS",
        ABDOMEN,
        "Печень увеличена, эхогенность повышена, контуры ровные. Желчный пузырь без конкрементов."
        " Поджелудочная железа и селезёнка без особенностей. Заключение: признаки жирового"
        " гепатоза.",
        SONOGRAPHER,
        visit,
    )
    chart.study(
        "2026-05-26",
        "Маммография скрининговая",
        "RAD",
        MAMMOGRAPHY,
        "Категория BI-RADS 1 справа и слева: патологических изменений не выявлено. Контроль через"
        " 2 года.",
        RADIOLOGIST,
        visit,
    )
    chart.advice(
        visit,
        day,
        THERAPIST,
        "Снизить вес на 7 % за полгода",
        "Исключить алкоголь",
        "Контроль АЛТ и АСТ через 3 месяца",
    )
    chart.laboratory("2026-08-20", "Печёночные пробы", [(ALT, 44), (AST, 34), (BILIRUBIN, 10.9)])
    chart.vaccine(
        "2026-10-06", "Вакцина гриппозная четырёхвалентная инактивированная", "Г-2026-041"
    )
    day = "2026-11-10"
    visit = chart.visit(
        day,
        "10:00",
        CARDIOLOGIST,
        f"{REPEATED} врача-кардиолога",
        "Повышение давления до 145/90 по вечерам в течение месяца.",
        (*I11, "Гипертоническая болезнь II стадии, целевое давление не достигнуто, риск 3"),
    )
    chart.vitals(visit, day, 144, 90, 81.2)
    chart.drug(
        visit,
        day,
        CARDIOLOGIST,
        "Лозартан, таблетки 100 мг",
        ("C09CA01", "Лозартан"),
        Dose("По 1 таблетке (100 мг) 1 раз в день, утром, длительно", 1, 1, "таблетка"),
        "2027-11-09",
    )
    chart.drug(
        visit,
        day,
        CARDIOLOGIST,
        "Амлодипин, таблетки 5 мг",
        ("C08CA01", "Амлодипин"),
        Dose("По 1 таблетке (5 мг) 1 раз в день, вечером, длительно", 1, 1, "таблетка"),
        "2027-11-09",
    )
    chart.study(
        "2026-11-11",
        "Электрокардиография в 12 отведениях",
        "EC",
        ECG,
        "Ритм синусовый, ЧСС 74 в минуту. Признаки гипертрофии левого желудочка, без динамики.",
        FUNCTIONAL,
        visit,
    )
    chart.referral(visit, day, CARDIOLOGIST, "Эхокардиография", why="Гипертрофия левого желудочка")
    chart.laboratory(
        "2026-11-12",
        "Биохимический анализ крови",
        [
            (GLUCOSE, 7.8),
            (HBA1C, 7.1),
            (CREATININE_F, 76),
            (GFR, 84),
            (POTASSIUM, 4.6),
            (ALT, 40),
            (AST, 31),
        ],
    )
    chart.laboratory(
        "2026-11-12",
        "Липидный профиль",
        [(CHOLESTEROL, 4.1), (LDL, 2.2), (HDL, 1.3), (TRIGLYCERIDES, 1.6)],
        panel=LIPIDS,
    )
    chart.laboratory(
        "2026-11-12",
        "Альбумин и креатинин в моче",
        [(ALBUMIN_RATIO, 3.6)],
        status="preliminary",
        conclusion="Повышение умеренное. Нужен повторный анализ через 3 месяца.",
    )
    day = "2026-11-16"
    visit = chart.visit(
        day,
        "14:20",
        ENDOCRINOLOGIST,
        f"{REPEATED} врача-эндокринолога",
        "Глюкоза дома натощак 7,5–8,2 в течение двух месяцев, прибавка веса 2 кг.",
        (*E11, "Сахарный диабет 2 типа, целевой HbA1c менее 7,0 % не достигнут"),
    )
    _metformin(chart, visit, day, ENDOCRINOLOGIST, "2027-11-15")
    chart.drug(
        visit,
        day,
        ENDOCRINOLOGIST,
        "Эмпаглифлозин, таблетки 10 мг",
        ("A10BK03", "Эмпаглифлозин"),
        Dose("По 1 таблетке (10 мг) 1 раз в день, утром", 1, 1, "таблетка"),
        "2027-11-15",
    )
    chart.advice(
        visit,
        day,
        ENDOCRINOLOGIST,
        "Пить не меньше 1,5 л воды в день",
        "Контроль HbA1c через 3 месяца",
        "Повторить анализ на альбумин в моче через 3 месяца",
    )
    chart.referral(
        visit,
        day,
        ENDOCRINOLOGIST,
        "Консультация врача-офтальмолога, осмотр глазного дна",
        why="Ежегодный осмотр при сахарном диабете",
    )


def _metformin(
    chart: Chart, visit: str, day: str, doctor: Doctor, until: str, status: str = "active"
) -> None:
    chart.drug(
        visit,
        day,
        doctor,
        "Метформин, таблетки 1000 мг",
        ("A10BA02", "Метформин"),
        Dose("По 1 таблетке (1000 мг) 2 раза в день во время еды", 2, 1, "таблетка"),
        until,
        status=status,
    )


def _losartan(
    chart: Chart,
    visit: str,
    day: str,
    doctor: Doctor,
    until: str,
    status: str = "active",
    stopped_because: str | None = None,
) -> None:
    chart.drug(
        visit,
        day,
        doctor,
        "Лозартан, таблетки 50 мг",
        ("C09CA01", "Лозартан"),
        Dose("По 1 таблетке (50 мг) 1 раз в день, утром, длительно", 1, 1, "таблетка"),
        until,
        status=status,
        stopped_because=stopped_because,
    )


def _atorvastatin(
    chart: Chart, visit: str, day: str, doctor: Doctor, until: str, status: str = "active"
) -> None:
    chart.drug(
        visit,
        day,
        doctor,
        "Аторвастатин, таблетки 20 мг",
        ("C10AA05", "Аторвастатин"),
        Dose("По 1 таблетке (20 мг) 1 раз в день, вечером, длительно", 1, 1, "таблетка"),
        until,
        status=status,
    )


def _maxim(chart: Chart) -> None:
    chart.blood_group("2023-09-05", O_GROUP, rhesus=False)
    chart.no_allergies("2023-09-05")
    day = "2026-02-03"
    visit = chart.visit(
        day,
        "17:00",
        THERAPIST,
        f"{FIRST} врача-терапевта",
        "Насморк, боль в горле, температура 37,8, болеет второй день.",
        (*J06, "Острая респираторная вирусная инфекция"),
        resolved="2026-02-10",
    )
    chart.drug(
        visit,
        day,
        THERAPIST,
        "Парацетамол, таблетки 500 мг",
        ("N02BE01", "Парацетамол"),
        Dose(
            "По 1 таблетке (500 мг) при температуре выше 38,5, не чаще 4 раз в день, до 3 дней",
            4,
            1,
            "таблетка",
            as_needed=True,
        ),
        "2026-02-05",
        status="completed",
    )
    chart.advice(
        visit, day, THERAPIST, "Обильное питьё, промывать нос солевым раствором", active=False
    )
    day = "2026-06-16"
    visit = chart.visit(
        day,
        "09:40",
        THERAPIST,
        "Профилактический осмотр",
        "Жалоб нет. Нужна справка для занятий в секции гребли.",
        ("Z02.5", "Обследование в связи с занятием спортом", "Здоров"),
    )
    chart.vitals(visit, day, 118, 74, 76.0)
    chart.laboratory(
        "2026-06-11",
        "Общий анализ крови",
        [
            (HAEMOGLOBIN_M, 152),
            (ERYTHROCYTES_M, 5.1),
            (LEUKOCYTES, 6.2),
            (PLATELETS, 241),
            (ESR_M, 4),
        ],
        visit=visit,
        panel=BLOOD_COUNT,
        interpreted=False,
    )
    chart.study(
        "2026-06-11",
        "Электрокардиография в 12 отведениях",
        "EC",
        ECG,
        "Ритм синусовый, ЧСС 62 в минуту. Вариант нормы.",
        FUNCTIONAL,
        visit,
    )
    chart.vaccine(
        "2026-06-16", "Анатоксин дифтерийно-столбнячный (АДС-М), ревакцинация", "А-2026-007", visit
    )
    day = "2026-09-15"
    visit = chart.visit(
        day,
        "18:20",
        SURGEON,
        f"{FIRST} врача-травматолога-ортопеда",
        "Подвернул правую ногу на тренировке вчера, боль и отёк по наружной стороне.",
        (
            "S93.4",
            "Растяжение и перенапряжение связок голеностопного сустава",
            "Растяжение связок правого голеностопного сустава",
        ),
        resolved="2026-10-06",
    )
    chart.drug(
        visit,
        day,
        SURGEON,
        "Ибупрофен, гель 5 %",
        ("M02AA13", "Ибупрофен"),
        Dose("Наносить тонким слоем 3 раза в день, 7 дней", 3, 4, "см", route="Наружно"),
        "2026-09-21",
        status="completed",
    )
    chart.advice(
        visit, day, SURGEON, "Покой, эластичный бинт 2 недели, холод первые сутки", active=False
    )


def _nikolai(chart: Chart) -> None:
    chart.blood_group("2018-03-13", B_GROUP, rhesus=True)
    chart.allergy(
        "Ацетилсалициловая кислота",
        "medication",
        "high",
        ["Приступ удушья"],
        "2011-10-04",
        (SNOMED, "387458008", "Aspirin (substance)"),
    )
    chart.problem(
        *J44_8, "Хроническая обструктивная болезнь лёгких, GOLD 2", "2019-02-19", PULMONOLOGIST
    )
    chart.problem(
        "N40",
        "Гиперплазия предстательной железы",
        "Доброкачественная гиперплазия предстательной железы",
        "2021-06-08",
        THERAPIST,
    )
    day = "2026-10-20"
    visit = chart.visit(
        day,
        "12:00",
        PULMONOLOGIST,
        f"{REPEATED} врача-пульмонолога",
        "Одышка при подъёме на третий этаж, утренний кашель со светлой мокротой.",
        (*J44_8, "Хроническая обструктивная болезнь лёгких, GOLD 2, вне обострения"),
    )
    chart.vitals(visit, day, 134, 78, 72.3)
    chart.drug(
        visit,
        day,
        PULMONOLOGIST,
        "Тиотропия бромид, капсулы с порошком для ингаляций 18 мкг",
        ("R03BB04", "Тиотропия бромид"),
        Dose("Содержимое 1 капсулы вдыхать 1 раз в день", 1, 1, "капсула", route="Ингаляционно"),
        "2027-04-19",
    )
    chart.advice(
        visit, day, PULMONOLOGIST, "Полностью отказаться от курения", "Прививка от пневмококка"
    )
    chart.laboratory(
        "2026-10-15",
        "Анализы перед диспансерным приёмом",
        [(PSA, 4.6), (CREATININE_M, 98), (GLUCOSE, 5.4)],
        interpreted=False,
    )


def _olga(chart: Chart) -> None:
    chart.blood_group("2017-01-24", AB_GROUP, rhesus=True)
    chart.no_allergies("2026-03-24")
    chart.problem(
        "D50.0",
        "Железодефицитная анемия вторичная вследствие потери крови (хроническая)",
        "Железодефицитная анемия лёгкой степени",
        "2026-03-31",
        THERAPIST,
    )
    chart.laboratory(
        "2026-03-26",
        "Общий анализ крови",
        [
            (HAEMOGLOBIN_F, 98),
            (ERYTHROCYTES_F, 3.9),
            (MCV, 74),
            (LEUKOCYTES, 5.6),
            (PLATELETS, 312),
        ],
        panel=BLOOD_COUNT,
        conclusion="Гипохромная микроцитарная анемия.",
    )
    chart.laboratory("2026-03-26", "Обмен железа", [(FERRITIN_F, 6), (IRON_F, 5.2)])
    day = "2026-03-31"
    visit = chart.visit(
        day,
        "11:20",
        THERAPIST,
        f"{FIRST} врача-терапевта",
        "Слабость, сонливость, выпадение волос, головокружение при резком вставании.",
        (
            "D50.0",
            "Железодефицитная анемия вторичная вследствие потери крови (хроническая)",
            "Железодефицитная анемия лёгкой степени",
        ),
    )
    chart.drug(
        visit,
        day,
        THERAPIST,
        "Железа [III] гидроксид полимальтозат, таблетки жевательные 100 мг",
        ("B03AB05", "Железа гидроксид полимальтозат"),
        Dose("По 1 таблетке (100 мг) 2 раза в день во время еды, 3 месяца", 2, 1, "таблетка"),
        "2026-06-30",
        status="completed",
    )
    chart.referral(visit, day, THERAPIST, "Консультация врача-акушера-гинеколога", done=True)
    day = "2026-04-14"
    visit = chart.visit(
        day,
        "15:40",
        GYNAECOLOGIST,
        f"{FIRST} врача-акушера-гинеколога",
        "Обильные менструации по 7 дней в течение года.",
        (
            "N92.0",
            "Обильные и частые менструации при регулярном цикле",
            "Обильные менструации при регулярном цикле",
        ),
    )
    chart.referral(visit, day, GYNAECOLOGIST, "УЗИ органов малого таза", done=True)
    chart.laboratory(
        "2026-07-07",
        "Общий анализ крови",
        [
            (HAEMOGLOBIN_F, 124),
            (ERYTHROCYTES_F, 4.4),
            (MCV, 84),
            (LEUKOCYTES, 5.9),
            (PLATELETS, 268),
        ],
        panel=BLOOD_COUNT,
    )
    chart.laboratory("2026-07-07", "Обмен железа", [(FERRITIN_F, 22), (IRON_F, 14.6)])
    day = "2026-07-09"
    visit = chart.visit(
        day,
        "10:00",
        THERAPIST,
        f"{REPEATED} врача-терапевта",
        "Самочувствие лучше, слабости нет.",
        (
            "D50.0",
            "Железодефицитная анемия вторичная вследствие потери крови (хроническая)",
            "Железодефицитная анемия, гемоглобин восстановлен",
        ),
    )
    chart.drug(
        visit,
        day,
        THERAPIST,
        "Железа [III] гидроксид полимальтозат, таблетки жевательные 100 мг",
        ("B03AB05", "Железа гидроксид полимальтозат"),
        Dose("По 1 таблетке (100 мг) 1 раз в день во время еды, 6 месяцев", 1, 1, "таблетка"),
        "2027-01-08",
    )
    chart.advice(
        visit, day, THERAPIST, "Мясо и печень 3–4 раза в неделю", "Контроль ферритина через полгода"
    )
