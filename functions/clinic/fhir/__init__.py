"""FHIR R4 intake: a Bundle becomes entries, entries become record drafts. Pure, no I/O."""
