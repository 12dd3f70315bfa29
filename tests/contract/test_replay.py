"""Calls that draw keys, tokens and ciphertext: a new process replays them, and what they gave out goes on working."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from miyabi.environment.home import Home
from miyabi.localcloud.control.compaction import compact
from miyabi.localcloud.control.journal import Journal
from miyabi.localcloud.control.stock import StockServices
from tests.contract.control_api import ACCOUNT, REGION, client, serve_apart

Client = Callable[..., Any]
Look = Callable[[Client, Any], object]
TRUST = '{"Version":"2012-10-17","Statement":[]}'
ROLE = f"arn:aws:iam::{ACCOUNT}:role/r"


def key_pair(kind: str) -> Callable[[Client], Any]:
    def make(client: Client) -> Any:
        return client("ec2").create_key_pair(KeyName=kind, KeyType=kind)["KeyMaterial"]

    return make


def describe_key_pair(kind: str) -> Look:
    return lambda client, _: client("ec2").describe_key_pairs(KeyNames=[kind])["KeyPairs"]


def encrypt(client: Client) -> Any:
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    return (
        kms.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"],
        kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
    )


def decrypt(client: Client, given: Any) -> object:
    kms = client("kms")
    assert kms.decrypt(CiphertextBlob=given[0])["Plaintext"] == b"a"
    assert kms.decrypt(CiphertextBlob=given[1]["CiphertextBlob"])["Plaintext"] == given[1]["Plaintext"]
    return None


def sign(spec: str, algorithm: str) -> Callable[[Client], Any]:
    def make(client: Client) -> Any:
        key = client("kms").create_key(KeyUsage="SIGN_VERIFY", KeySpec=spec)["KeyMetadata"]["KeyId"]
        signed = client("kms").sign(KeyId=key, Message=b"m", SigningAlgorithm=algorithm)["Signature"]
        return {"KeyId": key, "Message": b"m", "SigningAlgorithm": algorithm, "Signature": signed}

    return make


def verify(client: Client, given: Any) -> object:
    return client("kms").verify(**given)["SignatureValid"] is True


def begin_upload(client: Client) -> Any:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": REGION})
    upload = {
        "Bucket": "bucket",
        "Key": "k",
        "UploadId": s3.create_multipart_upload(Bucket="bucket", Key="k")["UploadId"],
    }
    part = s3.upload_part(**upload, PartNumber=1, Body=b"x" * 100_000)
    return upload, {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}}


def complete_upload(client: Client, given: Any) -> object:
    uploads = client("s3").list_multipart_uploads(Bucket="bucket").get("Uploads")
    if uploads:
        client("s3").complete_multipart_upload(**given[0], **given[1])
    assert client("s3").get_object(Bucket="bucket", Key="k")["Body"].read() == b"x" * 100_000
    return None


def assume(client: Client) -> Any:
    client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)
    held = client("sts").assume_role(RoleArn=ROLE, RoleSessionName="session")["Credentials"]
    return {
        "aws_access_key_id": held["AccessKeyId"],
        "aws_secret_access_key": held["SecretAccessKey"],
        "aws_session_token": held["SessionToken"],
    }


def who(client: Client, given: Any) -> object:
    return client("sts", **given).get_caller_identity()["Arn"]


def create_database(client: Client) -> Any:
    return client("rds").create_db_instance(
        DBInstanceIdentifier="d",
        DBInstanceClass="db.t3.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="u",
        ManageMasterUserPassword=True,
    )["DBInstance"]["MasterUserSecret"]["SecretArn"]


def other_region(client: Client) -> Any:
    """EC2 of another region comes into being in a read; its default subnets are then used by others."""
    subnets = client("ec2", region_name="eu-west-1").describe_subnets()["Subnets"]
    ids = [subnet["SubnetId"] for subnet in subnets]
    client("rds", region_name="eu-west-1").create_db_subnet_group(
        DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=ids
    )
    file_system = client("efs", region_name="eu-west-1").create_file_system(CreationToken="t")["FileSystemId"]
    client("efs", region_name="eu-west-1").create_mount_target(FileSystemId=file_system, SubnetId=ids[0])
    return file_system


def look_there(client: Client, given: Any) -> object:
    return (
        client("ec2", region_name="eu-west-1").describe_subnets()["Subnets"],
        client("ec2", region_name="eu-west-1").describe_vpcs()["Vpcs"],
        client("rds", region_name="eu-west-1").describe_db_subnet_groups()["DBSubnetGroups"],
        client("efs", region_name="eu-west-1").describe_mount_targets(FileSystemId=given)["MountTargets"],
    )


def use_another_service_first(client: Client) -> Any:
    """EC2 of a third region comes into being inside a change of another service."""
    with pytest.raises(ClientError):
        client("rds", region_name="eu-north-1").create_db_subnet_group(
            DBSubnetGroupName="g", DBSubnetGroupDescription="d", SubnetIds=["subnet-0"]
        )


def look_north(client: Client, _: Any) -> object:
    return client("ec2", region_name="eu-north-1").describe_subnets()["Subnets"]


def fail_inside(client: Client) -> Any:
    """Fail with a Python error in moto."""
    events = client("events", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError, match="KeyError") as caught:
        events.put_targets(Rule="none", Targets=[{"Id": "1"}])
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


CASES: dict[str, tuple[Callable[[Client], Any], Look]] = {
    "ec2 CreateKeyPair rsa": (key_pair("rsa"), describe_key_pair("rsa")),
    "ec2 CreateKeyPair ed25519": (key_pair("ed25519"), describe_key_pair("ed25519")),
    "kms Encrypt, GenerateDataKey": (encrypt, decrypt),
    "kms RSA": (sign("RSA_2048", "RSASSA_PSS_SHA_256"), verify),
    "kms EC": (sign("ECC_NIST_P256", "ECDSA_SHA_256"), verify),
    "s3 CreateMultipartUpload": (begin_upload, complete_upload),
    "sts AssumeRole": (assume, who),
    "rds ManageMasterUserPassword": (
        create_database,
        lambda client, arn: client("secretsmanager").describe_secret(SecretId=arn)["Name"],
    ),
    "acm RequestCertificate": (
        lambda client: client("acm").request_certificate(DomainName="example.com")["CertificateArn"],
        lambda client, arn: client("acm").describe_certificate(CertificateArn=arn)["Certificate"],
    ),
    "iot CreateKeysAndCertificate": (
        lambda client: client("iot").create_keys_and_certificate(setAsActive=True)["certificateId"],
        lambda client, given: client("iot").describe_certificate(certificateId=given)["certificateDescription"],
    ),
    "iam CreateVirtualMFADevice": (
        lambda client: client("iam").create_virtual_mfa_device(VirtualMFADeviceName="m"),
        lambda client, _: client("iam").list_virtual_mfa_devices()["VirtualMFADevices"],
    ),
    "codedeploy CreateApplication": (
        lambda client: client("codedeploy").create_application(applicationName="a")["applicationId"],
        lambda client, _: client("codedeploy").get_application(applicationName="a")["application"],
    ),
    "fsx CreateFileSystem": (
        lambda client: client("fsx").create_file_system(
            FileSystemType="LUSTRE", StorageCapacity=1200, SubnetIds=["subnet-0123456789abcdef0"]
        )["FileSystem"]["FileSystemId"],
        lambda client, given: client("fsx").describe_file_systems(FileSystemIds=[given])["FileSystems"],
    ),
    "a region that a read used first": (other_region, look_there),
    "a region that another service used first": (use_another_service_first, look_north),
    "a Python error in moto": (fail_inside, lambda client, _: client("events").list_rules()["Rules"]),
}


@pytest.fixture(scope="module", params=["replayed", "loaded from a snapshot"])
def seen(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, tuple[object, object]]]:
    """Make every case in one process and look at it there and, after a kill, in another one."""
    root = tmp_path_factory.mktemp("home")
    made: dict[str, Any] = {}
    before: dict[str, object] = {}
    with serve_apart(root) as instance:
        for name, (make, _) in CASES.items():
            made[name] = make(lambda *given, **named: client(instance, *given, **named))
        for name, (_, look) in CASES.items():
            if name != "s3 CreateMultipartUpload":
                before[name] = look(lambda *given, **named: client(instance, *given, **named), made[name])
    if request.param != "replayed":
        journal = Journal(root / "state", StockServices(ACCOUNT))
        segment = journal.rotate()
        journal.close()
        assert asyncio.run(compact(Home(root), segment)), "the snapshot did not come back as it was"
    with serve_apart(root) as instance:
        after = {
            name: look(lambda *given, **named: client(instance, *given, **named), made[name])
            for name, (_, look) in CASES.items()
        }
    with serve_apart(root):  # a third start replays what the second one did
        yield {name: (before.get(name), after[name]) for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_a_new_process_knows_what_a_call_gave_out(case: str, seen: dict[str, tuple[object, object]]) -> None:
    before, after = seen[case]
    assert after == before
