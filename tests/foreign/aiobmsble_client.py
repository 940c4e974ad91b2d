"""Read frames of a JK board as aiobmsble does, the library behind Home Assistant's BMS_BLE; print what it found.

    aiobmsble_client.py ABOUT LIVE      both frames in hex; with Python 3.12 or newer

The frames are the same on RS485 and over Bluetooth. They are handed to its own receiver in pieces, as notifications
come, instead of over the air; from there on everything is the library's: checks, versions, places, signs.
"""

import asyncio
import json
import sys

from aiobmsble.basebms import lstr2int
from aiobmsble.bms.jikong_bms import BMS
from bleak.backends.device import BLEDevice

PIECE = 128
FRAMES = {0x97: bytes.fromhex(sys.argv[1]), 0x96: bytes.fromhex(sys.argv[2])}


async def main() -> None:
    board = BMS(BLEDevice("00:00:00:00:00:00", "JK", {"path": "/nowhere"}))

    async def answered(data: bytes, **_: object) -> None:
        frame = FRAMES[data[4]]
        board._msg_event.clear()
        for at in range(0, len(frame), PIECE):
            board._notification_handler(None, bytearray(frame[at : at + PIECE]))
        assert board._msg_event.is_set(), "it did not take the frame"

    board._await_msg = answered
    about = await board._fetch_device_info()
    board._sw_version = lstr2int(about["sw_version"])
    board._msg_event.clear()
    live = await board._async_update()
    live["temp_values"] = [sensor.value for sensor in live["temp_values"]]
    print(json.dumps({"about": about, "live": live}))


asyncio.run(main())
