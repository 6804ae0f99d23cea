"""The outcomes of a run of Tempest, one a line as JSON.

Run by Tempest's own Python, with the subunit stream on standard input.
"""

import json
import sys
from typing import Any

import subunit  # type: ignore[import-not-found]
import testtools  # type: ignore[import-not-found]


def tell(test: dict[str, Any]) -> None:
    if test["status"] == "exists":
        return
    reason = test["details"].get("reason")
    text = "\n".join(part.as_text() for part in test["details"].values() if part.content_type.type == "text")
    outcome = {"id": test["id"], "status": test["status"], "reason": reason.as_text() if reason else text}
    sys.stdout.write(f"{json.dumps(outcome)}\n")


result = testtools.StreamToDict(tell)
result.startTestRun()
subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name="stdout").run(result)
result.stopTestRun()
