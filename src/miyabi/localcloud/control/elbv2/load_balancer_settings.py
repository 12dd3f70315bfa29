"""A load balancer's attributes, security groups, subnets and address type."""

from __future__ import annotations

import dataclasses

from miyabi.localcloud.control.elbv2.attributes import LOAD_BALANCER, changed
from miyabi.localcloud.control.elbv2.fields import pairs
from miyabi.localcloud.control.elbv2.load_balancers import LoadBalancers, describe_zones
from miyabi.localcloud.control.elbv2.nouns import as_pairs, unsupported
from miyabi.localcloud.control.service import ApiError, Caller, Params, Result


class LoadBalancerSettings(LoadBalancers):
    """Operations that change one setting."""

    def describe_load_balancer_attributes(self, caller: Caller, params: Params) -> Result:
        """Describe every attribute."""
        row = self.find_load_balancer(caller.region, params["LoadBalancerArn"])
        return {"Attributes": as_pairs(row.attributes)}

    def modify_load_balancer_attributes(self, caller: Caller, params: Params) -> Result:
        """Change the given attributes and return all."""
        row = self.find_load_balancer(caller.region, params["LoadBalancerArn"])
        attributes = changed("Load balancer", LOAD_BALANCER, row.attributes, pairs(params["Attributes"]))
        row = dataclasses.replace(row, attributes=attributes)
        self.load_balancers.put(caller.region, row.arn, row)
        self.on_change()
        return {"Attributes": as_pairs(row.attributes)}

    def set_security_groups(self, caller: Caller, params: Params) -> Result:
        """Replace the security groups; the local cloud records them and enforces none."""
        row = self.find_load_balancer(caller.region, params["LoadBalancerArn"])
        groups = self.security_groups(caller, params["SecurityGroups"])
        if not groups:
            raise ApiError("InvalidConfigurationRequest", "At least one security group must be specified")
        self.load_balancers.put(caller.region, row.arn, dataclasses.replace(row, security_groups=groups))
        return {"SecurityGroupIds": list(groups)}

    def set_subnets(self, caller: Caller, params: Params) -> Result:
        """Replace the subnets; the address stays."""
        row = self.find_load_balancer(caller.region, params["LoadBalancerArn"])
        row = dataclasses.replace(row, zones=self.zones(caller, params))
        self.load_balancers.put(caller.region, row.arn, row)
        return {"AvailabilityZones": describe_zones(row), "IpAddressType": row.ip_address_type}

    def set_ip_address_type(self, caller: Caller, params: Params) -> Result:
        """Set the address type: ipv4."""
        row = self.find_load_balancer(caller.region, params["LoadBalancerArn"])
        if params["IpAddressType"] != "ipv4":
            raise unsupported(f"the IP address type {params['IpAddressType']}: load balancers are ipv4")
        return {"IpAddressType": row.ip_address_type}

    def describe_capacity_reservation(self, caller: Caller, params: Params) -> Result:
        """Describe the reserved capacity: none, since ModifyCapacityReservation is not offered."""
        self.find_load_balancer(caller.region, params["LoadBalancerArn"])
        return {"CapacityReservationState": []}
