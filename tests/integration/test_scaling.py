"""A service that scales itself on the real CPU of its real tasks, driven by real requests."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.acceptance.load import SteadyLoad
from tests.integration.scaled import CPU, SERVICE, Scaled, scaled

BURN = "/burn/60"
RATE = 10
"""10 x 60 ms are 0.6 vCPU: two tasks are full, three too busy for a target of 70 %, four are not."""


def scale_out_and_in(cloud: Scaled) -> list[tuple[int, str]]:
    """Drive the service out to four tasks and, without load, in again; return what scaling did."""
    cloud.policy(70.0)
    cloud.until(lambda: cloud.alarm("High")["StateValue"] == "OK", minutes=3, what="a first evaluation")
    with SteadyLoad(cloud.url + BURN, rate=RATE) as load:
        cloud.until(lambda: cloud.alarm("High")["StateValue"] == "ALARM", minutes=5, what="the alarm goes off")
        assert "3 out of the last 3 datapoints" in cloud.alarm("High")["StateReason"]
        cloud.until(lambda: cloud.service()["desiredCount"] == 4, minutes=10, what="scaled out to four")
        cloud.until(lambda: cloud.service()["runningCount"] == 4, minutes=1, what="four tasks run")
    cloud.until(lambda: cloud.service()["desiredCount"] == 2, minutes=20, what="scaled in")
    counted = sum(cloud.metric("AWS/ApplicationELB", "RequestCount", "Sum", LoadBalancer=cloud.balancer).values())
    assert counted == pytest.approx(len(load.sent), rel=0.05), "the client's count and the metric"
    cloud.until(lambda: cloud.service()["runningCount"] == 2, minutes=1, what="two tasks are left")
    return cloud.counts()


EXPECTED = [(3, "High"), (4, "High"), (2, "Low")]


def test_load_scales_the_service_out_and_quiet_scales_it_in(tmp_path: Path) -> None:
    with scaled(tmp_path, speed=30, block=95) as cloud:
        assert scale_out_and_in(cloud) == EXPECTED
        first = cloud.activities()[0]
        assert re.match(
            rf"monitor alarm TargetTracking-service/shop/{SERVICE}-AlarmHigh-\S+ in state ALARM triggered policy cpu "
            r"\(2 running x \d",
            first["Cause"],
        )
        assert first["StatusCode"] == "Successful"
        assert first["EndTime"] > first["StartTime"]


@pytest.mark.soak
def test_the_rehearsal_at_speed_15_is_what_happens_at_speed_1(tmp_path: Path) -> None:
    found = {}
    for speed in (15, 1):
        root = tmp_path / str(speed)
        root.mkdir()
        with scaled(root, speed=speed, block=96) as cloud:
            begun = time.monotonic()
            found[speed] = scale_out_and_in(cloud)
            print(f"clock speed {speed}: {found[speed]} in {time.monotonic() - begun:.0f} s")  # noqa: T201
            for one in cloud.activities():
                print(f"  {one['StartTime']:%H:%M:%S} {one['Description']} {one['Cause']}")  # noqa: T201
    assert found[15] == found[1] == EXPECTED


@pytest.mark.soak
def test_with_metrics_every_20_seconds_a_new_task_serves_within_90_seconds(tmp_path: Path) -> None:
    with scaled(tmp_path, speed=1, block=96) as cloud:
        cloud.policy(70.0, metric=f"{CPU}HighResolution")
        cloud.until(lambda: cloud.alarm("High")["StateValue"] == "OK", minutes=3, what="a first evaluation")
        with SteadyLoad(cloud.url + BURN, rate=RATE):
            begun = time.monotonic()
            cloud.until(lambda: cloud.service()["desiredCount"] == 3, minutes=3, what="scaled out")
            decided = time.monotonic() - begun
            cloud.until(lambda: len(_healthy(cloud)) == 3, minutes=1, what="the third task serves")
            taken = time.monotonic() - begun
    print(f"load to decision {decided:.1f} s, to the new task serving {taken:.1f} s")  # noqa: T201
    assert taken <= 90


def _healthy(cloud: Scaled) -> list[str]:
    elb = cloud.client("elbv2")
    group = elb.describe_target_groups(Names=["web"])["TargetGroups"][0]["TargetGroupArn"]
    described = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    return [one["Target"]["Id"] for one in described if one["TargetHealth"]["State"] == "healthy"]
