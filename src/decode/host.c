/* Host names as the wire spells them, brought to one form: lower case, no trailing dot.
 *
 * A name is used as a key (of signatures, of the name memory) and is printed, so bytes that no host
 * name has are refused here once and nowhere else. '_' is let in: service labels
 * (_dns.resolver.arpa) and some CDNs have it. */
#include <weir/wire.h>

/* RFC 1035: 255 bytes on the wire, without the first length and the root */
#define HOST_TEXT_MAX 253

static const uint8_t host_byte[256] = {
    /* the byte that a name keeps; 0: no host name has it */
    ['-'] = '-', ['.'] = '.', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3',
    ['4'] = '4', ['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a',
    ['b'] = 'b', ['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h',
    ['i'] = 'i', ['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o',
    ['p'] = 'p', ['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v',
    ['w'] = 'w', ['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c',
    ['D'] = 'd', ['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j',
    ['K'] = 'k', ['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q',
    ['R'] = 'r', ['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x',
    ['Y'] = 'y', ['Z'] = 'z',
};

bool weir_host_set(struct weir_host *host, const char *text, size_t length) {
    host->length = 0;
    host->text[0] = '\0';
    if (length > HOST_TEXT_MAX + 1) return false;
    if (length > 0 && text[length - 1] == '.') length--;
    if (length == 0 || length > HOST_TEXT_MAX) return false;

    uint8_t before = '.'; /* an empty label is a dot behind a dot, or in front */
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = host_byte[(uint8_t)text[i]];
        if (byte == 0 || (byte == '.' && before == '.')) {
            host->text[0] = '\0';
            return false;
        }
        host->text[i] = (char)byte;
        before = byte;
    }
    if (before == '.') {
        host->text[0] = '\0';
        return false;
    }
    host->text[length] = '\0';
    host->length = (uint8_t)length;
    return true;
}
