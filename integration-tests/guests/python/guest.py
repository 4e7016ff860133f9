"""What anybody would write: answers a request with what it said."""

import json

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Get,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        path = request.path_with_query() or "/"
        if path == "/throw":
            raise ValueError("asked to")
        method = "GET" if isinstance(request.method(), Method_Get) else "other"
        body = json.dumps({"method": method, "path": path})

        headers = Fields.from_list([("content-type", b"application/json")])
        response = OutgoingResponse(headers)
        out = response.body()
        ResponseOutparam.set(response_out, Ok(response))
        with out.write() as stream:
            stream.blocking_write_and_flush(body.encode())
        OutgoingBody.finish(out, None)
