#include "launcher/attach/seccomp_filter.h"

#include <stdbool.h>
#include <string.h>

/* A classic BPF machine, as far as seccomp allows it. Source: linux/kernel/seccomp.c,
 * seccomp_check_filter(), and Documentation/networking/filter.rst. */
typedef struct {
    uint32_t a, x;
    uint32_t memory[BPF_MEMWORDS];
    const struct seccomp_data *data;
} machine_t;

static bool load_word(const machine_t *self, uint32_t at, uint32_t *value)
{
    if (at % sizeof *value != 0 || at > sizeof *self->data - sizeof *value)
        return false;
    memcpy(value, (const char *)self->data + at, sizeof *value);
    return true;
}

/* What is loaded, into either register. False: not an instruction that seccomp knows. */
static bool load(const machine_t *self, const struct sock_filter *instruction, uint32_t *value)
{
    switch (BPF_MODE(instruction->code)) {
    case BPF_IMM:
        *value = instruction->k;
        return true;
    case BPF_MEM:
        if (instruction->k >= BPF_MEMWORDS)
            return false;
        *value = self->memory[instruction->k];
        return true;
    case BPF_LEN:
        *value = sizeof *self->data;
        return true;
    case BPF_ABS:
        return BPF_CLASS(instruction->code) == BPF_LD && load_word(self, instruction->k, value);
    default:
        return false;
    }
}

static bool calculate(machine_t *self, const struct sock_filter *instruction)
{
    const uint32_t b = BPF_SRC(instruction->code) == BPF_X ? self->x : instruction->k;
    switch (BPF_OP(instruction->code)) {
    case BPF_ADD:
        self->a += b;
        return true;
    case BPF_SUB:
        self->a -= b;
        return true;
    case BPF_MUL:
        self->a *= b;
        return true;
    case BPF_DIV:
        if (b == 0)
            return false;
        self->a /= b;
        return true;
    case BPF_AND:
        self->a &= b;
        return true;
    case BPF_OR:
        self->a |= b;
        return true;
    case BPF_XOR:
        self->a ^= b;
        return true;
    case BPF_LSH:
        self->a = b < 32 ? self->a << b : 0;
        return true;
    case BPF_RSH:
        self->a = b < 32 ? self->a >> b : 0;
        return true;
    case BPF_NEG:
        self->a = 0U - self->a;
        return true;
    default:
        return false;
    }
}

/* How many instructions to skip. */
static bool jump(const machine_t *self, const struct sock_filter *instruction, uint32_t *skipped)
{
    const uint32_t b = BPF_SRC(instruction->code) == BPF_X ? self->x : instruction->k;
    bool is = false;
    switch (BPF_OP(instruction->code)) {
    case BPF_JA:
        *skipped = instruction->k;
        return true;
    case BPF_JEQ:
        is = self->a == b;
        break;
    case BPF_JGT:
        is = self->a > b;
        break;
    case BPF_JGE:
        is = self->a >= b;
        break;
    case BPF_JSET:
        is = (self->a & b) != 0;
        break;
    default:
        return false;
    }
    *skipped = is ? instruction->jt : instruction->jf;
    return true;
}

/* Everything but jumps and returns. */
static bool step(machine_t *self, const struct sock_filter *instruction)
{
    switch (BPF_CLASS(instruction->code)) {
    case BPF_LD:
        return load(self, instruction, &self->a);
    case BPF_LDX:
        return load(self, instruction, &self->x);
    case BPF_ST:
    case BPF_STX:
        if (instruction->k >= BPF_MEMWORDS)
            return false;
        self->memory[instruction->k] = BPF_CLASS(instruction->code) == BPF_ST ? self->a : self->x;
        return true;
    case BPF_ALU:
        return calculate(self, instruction);
    case BPF_MISC:
        if (BPF_MISCOP(instruction->code) == BPF_TAX)
            self->x = self->a;
        else
            self->a = self->x;
        return true;
    default:
        return false;
    }
}

uint32_t seccomp_filter_run(const struct sock_filter *program, size_t length,
                            const struct seccomp_data *data)
{
    machine_t machine = {.data = data};
    for (size_t at = 0; at < length; at++) {
        const struct sock_filter *instruction = &program[at];
        uint32_t skipped = 0;
        if (BPF_CLASS(instruction->code) == BPF_RET)
            return BPF_RVAL(instruction->code) == BPF_A ? machine.a : instruction->k;
        const bool ok = BPF_CLASS(instruction->code) == BPF_JMP
                            ? jump(&machine, instruction, &skipped)
                            : step(&machine, instruction);
        if (!ok)
            break;
        at += skipped; /* only forwards, so it ends */
    }
    return SECCOMP_RET_KILL_PROCESS;
}

uint32_t seccomp_filter_stricter(uint32_t one, uint32_t other)
{
    /* As signed numbers, stricter is less. Source: linux/kernel/seccomp.c, seccomp_run_filters() */
    return (int32_t)(other & SECCOMP_RET_ACTION_FULL) < (int32_t)(one & SECCOMP_RET_ACTION_FULL)
               ? other
               : one;
}
