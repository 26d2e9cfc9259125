// Real std::strings for test_std_string; compiled once with each of libstdc++'s two layouts.
#include <new>
#include <string>

#ifndef LAYOUT
#error "LAYOUT: the prefix of the functions"
#endif
#define JOINED(prefix, name) prefix##_##name
#define JOIN(prefix, name)   JOINED(prefix, name)
#define NAME(name)           JOIN(LAYOUT, name)

static std::string shared;

extern "C" {

size_t NAME(size)()
{
    return sizeof(std::string);
}

// As a function that returns a std::string does it.
void NAME(make)(void *storage, const char *text)
{
    new (storage) std::string(text);
}

void NAME(make_empty)(void *storage)
{
    new (storage) std::string();
}

// A copy of one that lives on: with the old layout both share the text.
void NAME(make_shared)(void *storage, const char *text)
{
    shared = text;
    new (storage) std::string(shared);
}

const char *NAME(shared_text)()
{
    return shared.c_str();
}

// As Tango keeps the name of a command: copies of it, beyond the life of what it was given.
void *NAME(keep)(const void *given)
{
    const std::string copy = *static_cast<const std::string *>(given);
    return new std::string(copy);
}

const char *NAME(kept_text)(const void *kept)
{
    return static_cast<const std::string *>(kept)->c_str();
}

void NAME(drop)(void *kept)
{
    delete static_cast<std::string *>(kept);
}

void NAME(operator_delete)(void *memory)
{
    ::operator delete(memory);
}
}
