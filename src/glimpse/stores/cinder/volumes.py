"""Cinder's volumes and their attachments, by its API."""

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from keystoneauth1 import exceptions as keystone
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session

from glimpse.domain.errors import Unavailable
from glimpse.stores.cinder.access import Account, Endpoint
from glimpse.stores.cinder.identity import Identity

# Attachments with a mode, since Cinder 14 (Stein).
_VERSION = {"OpenStack-API-Version": "volume 3.54"}

# Cinder lets its own services answer within 60 s when it attaches.
_CALL_SECONDS = 90.0

# States that a volume leaves by itself. Where a process died, it may attach and detach for ever.
_PASSING = frozenset({"creating", "extending", "deleting"})

_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class Volume:
    """What Cinder says of a volume. `gib` is its size."""

    id: str
    name: str
    status: str
    gib: int
    metadata: Mapping[str, str]
    multiattach: bool


@dataclass(eq=False)
class Refused(Exception):
    """Cinder will not do it: the status of its answer, and what it says of it."""

    status: int
    message: str

    def __str__(self) -> str:
        return self.message


class VolumeMissing(Exception):
    """There is no such volume, or not any more."""


class Volumes:
    """Cinder's API, as the account or the caller may use it. Every call may raise Unavailable.

    :param patience: how many seconds a volume may take to get from one state into another.
    """

    def __init__(self, store_id: str, account: Account, endpoint: Endpoint, patience: float) -> None:
        self.part = f"store {store_id}"
        self.patience = patience
        self._endpoint = endpoint
        verify = False if endpoint.insecure else endpoint.ca_file or True
        self._session = Session(verify=verify, timeout=min(_CALL_SECONDS, patience))
        self._identity = Identity(self.part, account)
        self._target = {
            "service_type": endpoint.service_type,
            "service_name": endpoint.service_name,
            "interface": endpoint.interface,
            "region_name": endpoint.region,
        }

    def create(self, name: str, gib: int, kind: str | None, metadata: Mapping[str, str]) -> Volume:
        """Ask for a volume. It is not there before `settled` says so.

        :raises Refused: 404: no such type; 413: the quota.
        """
        volume = {"name": name, "size": gib, "volume_type": kind, "metadata": dict(metadata)}
        return _volume(self._call("POST", "/volumes", {"volume": volume})["volume"])

    def show(self, volume_id: str) -> Volume:
        """:raises VolumeMissing: there is none."""
        try:
            return _volume(self._call("GET", f"/volumes/{volume_id}")["volume"])
        except Refused as error:
            raise self._missing(error) from None

    def find(self, key: str, value: str) -> Iterator[Volume]:
        """The project's volumes with that in their metadata."""
        query = urlencode({"metadata": repr({key: value})})
        path: str | None = f"/volumes/detail?{query}"
        marker = ""
        while path:
            page = [_volume(each) for each in self._asked("GET", path + marker)["volumes"]]
            # An operator may have switched the filter off.
            yield from (volume for volume in page if volume.metadata.get(key) == value)
            marker = f"&marker={page[-1].id}" if page else ""
            path = path if page else None

    def settled(self, volume_id: str, passing: Collection[str]) -> Volume:
        """The volume when it has left these states.

        :raises VolumeMissing: it went away.
        :raises Unavailable: it takes too long.
        """
        deadline, pause = time.monotonic() + self.patience, _PAUSE
        while (volume := self.show(volume_id)).status in passing:
            if time.monotonic() + pause > deadline:
                raise Unavailable(self.part, f"a volume stays in the state '{volume.status}'")
            time.sleep(pause)
            pause = min(pause * 1.4, _LONGEST_PAUSE)
        return volume

    def publish(self, volume_id: str, name: str, metadata: Mapping[str, str]) -> None:
        """Give the volume its name and all of its metadata, in one step.

        :raises VolumeMissing: there is none.
        """
        self._change("PUT", volume_id, "", {"volume": {"name": name, "metadata": dict(metadata)}})

    def make_read_only(self, volume_id: str) -> None:
        """:raises VolumeMissing: there is none. :raises Refused: 400: not in its present state."""
        self._change("POST", volume_id, "/action", {"os-update_readonly_flag": {"readonly": True}})

    def extend(self, volume_id: str, gib: int) -> None:
        """Ask for a larger volume.

        :raises VolumeMissing: there is none.
        :raises Refused: 413: the quota; 400: not in its present state.
        """
        self._change("POST", volume_id, "/action", {"os-extend": {"new_size": gib}})

    def delete(self, volume: Volume) -> None:
        """Ask for the volume's end; by force where Cinder has failed at that, which only administrators may.

        :raises VolumeMissing: there is none.
        :raises Refused: 400: not in its present state.
        """
        if volume.status == "error_deleting":
            self._change("POST", volume.id, "/action", {"os-force_delete": {}})
        else:
            self._change("DELETE", volume.id, "", None)

    def purge(self, volume_id: str) -> None:
        """End all attachments of the volume, and the volume; come back when it is gone, or was before.

        :raises Unavailable: it does not go in time.
        """
        deadline, failures = time.monotonic() + self.patience, 0
        with suppress(VolumeMissing):
            while True:
                volume = self.settled(volume_id, _PASSING)
                failures += volume.status == "error_deleting"
                # It may have failed long ago, for a reason that is gone.
                if failures > 1 or time.monotonic() > deadline:
                    raise Unavailable(self.part, f"a volume stays in the state '{volume.status}'")
                for attachment in self.attachments(volume_id):
                    self.detach(attachment)
                # It is not in a state for that while its attachments end, or the backend finds it in use.
                with suppress(Refused):
                    self.delete(volume)
                time.sleep(_PAUSE)

    def reserve(self, volume_id: str, mode: str) -> str:
        """The id of a new attachment, for reading ("ro") or writing ("rw").

        :raises VolumeMissing: there is none.
        :raises Refused: 400: somebody else has it.
        """
        body = {"volume_uuid": volume_id, "mode": mode}
        try:
            return str(self._call("POST", "/attachments", {"attachment": body})["attachment"]["id"])
        except Refused as error:
            raise self._missing(error) from None

    def export(self, attachment_id: str, connector: Mapping[str, object]) -> dict[str, Any]:
        """What os-brick needs to connect the attachment here. :raises Refused: the attachment is gone."""
        body = {"attachment": {"connector": dict(connector)}}
        answer = self._call("PUT", f"/attachments/{attachment_id}", body)
        return dict(answer["attachment"]["connection_info"])

    def complete(self, attachment_id: str) -> None:
        """Say that the volume is in use. :raises Refused: the attachment is gone."""
        self._call("POST", f"/attachments/{attachment_id}/action", {"os-complete": {}})

    def attachments(self, volume_id: str) -> list[str]:
        """The ids of all attachments of the volume."""
        answer = self._asked("GET", f"/attachments?{urlencode({'volume_id': volume_id})}")
        return [each["id"] for each in answer["attachments"]]

    def detach(self, attachment_id: str) -> None:
        """End an attachment, if it is still there."""
        try:
            self._call("DELETE", f"/attachments/{attachment_id}")
        except Refused as error:
            if error.status != 404:
                raise Unavailable(self.part, f"Cinder does not detach: {error}") from None

    def quota(self) -> tuple[int, int]:
        """How many GiB the project has, and how many it may have; -1: any number."""
        absolute = self._asked("GET", "/limits")["limits"]["absolute"]
        return absolute["totalGigabytesUsed"], absolute["maxTotalVolumeGigabytes"]

    def backends(self) -> int | None:
        """How many backends Cinder has; None: it is not for the account to know."""
        try:
            return len(self._call("GET", "/scheduler-stats/get_pools")["pools"])
        except Refused:
            return None

    def reason(self, volume_id: str) -> str:
        """What Cinder tells its users of a volume that went wrong."""
        try:
            messages = self._call("GET", f"/messages?{urlencode({'resource_uuid': volume_id})}")["messages"]
        except Refused:
            return "no reason is given"
        return str(messages[0]["user_message"]) if messages else "no reason is given"

    def _change(self, method: str, volume_id: str, action: str, body: object) -> None:
        try:
            self._call(method, f"/volumes/{volume_id}{action}", body)
        except Refused as error:
            raise self._missing(error) from None

    def _asked(self, method: str, path: str) -> Any:
        try:
            return self._call(method, path)
        except Refused as error:
            raise Unavailable(self.part, f"Cinder refuses a request: {error}") from None

    def _missing(self, error: Refused) -> Exception:
        return VolumeMissing() if error.status == 404 else error

    def _call(self, method: str, path: str, body: object = None) -> Any:
        """The document of the answer. What might be done twice is not tried again."""
        retries = self._endpoint.retries if method == "GET" else 0
        auth = self._identity.plugin()
        try:
            answer = self._session.request(
                self._base(auth) + path,
                method,
                auth=auth,
                json=body,
                headers={"Accept": "application/json", **_VERSION},
                endpoint_filter=None if self._endpoint.template else self._target,
                authenticated=True,
                connect_retries=retries,
                status_code_retries=retries,
                raise_exc=False,
            )
        except keystone.ClientException as error:
            raise Unavailable(self.part, _trouble(error)) from None
        if answer.status_code < 400:
            return answer.json() if answer.content else None
        message = _message(answer)
        if answer.status_code in (400, 404, 409, 413):
            raise Refused(answer.status_code, message)
        raise Unavailable(self.part, f"Cinder answers {answer.status_code}: {message}")

    def _base(self, auth: BaseAuthPlugin) -> str:
        if not self._endpoint.template:
            return ""
        project = self._session.get_project_id(auth) if "%(" in self._endpoint.template else ""
        # As Glance's templates, which know the project by three names.
        names = {"tenant": project, "tenant_id": project, "project_id": project}
        return str(self._endpoint.template % names).rstrip("/")


def _volume(document: Mapping[str, Any]) -> Volume:
    return Volume(
        document["id"],
        document["name"] or "",
        document["status"],
        document["size"],
        document["metadata"],
        bool(document.get("multiattach")),
    )


def _message(answer: Any) -> str:
    """What Cinder says in its answer, on one line."""
    try:
        (fault,) = answer.json().values()
        return " ".join(str(fault["message"]).split())[:300]
    except (ValueError, AttributeError, KeyError, TypeError):
        return "without a message"


def _trouble(error: keystone.ClientException) -> str:
    """The failure without URLs."""
    match error:
        case keystone.Unauthorized():
            return "Keystone refuses the credentials of the store"
        case keystone.EndpointNotFound() | keystone.CatalogException():
            return "the catalog has no such service, interface or region"
        case keystone.SSLError():
            return "the certificate of Keystone or Cinder cannot be verified"
        case keystone.ConnectTimeout():
            return "Keystone or Cinder does not answer in time"
        case keystone.ConnectionError() | keystone.DiscoveryFailure():
            return "Keystone or Cinder does not answer"
    return f"the authentication fails ({type(error).__name__})"
