#include "process/machine_code.h"

#include <stdbool.h>
#include <string.h>

static bool begins_with(const unsigned char *code, size_t size, const char *bytes, size_t count)
{
    return size >= count && memcmp(code, bytes, count) == 0;
}

uint32_t machine_code_returned(const unsigned char *code, size_t size)
{
    static const char endbr64[] = "\xf3\x0f\x1e\xfa";
    static const char frame[] = "\x55\x48\x89\xe5"; /* push %rbp; mov %rsp,%rbp */
    uint32_t number = 0;
    bool has_frame = false;
    if (begins_with(code, size, endbr64, 4)) {
        code += 4;
        size -= 4;
    }
    if (begins_with(code, size, frame, 4)) {
        code += 4;
        size -= 4;
        has_frame = true;
    }
    if (size < 7 || code[0] != 0xb8)
        return 0;
    memcpy(&number, code + 1, sizeof number);
    /* pop %rbp; ret */
    const bool ends = has_frame ? code[5] == 0x5d && code[6] == 0xc3 : code[5] == 0xc3;
    return ends ? number : 0;
}
