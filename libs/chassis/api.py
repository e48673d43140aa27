"""The operations of an HTTP API, declared once: served, and described in OpenAPI 3.1."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel

from libs.chassis.docs import add_docs_page
from libs.chassis.openapi import build_document
from libs.chassis.operations import Handler, Header, Operation, Parameter, ResponseSpec, Schema
from libs.chassis.requests import parse_form, parse_json, parse_query, path_uuid

__all__ = [
    "Api",
    "Header",
    "Operation",
    "Parameter",
    "ResponseSpec",
    "parse_form",
    "parse_json",
    "parse_query",
    "path_uuid",
]

H = TypeVar("H", bound=Handler)


class Api:
    """A registry of operations.

    Example::

        api = Api("Leads", "1.0", "The attorneys' side.", oauth2_token_url="/auth/token")


        @api.operation("GET", "/leads", summary="List leads", query=Page, responses={200: Leads})
        async def list_leads(request: web.Request) -> web.Response:
            page = parse_query(request, Page)
            ...
    """

    def __init__(
        self,
        title: str,
        version: str,
        description: str = "",
        *,
        oauth2_token_url: str | None = None,
    ) -> None:
        self.title, self.version, self.description = title, version, description
        self.oauth2_token_url = oauth2_token_url
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        summary: str,
        responses: Mapping[int, Any],
        description: str = "",
        query: type[BaseModel] | None = None,
        body: type[BaseModel] | None = None,
        form: type[BaseModel] | None = None,
        multipart: Schema | None = None,
        problems: Sequence[int] = (503,),
        security: bool = False,
        tags: Sequence[str] = (),
        parameters: Sequence[Parameter] = (),
        operation_id: str | None = None,
        extra: Schema | None = None,
    ) -> Callable[[H], H]:
        """Declare the decorated handler as an operation.

        Args:
            method: "GET" (which serves HEAD as well), "POST", ...
            path: in aiohttp's form, ``/leads/{id}``. A path parameter is described as a UUID
                unless ``parameters`` says otherwise; read it with ``path_uuid``.
            summary: a few words.
            responses: by status, a ResponseSpec, or what stands for a JSON response: a model,
                a type, a schema; None for a response without body.
            description: a sentence or more.
            query: model of the query string; read it with ``parse_query``.
            body: model of the JSON body; read it with ``parse_json``.
            form: model of a urlencoded form; read it with ``parse_form``.
            multipart: JSON schema of a multipart/form-data body.
            problems: further statuses answered with a problem document. Those that follow
                from the rest need no mention: 400, 408, 413, 415 and 422 for a body, 422 for a
                query, 404 for a path parameter, 401 and 403 for security.
            security: whether a bearer token is needed.
            tags: groups on the docs page.
            parameters: request headers, cookies, and path parameters that are no UUID.
            operation_id: the default is the handler's name.
            extra: merged into the operation's OpenAPI object.

        Raises:
            ValueError: another operation has the same id.
        """

        def register(handler: H) -> H:
            operation = Operation(
                method=method.upper(),
                path=path,
                handler=handler,
                operation_id=operation_id or getattr(handler, "__name__", path).strip("_"),
                summary=summary,
                responses=responses,
                description=description,
                query=query,
                body=body,
                form=form,
                multipart=multipart,
                problems=problems,
                security=security,
                tags=tags,
                parameters=parameters,
                extra=extra or {},
            )
            if any(other.operation_id == operation.operation_id for other in self.operations):
                msg = f"two operations are named {operation.operation_id!r}; set operation_id"
                raise ValueError(msg)
            self.operations.append(operation)
            return handler

        return register

    def document(self) -> dict[str, Any]:
        """Return the OpenAPI 3.1 document."""
        info = {"title": self.title, "version": self.version, "description": self.description}
        return build_document(info, self.operations, self.oauth2_token_url)

    def install(self, app: web.Application) -> None:
        """Add the operations' routes, ``GET /openapi.json`` and ``GET /docs``."""
        for operation in self.operations:
            if operation.method == "GET":
                app.router.add_get(operation.path, operation.handler)
            else:
                app.router.add_route(operation.method, operation.path, operation.handler)
        document = self.document()
        body = json.dumps(document, ensure_ascii=False).encode()

        async def openapi(_: web.Request) -> web.Response:
            return web.Response(body=body, content_type="application/json")

        app.router.add_get("/openapi.json", openapi)
        add_docs_page(app, document)
