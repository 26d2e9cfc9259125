#include "answering.h"

#include "base/memory.h"

void answering_set(reply_t *reply, json_t *answer, double when)
{
    char *text = json_dumps(answer, JSON_COMPACT);
    REQUIRE(text);
    reply->answered = when;
    reply->response = response_parse(text, strlen(text), &reply->error);
    free(text);
    json_decref(answer);
}

char *answering_text(input_t bytes)
{
    return memory_copy((const char *)bytes.data, bytes.size);
}
