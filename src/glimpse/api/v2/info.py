"""Handlers: what a project may have, and has."""

from dataclasses import asdict

from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.catalog import quotas


def show_usage(service: Service, call: Call) -> Response:
    """GET /v2/info/usage"""
    found = quotas.usage(service.catalog, call.caller)
    return json_response({"usage": {name: asdict(usage) for name, usage in found.items()}})
