/* Asks bmsd by libmodbus what tests/foreign/served.py serves, and prints a line for each answer.
 *
 *     client rtu|tcp PORT ROUNDS PATIENCE_S
 */
#include <errno.h>
#include <modbus.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static modbus_t *line;

/* Say what came of a request: words, or the code of the exception. Anything else ends the program. */
static void say(const char *name, int done, const uint16_t *words)
{
    printf("%s: ", name);
    if (done < 0) {
        int code = errno - MODBUS_ENOBASE;
        if (code < 1 || code > 11) {
            fprintf(stderr, "%s: %s\n", name, modbus_strerror(errno));
            exit(1);
        }
        printf("%d", code);
    }
    for (int n = 0; words && n < done; n++)
        printf("%u ", words[n]);
    printf("\n");
}

static void holding(const char *name, int unit, int at, int count)
{
    uint16_t words[MODBUS_MAX_READ_REGISTERS];
    modbus_set_slave(line, unit);
    say(name, modbus_read_registers(line, at, count, words), words);
}

static void inputs(const char *name, int unit, int at, int count)
{
    uint16_t words[MODBUS_MAX_READ_REGISTERS];
    modbus_set_slave(line, unit);
    say(name, modbus_read_input_registers(line, at, count, words), words);
}

static void one(const char *name, int unit, int at, int value)
{
    modbus_set_slave(line, unit);
    say(name, modbus_write_register(line, at, value), NULL);
}

static void many(const char *name, int unit, int at, int count, const uint16_t *words)
{
    modbus_set_slave(line, unit);
    say(name, modbus_write_registers(line, at, count, words), NULL);
}

int main(int count, char **words)
{
    static const uint16_t pin[] = {271828 >> 16, 271828 & 0xFFFF}, off[] = {1};
    uint8_t who[MODBUS_MAX_PDU_LENGTH];

    if (count != 5)
        return 2;
    if (strcmp(words[1], "rtu") == 0)
        line = modbus_new_rtu(words[2], 115200, 'N', 8, 1);
    else
        line = modbus_new_tcp("127.0.0.1", atoi(words[2]));
    if (!line || modbus_set_response_timeout(line, atoi(words[4]), 0) || modbus_connect(line)) {
        fprintf(stderr, "no line: %s\n", modbus_strerror(errno));
        return 1;
    }
    for (int n = 0; n < atoi(words[3]); n++) {
        holding("live", 1, 100, 125);
        inputs("inputs", 1, 100, 125);
        holding("jk_cells", 2, 0x1200, 16);
        holding("jk_pack", 2, 0x1290, 2);
    }
    holding("nowhere", 1, 90, 2);
    inputs("jk_inputs", 2, 0x1200, 16);
    many("jk_off", 2, 0x1602, 1, off);
    one("jk_one", 2, 0x1602, 1);
    one("locked", 1, 700, 0);
    holding("is_locked", 1, 600, 1);
    many("unlocked", 1, 610, 2, pin);
    holding("is_unlocked", 1, 600, 1);
    one("no_core", 1, 700, 0);
    one("locks", 1, 612, 1);
    holding("is_locked_again", 1, 600, 1);
    modbus_set_slave(line, 1);
    say("report", modbus_report_slave_id(line, sizeof who, who), NULL);
    modbus_close(line);
    modbus_free(line);
    return 0;
}
