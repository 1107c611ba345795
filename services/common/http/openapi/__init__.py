"""OpenAPI documents that are true: what every service does around its routes is added to what FastAPI knows of them.

    ProblemDetails  the schema of problem documents
    problems        statuses of a route's own, for `responses`
    json_body       a body that a route reads by itself, for `openapi_extra`
    json_lines      a reply's content that is lines of JSON
    reference       a reference to a schema
    Surroundings    the things besides the routes that a document depends on
    complete        adds it

Routes declare what is theirs alone. What the authenticator, the checks of hosts and the bounds on bodies and
connections may answer is added here, and so are descriptions, out of docstrings, and examples, out of files.
"""

from __future__ import annotations

from services.common.http.openapi.document import complete, json_body, json_lines
from services.common.http.openapi.problem_details import ProblemDetails
from services.common.http.openapi.references import reference
from services.common.http.openapi.replies import problems
from services.common.http.openapi.surroundings import Surroundings

__all__ = ["ProblemDetails", "Surroundings", "complete", "json_body", "json_lines", "problems", "reference"]
