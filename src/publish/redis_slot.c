/* CRC16-XMODEM (polynomial 0x1021, start 0) modulo 16384, as the Redis Cluster specification says.
 */
#include <stdint.h>
#include <string.h>

#include "publish/redis_slot.h"

unsigned weir_redis_slot(const char *key, size_t length) {
    const char *open = memchr(key, '{', length);
    const char *close = open ? memchr(open, '}', length - (size_t)(open - key)) : NULL;
    if (close && close > open + 1) {
        key = open + 1;
        length = (size_t)(close - key);
    }
    uint16_t crc = 0;
    for (size_t i = 0; i < length; i++) {
        crc ^= (uint16_t)((uint8_t)key[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc % WEIR_REDIS_SLOTS;
}
