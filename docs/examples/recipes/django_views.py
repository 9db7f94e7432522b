"""A Django view that evaluates formulas of a spreadsheet."""

from __future__ import annotations

import functools
import json

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from buntime import Buntime, JavaScriptError


@functools.cache
def get_client() -> Buntime:
    """Return the client of this process: made at the first request, so after a fork."""
    return Buntime()


@csrf_exempt
@require_POST
def evaluate(request: HttpRequest) -> JsonResponse:
    """Evaluate a formula with the values of a row."""
    data = json.loads(request.body)
    with get_client().sessions.create(ttl=300) as session:
        try:
            value = session.call(
                "(f, row) => Function('row', `return ${f}`)(row)",
                data["formula"],
                data["row"],
            )
        except JavaScriptError as error:
            return JsonResponse({"error": str(error)}, status=400)
    return JsonResponse({"value": value})


urlpatterns = [path("evaluate", evaluate)]
