"""Answers of the catalogue, for OpenAPI and tests."""

from pydantic import BaseModel


class Support(BaseModel):
    phone: str | None
    url: str | None


class Service(BaseModel):
    service_id: str
    category: str
    title: str
    description: str
    requirements: list[str]


class ServiceList(BaseModel):
    items: list[Service]
    next_cursor: str | None


class Region(BaseModel):
    code: str
    name: str
    connected: bool
    support: Support


class RegionList(BaseModel):
    items: list[Region]
    next_cursor: str | None


class Clinic(BaseModel):
    clinic_id: str
    name: str
    region: str
    phone: str
    address: str
    connected: bool


class ClinicList(BaseModel):
    items: list[Clinic]
    next_cursor: str | None


class HelpEntry(BaseModel):
    id: str
    question: str
    answer: str
    steps: list[str]


class HelpList(BaseModel):
    items: list[HelpEntry]
    next_cursor: str | None
