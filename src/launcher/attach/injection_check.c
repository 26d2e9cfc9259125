#include "launcher/attach/injection_check.h"

#include <stdio.h>

#include "launcher/attach/examination.h"
#include "launcher/attach/place.h"

static injection_result_t check_place(const target_t *target, char *error, size_t error_size)
{
    place_t place;
    switch (place_find(target, &place)) {
    case PLACE_FOUND:
        return INJECTION_OK;
    case PLACE_IN_USE:
        snprintf(error, error_size, "somebody else attaches to it just now; try again");
        return INJECTION_BUSY;
    default:
        snprintf(error, error_size, "its libraries have no room for a few hundred bytes of code");
        return INJECTION_NO_GAP;
    }
}

injection_result_t injection_check(pid_t pid, char *error, size_t error_size)
{
    examination_t examination;
    injection_result_t result = examination_begin(&examination, pid, error, error_size);
    if (result == INJECTION_OK)
        result = examination_objects(&examination, error, error_size);
    if (result == INJECTION_OK)
        result = check_place(&examination.target, error, error_size);
    if (result == INJECTION_OK)
        result = examination_threads(&examination, error, error_size);
    examination_end(&examination);
    return result;
}
