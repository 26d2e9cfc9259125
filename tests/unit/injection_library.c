/* What the tests load into their children: it says so, on the descriptor that they have for it. */
#include <unistd.h>

#include "injection_target.h"

__attribute__((constructor)) static void loaded(void)
{
    (void)!write(INJECTION_TARGET_SAYS, "L", 1);
}
