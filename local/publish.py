"""`make publish STACK=…`: put the built portal where the stack's distribution serves it.

What pages refer to comes first and the page last, so that nobody gets a page whose parts are not
there; files of earlier builds stay, for whoever still has their page open.
"""

import mimetypes
import sys
from pathlib import Path
from typing import Any

import botocore.session

from local.front import FOR_EVER, PORTAL


def main() -> None:
    """Upload web/dist to the bucket that the named stack tells."""
    session = botocore.session.get_session()
    cloudformation: Any = session.create_client("cloudformation")
    stack = cloudformation.describe_stacks(StackName=sys.argv[1])["Stacks"][0]
    outputs = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    count = upload(session.create_client("s3"), outputs["PortalBucketName"], PORTAL)
    print(f"{count} files; the portal is at https://{outputs['DistributionName']} and PortalUrl")


def upload(s3: Any, bucket: str, folder: Path) -> int:
    """Put every file of a build into the bucket, `index.html` last; how many they are."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    files.sort(key=lambda path: (path.name == "index.html", path.parent == folder, path))
    for path in files:
        name = path.relative_to(folder).as_posix()
        s3.put_object(
            Bucket=bucket,
            Key=name,
            Body=path.read_bytes(),
            ContentType=_media(path),
            CacheControl=FOR_EVER if name.startswith("assets/") else "no-cache",
        )
    return len(files)


def _media(path: Path) -> str:
    known = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
    if path.suffix in known:
        return f"{known[path.suffix]}; charset=utf-8"
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


if __name__ == "__main__":
    main()
