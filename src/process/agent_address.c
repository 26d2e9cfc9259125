#include "process/agent_address.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADDRESS_BEGIN "ska-tango-event-agent/"

/* A socket that listens has no other flag (__SO_ACCEPTCON in Linux' linux/net.h). */
#define FLAG_LISTENS 0x10000U

/* What follows the process's number. */
#define RANDOM_DIGITS 16

/* ---- /proc/PID/status ---- */

typedef struct {
    long own_pid; /* its id as it knows it itself: the last of those that are listed */
    uid_t user;
    gid_t group;
} status_t;

static bool read_status(pid_t pid, status_t *status)
{
    char path[64];
    char line[512];
    unsigned int number = 0;
    *status = (status_t){.own_pid = pid, .user = (uid_t)-1, .group = (gid_t)-1};
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "NSpid:", 6) == 0 && strrchr(line, '\t') != NULL)
            status->own_pid = strtol(strrchr(line, '\t') + 1, NULL, 10);
        else if (sscanf(line, "Uid: %*u %u", &number) == 1)
            status->user = number;
        else if (sscanf(line, "Gid: %*u %u", &number) == 1)
            status->group = number;
    fclose(file);
    return status->user != (uid_t)-1;
}

bool agent_address_user(pid_t pid, uid_t *user, gid_t *group)
{
    status_t status;
    const bool there = read_status(pid, &status);
    *user = status.user;
    *group = status.group;
    return there;
}

/* A word of /proc/PID/stat, of which the second one may have blanks and parentheses in it. */
static const char *word_of(const char *stat, int number)
{
    const char *word = strrchr(stat, ')');
    for (int i = 2; word != NULL && i < number; i++) {
        word = strchr(word, ' ');
        word += word != NULL;
    }
    return word != NULL ? word : "";
}

enum { STAT_STATE = 3, STAT_THREADS = 20, STAT_BEGAN = 22 };

unsigned long long agent_address_began(pid_t pid)
{
    char path[64];
    char stat[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    stat[fread(stat, 1, sizeof stat - 1, file)] = '\0';
    fclose(file);
    /* One that nobody has waited for yet is no more; but its first thread may have ended alone. */
    if (strchr("ZX", word_of(stat, STAT_STATE)[0]) != NULL &&
        strtol(word_of(stat, STAT_THREADS), NULL, 10) <= 1)
        return 0;
    return strtoull(word_of(stat, STAT_BEGAN), NULL, 10);
}

/* ---- /proc/PID/net/unix ---- */

/* A line of it, if it is of a socket of an agent that listens. */
typedef struct {
    long pid; /* as the address has it */
    unsigned long inode;
    const char *name; /* in the line */
} listed_t;

static bool read_line(char *line, listed_t *listed)
{
    unsigned int flags = 0;
    char *end = NULL;
    char *name = strstr(line, " @" ADDRESS_BEGIN);
    if (name == NULL || sscanf(line, "%*s %*s %*s %x %*s %*s %lu", &flags, &listed->inode) != 2 ||
        (flags & FLAG_LISTENS) == 0)
        return false;
    listed->name = name + 2;
    listed->pid = strtol(listed->name + strlen(ADDRESS_BEGIN), &end, 10);
    if (listed->pid <= 0 || *end != '/' || strspn(end + 1, "0123456789abcdef") != RANDOM_DIGITS ||
        end[1 + RANDOM_DIGITS] != '\n')
        return false;
    end[1 + RANDOM_DIGITS] = '\0';
    return strlen(listed->name) < AGENT_ADDRESS_SIZE;
}

static FILE *open_list(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/net/unix", (long)pid);
    return fopen(path, "re");
}

/* ---- numbers ---- */

typedef struct {
    long *numbers;
    size_t count;
    size_t capacity;
} numbers_t;

static bool numbers_add(numbers_t *self, long number)
{
    if (self->count == self->capacity) {
        const size_t capacity = self->capacity > 0 ? 2 * self->capacity : 32;
        long *numbers = realloc(self->numbers, capacity * sizeof *numbers);
        if (numbers == NULL)
            return false;
        self->numbers = numbers;
        self->capacity = capacity;
    }
    self->numbers[self->count++] = number;
    return true;
}

static bool numbers_have(const numbers_t *self, long number)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->numbers[i] == number)
            return true;
    return false;
}

/* ---- those of a process ---- */

/* The sockets that a process has open. False: that can't be seen. */
static bool read_sockets(pid_t pid, numbers_t *inodes)
{
    char path[64];
    char link[64];
    unsigned long inode = 0;
    bool whole = true;
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return false;
    for (struct dirent *entry = NULL; whole && (entry = readdir(folder)) != NULL;) {
        const ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        link[length > 0 ? length : 0] = '\0';
        if (sscanf(link, "socket:[%lu]", &inode) == 1)
            whole = numbers_add(inodes, (long)inode);
    }
    closedir(folder);
    return whole;
}

