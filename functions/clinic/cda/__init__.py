"""Russian СЭМД (HL7 CDA R2): a document becomes the resources that FHIR would have sent. Pure."""
