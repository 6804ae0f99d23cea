"""Fills a Cinder: python cinder-seed.py KEYSTONE-URL CINDER-URL [--wait].

With --wait it only says, by its exit status, whether all of Cinder's services are up.
"""

import json
import sys
import urllib.parse
import urllib.request

KEYSTONE, CINDER = sys.argv[1:3]

# Name, backend, and whether several may attach a volume of it.
TYPES = (("rbd", "rbd", False), ("shared", "rbd", True), ("nfs", "nfs", False))

# The project "demo" has room for so many GiB.
LITTLE_ROOM = 3


def call(method, url, token=None, body=None):
    """The headers and the document of an answer."""
    request = urllib.request.Request(url, method=method, data=json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("X-Auth-Token", token)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        content = answer.read()
        return answer.headers, json.loads(content) if content else None


def sign_in():
    """A token of Cinder's own user."""
    domain = {"id": "default"}
    user = {"name": "cinder", "domain": domain, "password": "secret"}
    identity = {"methods": ["password"], "password": {"user": user}}
    scope = {"project": {"name": "service", "domain": domain}}
    body = {"auth": {"identity": identity, "scope": scope}}
    return call("POST", f"{KEYSTONE}/auth/tokens", body=body)[0]["X-Subject-Token"]


def all_are_up(token):
    services = call("GET", f"{CINDER}/os-services", token)[1]["services"]
    up = {service["host"].partition("@")[2] or service["binary"] for service in services if service["state"] == "up"}
    return up >= {"rbd", "nfs", "cinder-scheduler"}


def fill(token):
    known = {each["name"] for each in call("GET", f"{CINDER}/types", token)[1]["volume_types"]}
    for name, backend, multiattach in TYPES:
        specs = {"volume_backend_name": backend} | ({"multiattach": "<is> True"} if multiattach else {})
        if name not in known:
            call("POST", f"{CINDER}/types", token, {"volume_type": {"name": name, "extra_specs": specs}})
    projects = call("GET", f"{KEYSTONE}/projects?{urllib.parse.urlencode({'name': 'demo'})}", token)[1]["projects"]
    quota = {"quota_set": {"gigabytes": LITTLE_ROOM}}
    call("PUT", f"{CINDER}/os-quota-sets/{projects[0]['id']}", token, quota)


def main():
    token = sign_in()
    if sys.argv[3:] == ["--wait"]:
        sys.exit(0 if all_are_up(token) else 1)
    fill(token)


main()
