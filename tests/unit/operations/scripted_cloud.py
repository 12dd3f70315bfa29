"""A cloud whose answers are functions: real clients, checked against botocore's model, and no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.model import OperationModel
from botocore.validate import validate_parameters

from miyabi.aws.clients import Cloud

Answer = Callable[[], dict[str, Any]]


class Refused(Exception):
    """What an answer raises to be an error of AWS."""

    def __init__(self, code: str, message: str = "refused", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


class ScriptedCloud(Cloud):
    """`answers["ecs:DescribeServices"] = lambda: {...}`; the parameters of every call are kept in `calls`."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        super().__init__(region="us-west-2", endpoint="http://127.0.0.1:1", access_key="AKIA", secret_key="s")
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def _new_client(self, service: str) -> Any:
        client = super()._new_client(service)

        def build(params: dict[str, Any], model: OperationModel, **_: Any) -> None:
            self.calls.append((f"{service}:{model.name}", dict(params)))

        def call(model: OperationModel, **_: Any) -> tuple[AWSResponse, dict[str, Any]]:
            try:
                answer = self.answers[f"{service}:{model.name}"]()
            except Refused as error:
                body = {"Error": {"Code": error.code, "Message": error.message}}
                metadata = {"ResponseMetadata": {"HTTPStatusCode": error.status}}
                return AWSResponse("http://127.0.0.1:1", error.status, {}, None), {**body, **metadata}
            if model.output_shape is not None:
                validate_parameters(answer, model.output_shape)
            return AWSResponse("http://127.0.0.1:1", 200, {}, None), {**answer, "ResponseMetadata": {}}

        client.meta.events.register(f"before-parameter-build.{client.meta.service_model.service_id.hyphenize()}", build)
        client.meta.events.register(f"before-call.{client.meta.service_model.service_id.hyphenize()}", call)
        return client
