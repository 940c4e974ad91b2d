"""Devices that the meter link can read, one file per maker; a further one is a file and its name here."""

from bmsd.tables.devices import bmsd_pack, jk_pb, sdm

DEVICES = {row.name: row for row in (*sdm.DEVICES, *jk_pb.DEVICES, *bmsd_pack.DEVICES)}
