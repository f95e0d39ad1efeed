# What each rule of semgrep.yaml must find, and what it must leave alone: `make lint` compares.
# Nothing imports this file, and no other check looks at it.

# ruleid: client-made-elsewhere
import boto3

# ruleid: client-made-elsewhere
from boto3 import session as boto_session

# ruleid: client-made-elsewhere
from botocore.session import get_session

# ok: client-made-elsewhere
from kernel import aws

# ruleid: log-outside-of-the-list
import logging

# ruleid: log-outside-of-the-list
from logging import getLogger

# ruleid: log-outside-of-the-list
from aws_lambda_powertools import Logger

# ruleid: log-outside-of-the-list
from aws_lambda_powertools import Tracer

# ok: log-outside-of-the-list
from kernel import log


def clients(session):
    # ruleid: client-made-elsewhere
    session.create_client("dynamodb")
    # ruleid: client-made-elsewhere
    botocore.session.Session()
    # ok: client-made-elsewhere
    aws.kms()
    # ruleid: dynamodb-called-elsewhere
    aws.dynamodb().get_item(TableName="t", Key={})
    # ok: dynamodb-called-elsewhere
    dynamo.get("t", {})


def lines(name, error):
    # ruleid: log-outside-of-the-list
    print(name)
    # ruleid: log-outside-of-the-list
    sys.stdout.write(name)
    # ruleid: log-outside-of-the-list
    sys.stderr.write(name)
    # ruleid: log-outside-of-the-list
    traceback.print_exc()
    # ruleid: log-message-is-a-constant
    log.info(f"signed in {name}")
    # ruleid: log-message-is-a-constant
    log.info("signed in " + name, account_id=1)
    # ruleid: log-message-is-a-constant
    log.failure(str(error), error)
    # ok: log-message-is-a-constant
    log.info("signed in")
    # ok: log-message-is-a-constant
    log.info("signed in", account_id=name)
    # ok: log-message-is-a-constant
    log.failure("aws refused", error, action="GetItem")


def times(clock, now):
    # ruleid: time-without-the-clock
    time.time()
    # ruleid: time-without-the-clock
    datetime.now(UTC)
    # ruleid: time-without-the-clock
    datetime.utcnow()
    # ruleid: time-without-the-clock
    datetime.datetime.now()
    # ok: time-without-the-clock
    clock.now()
    # ok: time-without-the-clock
    time.sleep(0.1)


def settings():
    # ruleid: setting-without-settings
    os.getenv("TABLE", "test")
    # ruleid: setting-without-settings
    os.environ.get("TABLE")
    # ruleid: setting-without-settings
    os.environ["TABLE"]
    # ok: setting-without-settings
    load(Settings).table


def secrets(key, message, tag):
    # ruleid: secret-compared-by-equality
    if hashlib.sha256(message).digest() == tag:
        pass
    # ruleid: secret-compared-by-equality
    if tag == hashlib.sha256(message).hexdigest():
        pass
    # ruleid: secret-compared-by-equality
    if tag == hashlib.sha256(message).digest():
        pass
    # ruleid: secret-compared-by-equality
    if hashlib.sha256(message).hexdigest() == tag:
        pass
    # ruleid: secret-compared-by-equality
    if tag == hmac.digest(key, message, "sha256"):
        pass
    # ruleid: secret-compared-by-equality
    if hmac.digest(key, message, "sha256") == tag:
        pass
    # ok: secret-compared-by-equality
    if hmac.compare_digest(hmac.digest(key, message, "sha256"), tag):
        pass


def answers(work):
    try:
        work()
    except ValueError as error:
        # ruleid: exception-shown
        return Answer({}, str(error))
    except KeyError as error:
        # ruleid: exception-shown
        return {"status": 400, "detail": str(error)}
    except OSError as error:
        # ruleid: exception-shown
        return {"message": str(error), "status": 500}
    except TypeError as error:
        # ok: exception-shown
        raise InvalidBody(["/name"]) from error


def documents(text):
    # ruleid: xml-without-defusedxml
    xml.etree.ElementTree.fromstring(text)
    # ruleid: xml-without-defusedxml
    xml.etree.ElementTree.parse(text)
    # ruleid: xml-without-defusedxml
    xml.etree.ElementTree.XMLParser()
    # ruleid: xml-without-defusedxml
    xml.sax.parseString(text, handler)
    # ruleid: xml-without-defusedxml
    lxml.etree.parse(text)
    # ruleid: xml-without-defusedxml
    xml.dom.minidom.parseString(text)
    # ruleid: xml-without-defusedxml
    lxml.etree.fromstring(text)
    # ok: xml-without-defusedxml
    defusedxml.ElementTree.fromstring(text)
