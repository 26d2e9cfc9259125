#include "monitor/view/text/duration_text.h"

#include <math.h>

#include "base/memory.h"

char *duration_text(double seconds, int decimals)
{
    const long whole = lround(fmin(fmax(seconds, 0), 1e12));
    if (whole >= 3600)
        return memory_format("%ld h %ld min", whole / 3600, whole / 60 % 60);
    if (whole >= 60)
        return memory_format("%ld min %ld s", whole / 60, whole % 60);
    return memory_format("%.*f s", decimals, fmax(seconds, 0));
}
