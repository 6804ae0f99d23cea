"""Fills a Keystone that was just bootstrapped, or that an earlier seed has filled:

    python keystone-seed.py URL IMAGE-URL SWIFT-URL VOLUME-URL KEY-URL

Everybody's password is "secret".
"""

import json
import sys
import urllib.parse
import urllib.request

KEYSTONE, IMAGES, SWIFT, VOLUMES, KEYS = sys.argv[1:]

# (user, project, roles in the project). What a role implies (member: reader, ...) Keystone adds.
USERS = (
    ("glance", "service", ("admin", "service")),
    ("nova", "service", ("admin", "service")),
    ("swift", "service", ("service",)),
    ("reseller", "service", ("service", "ResellerAdmin")),
    ("cinder", "service", ("admin", "service")),
    ("barbican", "service", ("admin", "service")),
    ("demo", "demo", ("member",)),
    ("reader", "demo", ("reader",)),
    ("manager", "demo", ("manager",)),
    ("demo2", "demo2", ("member",)),
)

token = ""


def call(method, path, body=None):
    """The headers and the document of an answer."""
    request = urllib.request.Request(KEYSTONE + path, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("X-Auth-Token", token)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        content = answer.read()
        return answer.headers, json.loads(content) if content else None


def ensure(kind, **fields):
    """The id of the thing with these fields, which is made when there is none."""
    known = {name: value for name, value in fields.items() if name not in ("password", "url")}
    found = call("GET", f"/{kind}s?{urllib.parse.urlencode(known)}")[1][f"{kind}s"]
    return found[0]["id"] if found else call("POST", f"/{kind}s", {kind: fields})[1][kind]["id"]


def sign_in():
    """A token of the administrator that bootstrap has made."""
    domain = {"id": "default"}
    user = {"name": "admin", "domain": domain, "password": "secret"}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": "admin", "domain": domain}}
    return call("POST", "/auth/tokens", {"auth": {"identity": identity, "scope": scope}})[0]["X-Subject-Token"]


def main():
    global token
    token = sign_in()
    ensure("role", name="ResellerAdmin")  # to whom Swift gives every account
    roles = {role["name"]: role["id"] for role in call("GET", "/roles")[1]["roles"]}

    def user(name):
        return ensure("user", name=name, domain_id="default", password="secret")

    def grant(target, name, role):
        call("PUT", f"{target}/users/{user(name)}/roles/{roles[role]}")

    for name, project, names in USERS:
        target = f"/projects/{ensure('project', name=project, domain_id='default')}"
        for role in names:
            grant(target, name, role)
    for role in ("admin", "reader"):
        grant("/system", f"system-{role}", role)
        grant("/domains/default", f"domain-{role}", role)
    grant("/system", "glance", "reader")  # it reads everybody's limits

    ensure_service("glance", "image", IMAGES)
    ensure_service("swift", "object-store", f"{SWIFT}/v1/AUTH_%(project_id)s")
    ensure_service("cinderv3", "volumev3", VOLUMES)
    ensure_service("barbican", "key-manager", KEYS)


def ensure_service(name, kind, url):
    """A service in the catalog, whose three endpoints have this URL."""
    service = ensure("service", name=name, type=kind)
    for interface in ("public", "internal", "admin"):
        ensure("endpoint", service_id=service, interface=interface, region_id="RegionOne", url=url)
    for endpoint in call("GET", f"/endpoints?service_id={service}&region_id=RegionOne")[1]["endpoints"]:
        if endpoint["url"] != url:
            call("PATCH", f"/endpoints/{endpoint['id']}", {"endpoint": {"url": url}})


main()
