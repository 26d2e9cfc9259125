/* The monitor's reader of answers: whatever a server says, it is understood or refused. */
#include "fuzz.h"
#include "response/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size);
    if (size)
        memcpy(text, data, size);
    char *error = NULL;
    response_t *response = response_parse(text, size, &error);
    REQUIRE((response == NULL) == (error != NULL));
    if (response) {
        response_pushed_count_is_next(response);
        for (size_t i = 0; i < response->subscription_count; i++) {
            REQUIRE(response->subscriptions[i].topic);
            free(response_stream_of_topic(response->subscriptions[i].topic));
        }
        for (size_t i = 1; i < response->publisher_count; i++)
            REQUIRE(strcmp(response->publishers[i - 1].name, response->publishers[i].name) <= 0);
    } else {
        REQUIRE(*error && !strchr(error, '\n')); /* one line, for a user */
    }
    response_destroy(&response);
    free(error);
    free(text);
    return 0;
}
