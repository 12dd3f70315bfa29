from __future__ import annotations

import botocore.exceptions as botocore_errors
import pytest

from miyabi.aws.errors import kind_of, translate, translated
from miyabi.model.errors import Conflict, Denied, Failed, Internal, InvalidInput, MiyabiError, NotFound, Unavailable


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ClusterNotFoundException", NotFound),
        ("ServiceNotFoundException", NotFound),
        ("LoadBalancerNotFound", NotFound),
        ("InvalidSubnetID.NotFound", NotFound),
        ("ParameterNotFound", NotFound),
        ("NoSuchEntity", NotFound),
        ("NoSuchBucket", NotFound),
        ("RepositoryNotFoundException", NotFound),
        ("DBInstanceNotFound", NotFound),
        ("AccessDenied", Denied),
        ("AccessDeniedException", Denied),
        ("UnauthorizedOperation", Denied),
        ("ExpiredToken", Denied),
        ("InvalidClientTokenId", Denied),
        ("UnrecognizedClientException", Denied),
        ("SignatureDoesNotMatch", Denied),
        ("InvalidSignatureException", Denied),
        ("ThrottlingException", Unavailable),
        ("Throttling", Unavailable),
        ("RequestLimitExceeded", Unavailable),
        ("TooManyRequestsException", Unavailable),
        ("ServiceUnavailableException", Unavailable),
        ("InternalError", Unavailable),
        ("ServerException", Unavailable),
        ("RequestTimeout", Unavailable),
        ("ResourceAlreadyExistsException", Conflict),
        ("RepositoryAlreadyExistsException", Conflict),
        ("DuplicateLoadBalancerName", Conflict),
        ("ResourceInUse", Conflict),
        ("ServiceNotActiveException", Conflict),
        ("LimitExceededException", Conflict),
        ("DependencyViolation", Conflict),
        ("InvalidParameterException", InvalidInput),
        ("ValidationError", InvalidInput),
        ("ClientException", InvalidInput),
        ("UnsupportedOperation", InvalidInput),
        ("InvalidParameterValue", InvalidInput),
        ("SomethingElse", Failed),
    ],
)
def test_a_code_says_what_the_caller_can_do(code: str, kind: type[MiyabiError]) -> None:
    assert kind_of(code) is kind


def test_an_unknown_code_of_a_failing_server_may_be_tried_again() -> None:
    assert kind_of("Weird", 500) is Unavailable


def client_error(code: str, message: str = "Cluster not found.") -> botocore_errors.ClientError:
    return botocore_errors.ClientError({"Error": {"Code": code, "Message": message}}, "DescribeServices")


def test_the_message_says_what_was_done_and_the_cause_is_kept() -> None:
    cause = client_error("ClusterNotFoundException", "Cluster\n not found.")
    with pytest.raises(NotFound) as error, translated("describing service 'api'"):
        raise cause
    assert error.value.message == "describing service 'api': Cluster not found. (ClusterNotFoundException)"
    assert error.value.__cause__ is cause


def test_it_decorates_too() -> None:
    @translated("doing it")
    def work() -> None:
        raise client_error("AccessDenied")

    with pytest.raises(Denied, match="doing it"):
        work()


def test_our_own_errors_and_bugs_go_through() -> None:
    with pytest.raises(Conflict, match="mine"), translated("x"):
        raise Conflict("mine")
    with pytest.raises(ZeroDivisionError), translated("x"):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (botocore_errors.NoCredentialsError(), Denied),
        (botocore_errors.PartialCredentialsError(provider="env", cred_var="x"), Denied),
        (botocore_errors.ProfileNotFound(profile="x"), Denied),
        (botocore_errors.SSOTokenLoadError(error_msg="x"), Denied),
        (botocore_errors.EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), Unavailable),
        (botocore_errors.ConnectTimeoutError(endpoint_url="http://127.0.0.1:1"), Unavailable),
        (botocore_errors.ReadTimeoutError(endpoint_url="http://127.0.0.1:1"), Unavailable),
        (botocore_errors.ConnectionClosedError(endpoint_url="http://127.0.0.1:1"), Unavailable),
        (botocore_errors.ParamValidationError(report="x"), InvalidInput),
        (botocore_errors.NoRegionError(), InvalidInput),
        (botocore_errors.UnknownServiceError(service_name="x", known_service_names="y"), Internal),
    ],
)
def test_what_never_reached_aws_is_translated_too(error: Exception, kind: type[MiyabiError]) -> None:
    translation = translate(error, "doing it")
    assert type(translation) is kind
    assert translation.message.startswith("doing it: ")
    assert "\n" not in translation.message


@pytest.mark.parametrize("error", [botocore_errors.NoCredentialsError(), client_error("ExpiredToken")])
def test_a_hint_says_how_to_get_credentials(error: Exception) -> None:
    translation = translate(error, "x")
    assert translation is not None
    assert translation.hint is not None
    assert "get-caller-identity" in translation.hint
