"""Let Home Assistant's own Modbus integration take a file and read; print the states of its sensors as JSON.

    home_assistant_client.py FILE PATIENCE_S      with a Python that has homeassistant and its pymodbus

The core of Home Assistant runs in this process, with an empty configuration and without its frontend.
"""

import asyncio
import json
import sys
import tempfile

import yaml
from homeassistant import bootstrap, config_entries, core, loader
from homeassistant.setup import async_setup_component

PREFIX = "sensor.bmsd_"
LAST = "sensor.bmsd_cell_v_16"


async def states_of(hass: core.HomeAssistant, configuration: dict, patience_s: float) -> dict[str, str]:
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.config.skip_pip = True
    assert await async_setup_component(hass, "modbus", configuration), "it refused the file"
    await hass.async_start()
    for _ in range(int(2 * patience_s)):
        await asyncio.sleep(0.5)
        last = hass.states.get(LAST)
        if last is not None and last.state.startswith("3."):
            break
    await asyncio.sleep(2)  # each sensor asks for itself: those behind it, too
    return {state.entity_id.removeprefix(PREFIX): state.state for state in hass.states.async_all("sensor")}


async def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        configuration = yaml.safe_load(file)
    with tempfile.TemporaryDirectory() as folder:
        hass = core.HomeAssistant(folder)
        print(json.dumps(await states_of(hass, configuration, float(sys.argv[2]))))
        await hass.async_stop(force=True)


asyncio.run(main())
