"""Stores in the datastores of a vCenter or an ESXi host."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store
from glimpse.stores.vmware.places import Account, Datastore
from glimpse.transfer.lanes import BATCH_BYTES

OPTIONS = (
    cfg.StrOpt(
        "vmware_server_host",
        help="vCenter, or an ESXi host: `host` or `host:port`. It is part of the images' locations.",
    ),
    cfg.StrOpt("vmware_server_username", help="Who logs in to it."),
    cfg.StrOpt("vmware_server_password", secret=True, help="And by which password."),
    cfg.IntOpt(
        "vmware_api_retry_count",
        default=3,
        min=1,
        help="How often a call, or a read that breaks, is tried again.",
    ),
    cfg.IntOpt(
        "vmware_task_poll_interval",
        default=5,
        min=1,
        help="Seconds between looks at a task of vCenter, at most; the first looks are much quicker.",
    ),
    cfg.StrOpt(
        "vmware_store_image_dir",
        default="/openstack_glance",
        help="Folder of the images in the datastores; it is made when it is missing.",
    ),
    cfg.BoolOpt(
        "vmware_insecure",
        default=False,
        deprecated_name="vmware_api_insecure",
        help="Do not verify the server's certificate, unless there is a CA file.",
    ),
    cfg.StrOpt("vmware_ca_file", help="Authorities that the server's certificate is verified by."),
    cfg.MultiStrOpt(
        "vmware_datastores",
        help="`datacenter_path:datastore[:weight]`, once for each datastore. New images go to the one of the"
        " highest weight (default: 0) that has room; those of equal weight take turns.",
    ),
)


@dataclass(frozen=True, slots=True)
class VmwareBackend:
    """Which vCenter and as whom, the folder, and the datastores."""

    account: Account
    folder: str
    datastores: tuple[Datastore, ...]

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.vmware.store import VmwareStore

        return VmwareStore(store_id, self.account, self.folder, self.datastores)

    def properties(self) -> Mapping[str, object]:
        """The server, and where images are in it; not who calls."""
        return {
            "server_host": self.account.host,
            "store_image_dir": self.folder,
            "datastores": [f"{each}:{each.weight}" for each in self.datastores],
            "chunk_size": BATCH_BYTES,
        }


def _read(options: Any, _: cfg.ConfigOpts, __: Path) -> VmwareBackend:
    for name in ("vmware_server_host", "vmware_server_username", "vmware_server_password"):
        if not options[name]:
            raise Invalid(name, "a store of VMware needs it")
    account = Account(
        options.vmware_server_host,
        options.vmware_server_username,
        options.vmware_server_password,
        options.vmware_ca_file,
        options.vmware_insecure,
        options.vmware_api_retry_count,
        options.vmware_task_poll_interval,
    )
    _check(account)
    return VmwareBackend(account, _folder(options.vmware_store_image_dir), _datastores(options))


def _check(account: Account) -> None:
    try:
        account.address()
    except ValueError:
        raise Invalid("vmware_server_host", "it must be `host` or `host:port`") from None
    if account.ca_file:
        try:
            ssl.create_default_context(cafile=account.ca_file)
        except OSError as error:
            raise Invalid("vmware_ca_file", f"it holds no certificates ({type(error).__name__})") from None


def _folder(written: str) -> str:
    folder = written.strip("/")
    if any(part in ("", ".", "..") for part in folder.split("/")) or set(folder) & set('[]%\\?#"<>|*:'):
        raise Invalid("vmware_store_image_dir", f"'{written}' is no folder of a datastore")
    return folder


def _datastores(options: Any) -> tuple[Datastore, ...]:
    datastores = []
    for text in options.vmware_datastores or []:
        try:
            datastores.append(Datastore.parse(text))
        except ValueError:
            reason = f"'{text}' is not datacenter_path:datastore[:weight]"
            raise Invalid("vmware_datastores", reason) from None
    if not datastores:
        raise Invalid("vmware_datastores", "a store of VMware needs at least one")
    if len({str(each) for each in datastores}) < len(datastores):
        raise Invalid("vmware_datastores", "a datastore is named twice")
    return tuple(datastores)


KIND = Kind("vmware", frozenset({"vmware", "vsphere", "glance.store.vmware_datastore.Store"}), OPTIONS, _read)
