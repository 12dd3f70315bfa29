"""Loopback addresses as network interfaces: a subnet 10.0.11.0/24 is 127.x.11.0/24 in the instance's block 127.x/16.

An owner keeps its address until it is released, over restarts too.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from miyabi.localcloud.control.service import ApiError
from miyabi.localcloud.control.store import Store, Table

_EVERYWHERE = "*"  # one block serves all regions, so addresses are unique across them


@dataclass(frozen=True, slots=True)
class Lease:
    """An address and who holds it."""

    address: str
    owner: str


class AddressBook:
    """Hands out the addresses of one instance."""

    def __init__(self, store: Store, block: int) -> None:
        self._leases = Table(store, "network.address", Lease)
        self._block = block

    def lease(self, owner: str, cidr: str) -> str:
        """Return the owner's address; without one it gets the lowest free one in the range that stands for `cidr`."""
        leases = self._leases.list(_EVERYWHERE)
        for lease in leases:
            if lease.owner == owner:
                return lease.address
        taken = {lease.address for lease in leases}
        for address in self._range(cidr):
            if address not in taken:
                self._leases.put(_EVERYWHERE, address, Lease(address, owner))
                return address
        raise ApiError("InsufficientFreeAddressesInSubnet", f"No address is left in {cidr}.")

    def release(self, owner: str) -> None:
        """Give the owner's address back."""
        for lease in self._leases.list(_EVERYWHERE):
            if lease.owner == owner:
                self._leases.delete(_EVERYWHERE, lease.address)

    def _range(self, cidr: str) -> list[str]:
        network = ipaddress.ip_network(cidr)
        first = int(network.network_address) & 0xFFFF
        size = min(network.num_addresses, 1 << 12, (1 << 16) - first)
        base = (127 << 24) | (self._block << 16)
        # AWS keeps the first four addresses of a subnet and the last one.
        return [str(ipaddress.ip_address(base | (first + host))) for host in range(4, size - 1)]