static bool addresses_add(agent_address_t **all, size_t *count, const char *name)
{
    /* Room for twice as many whenever there are 2^n of them. */
    if ((*count & (*count - 1)) == 0) {
        agent_address_t *more = realloc(*all, (*count > 0 ? 2 * *count : 1) * sizeof *more);
        if (more == NULL)
            return false;
        *all = more;
    }
    agent_address_t *added = &(*all)[(*count)++];
    snprintf(added->name, sizeof added->name, "%s", name);
    return true;
}

agent_address_t *agent_address_of(pid_t pid, size_t *count)
{
    agent_address_t *all = NULL;
    char *line = NULL;
    size_t size = 0;
    status_t status;
    listed_t listed;
    numbers_t inodes = {0};
    *count = 0;
    if (!read_status(pid, &status))
        return NULL;
    const bool seen = read_sockets(pid, &inodes);
    FILE *file = open_list(pid);
    while (file != NULL && getline(&line, &size, file) > 0)
        /* A process that it has forked may still listen where one of that number did before. */
        if (read_line(line, &listed) && listed.pid == status.own_pid &&
            (!seen || numbers_have(&inodes, (long)listed.inode)) &&
            !addresses_add(&all, count, listed.name))
            break;
    free(line);
    free(inodes.numbers);
    if (file != NULL)
        fclose(file);
    return all;
}

/* ---- all processes ---- */

/* A network namespace, and the numbers that addresses of agents have in it. */
typedef struct {
    char name[64]; /* of the namespace: "net:[4026531840]"; "" if that can't be seen */
    numbers_t listening;
} network_t;

typedef struct {
    network_t *all;
    size_t count;
} networks_t;

static network_t *network_of(networks_t *self, pid_t pid)
{
    char path[64];
    char name[sizeof((network_t *)0)->name] = "";
    char *line = NULL;
    size_t size = 0;
    listed_t listed;
    snprintf(path, sizeof path, "/proc/%ld/ns/net", (long)pid);
    if (readlink(path, name, sizeof name - 1) < 0)
        name[0] = '\0';
    for (size_t i = 0; i < self->count; i++)
        if (strcmp(self->all[i].name, name) == 0)
            return &self->all[i];
    network_t *all = realloc(self->all, (self->count + 1) * sizeof *all);
    if (all == NULL)
        return NULL;
    self->all = all;
    network_t *network = &all[self->count++];
    *network = (network_t){0};
    memcpy(network->name, name, sizeof name);
    FILE *file = open_list(pid);
    while (file != NULL && getline(&line, &size, file) > 0)
        if (read_line(line, &listed) && !numbers_add(&network->listening, listed.pid))
            break;
    free(line);
    if (file != NULL)
        fclose(file);
    return network;
}

/* Whether it looks as if it had an agent, and may be asked. */
static bool is_candidate(networks_t *networks, pid_t pid, size_t *forbidden)
{
    status_t status;
    const network_t *network = network_of(networks, pid);
    if (network == NULL || network->listening.count == 0 || !read_status(pid, &status) ||
        !numbers_have(&network->listening, status.own_pid))
        return false;
    const bool may_ask = geteuid() == 0 || status.user == geteuid();
    *forbidden += !may_ask;
    return may_ask;
}

static int compare_pids(const void *a, const void *b)
{
    const pid_t left = *(const pid_t *)a;
    const pid_t right = *(const pid_t *)b;
    return (left > right) - (left < right);
}

pid_t *agent_address_find(size_t *count, size_t *forbidden)
{
    size_t others = 0;
    networks_t networks = {0};
    numbers_t found = {0};
    DIR *folder = opendir("/proc");
    for (struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
         entry = readdir(folder)) {
        const long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 0 && is_candidate(&networks, (pid_t)pid, &others) && !numbers_add(&found, pid))
            break;
    }
    if (folder != NULL)
        closedir(folder);
    pid_t *pids = malloc((found.count + 1) * sizeof *pids);
    *count = pids != NULL ? found.count : 0;
    for (size_t i = 0; i < *count; i++)
        pids[i] = (pid_t)found.numbers[i];
    if (*count > 0)
        qsort(pids, *count, sizeof *pids, compare_pids);
    for (size_t i = 0; i < networks.count; i++)
        free(networks.all[i].listening.numbers);
    free(networks.all);
    free(found.numbers);
    if (forbidden != NULL)
        *forbidden = others;
    return pids;
}
