// Asks bmsd by modbus-serial what tests/foreign/served.py serves, and prints a line for each answer.
//
//     node modbus_serial_client.js rtu|tcp PORT ROUNDS PATIENCE_S      with NODE_PATH at its folder
"use strict";
const ModbusRTU = require("modbus-serial");
const [kind, port, rounds, patience] = process.argv.slice(2);
const client = new ModbusRTU();

// Print words, or the code of the exception; whatever else it is ends the program.
async function say(name, unit, ask) {
    client.setID(unit);
    try {
        const answer = await ask();
        console.log(`${name}: ${Array.isArray(answer.data) ? answer.data.join(" ") : ""}`);
    } catch (error) {
        if (error.modbusCode === undefined) throw error;
        console.log(`${name}: ${error.modbusCode}`);
    }
}

const holding = (name, unit, at, count) => say(name, unit, () => client.readHoldingRegisters(at, count));
const inputs = (name, unit, at, count) => say(name, unit, () => client.readInputRegisters(at, count));
const one = (name, unit, at, value) => say(name, unit, () => client.writeRegister(at, value));
const many = (name, unit, at, ...values) => say(name, unit, () => client.writeRegisters(at, values));

async function main() {
    if (kind === "rtu") await client.connectRTUBuffered(port, { baudRate: 115200 });
    else await client.connectTCP("127.0.0.1", { port: Number(port) });
    client.setTimeout(1000 * Number(patience));
    for (let n = 0; n < Number(rounds); n++) {
        await holding("live", 1, 100, 125);
        await inputs("inputs", 1, 100, 125);
        await holding("jk_cells", 2, 0x1200, 16);
        await holding("jk_pack", 2, 0x1290, 2);
    }
    await holding("nowhere", 1, 90, 2);
    await inputs("jk_inputs", 2, 0x1200, 16);
    await many("jk_off", 2, 0x1602, 1);
    await one("jk_one", 2, 0x1602, 1);
    await one("locked", 1, 700, 0);
    await holding("is_locked", 1, 600, 1);
    await many("unlocked", 1, 610, 271828 >> 16, 271828 & 0xffff);
    await holding("is_unlocked", 1, 600, 1);
    await one("no_core", 1, 700, 0);
    await one("locks", 1, 612, 1);
    await holding("is_locked_again", 1, 600, 1);
    client.setID(1);
    const told = await client.readDeviceIdentification(1, 0);
    for (const [number, text] of Object.entries(told.data)) console.log(`identity: ${number} ${text}`);
    client.close();
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
