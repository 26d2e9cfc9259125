#include "launcher/attach/payload.h"

#include <assert.h>
#include <string.h>

static_assert(sizeof(mailbox_t) == 512 && offsetof(mailbox_t, waiter_state) == 8 &&
                  offsetof(mailbox_t, waiter_stack) == 16 && offsetof(mailbox_t, created) == 24 &&
                  offsetof(mailbox_t, loader_state) == 32 &&
                  offsetof(mailbox_t, loader_thread) == 36 && offsetof(mailbox_t, file) == 40 &&
                  offsetof(mailbox_t, handle) == 48 && offsetof(mailbox_t, go) == 56 &&
                  offsetof(mailbox_t, has_mask) == 60 && offsetof(mailbox_t, path) == 64 &&
                  offsetof(mailbox_t, mask) == 104 && offsetof(mailbox_t, text) == 112,
              "as the code below has it");
static_assert(sizeof(payload_t) == 112, "as the code below has it");

/*
 * System calls of x86-64 Linux: 3 close, 5 fstat, 9 mmap, 11 munmap, 14 rt_sigprocmask, 35
 * nanosleep, 127 rt_sigpending, 157 prctl, 186 gettid, 319 memfd_create.
 *
 * The waiter. It runs on a stack of its own: it may have little left. The vector registers are
 * saved there, too (xsave needs zeros in its header, as fresh memory has them): a system call keeps
 * them, unlike a function. Signals are held back, but for 33 of the C library itself (setuid waits
 * for every thread to take it, holding a lock that pthread_create needs); pthread_cancel's, 32,
 * would end the thread in the middle of pthread_create, with the locks that it has. They may be so
 * from the beginning: then the mailbox has the thread's own mask, unless a handler has run before
 * (the attacher was killed), which is to be seen by other signals being blocked. A signal that
 * comes meanwhile would have interrupted the system call, so it is made to return EINTR then. Where
 * it doesn't return EINTR by itself, the wait was to be restarted, and rcx is at the instruction.
 *
 * Registers: rbp: the thread's stack, with what was pushed; r15: locals: the signal mask, pending
 * signals, errno; rbx: the mailbox; r12: our stack; r13: where errno is; r14: vector registers.
 */
__asm__(".pushsection .rodata\n"
        ".globl payload_code, payload_constants, payload_begin, payload_end\n"
        ".hidden payload_code, payload_constants, payload_begin, payload_end\n"
        "    .balign 16\n"
        "payload_code:\n"
        "    .ascii \"" PAYLOAD_SIGNATURE "\"\n"
        /* payload_t */
        "payload_constants:\n"
        "constant_mailbox: .quad 0\n"
        "constant_pthread_create: .quad 0\n"
        "constant_pthread_detach: .quad 0\n"
        "constant_errno_location: .quad 0\n"
        "constant_dlopen: .quad 0\n"
        "constant_dlerror: .quad 0\n"
        "constant_dlopen_flags: .quad 0\n"
        "constant_memfd_flags: .quad 0\n"
        "constant_file_name: .skip 32\n"
        "constant_thread_name: .skip 16\n"
        "constant_signals: .quad 0xfffffffeffffffff\n"
        "constant_blocked: .quad 0xfffffffefffbfeff\n" /* without SIGKILL and SIGSTOP */
        "constant_moment: .quad 0, 1000000\n"
        "payload_begin:\n"
        "    pushfq\n"
        "    push %rcx\n    push %rax\n    push %rbx\n    push %rdx\n    push %rsi\n"
        "    push %rdi\n    push %rbp\n    push %r8\n    push %r9\n    push %r10\n"
        "    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    cld\n"
        "    mov %rsp, %rbp\n"
        "    sub $64, %rsp\n"
        "    and $-16, %rsp\n"
        "    mov %rsp, %r15\n"
        "    mov constant_mailbox(%rip), %rbx\n"
        "    lea 15*8+256(%rbp), %rax\n"
        "    mov %rax, 16(%rbx)\n"
        "    movl $2, 8(%rbx)\n" /* WAITER_ENTERED */
        /* rt_sigprocmask(SIG_BLOCK, signals, mask, 8) */
        "    mov $14, %eax\n"
        "    xor %edi, %edi\n"
        "    lea constant_signals(%rip), %rsi\n"
        "    mov %r15, %rdx\n"
        "    mov $8, %r10d\n"
        "    syscall\n"
        "    cmpl $0, 60(%rbx)\n"
        "    je 4f\n"
        "    mov constant_blocked(%rip), %rax\n"
        "    cmp %rax, (%r15)\n"
        "    jne 4f\n"
        "    mov 104(%rbx), %rax\n"
        "    mov %rax, (%r15)\n"
        /* mmap(NULL, 256 KB, read and write, private, anonymous, a stack) */
        "4:  mov $9, %eax\n"
        "    xor %edi, %edi\n"
        "    mov $0x40000, %esi\n"
        "    mov $3, %edx\n"
        "    mov $0x20022, %r10d\n"
        "    mov $-1, %r8\n"
        "    xor %r9d, %r9d\n"
        "    syscall\n"
        "    cmp $-4096, %rax\n"
        "    ja 1f\n"
        "    mov %rax, %r12\n"
        "    lea 0x40000-0x4000(%rax), %r14\n" /* 16 KB for the vector registers */
        "    mov %r14, %rsp\n"
        "    mov $-1, %eax\n"
        "    mov $-1, %edx\n"
        "    xsave64 (%r14)\n"
        "    call *constant_errno_location(%rip)\n"
        "    mov %rax, %r13\n"
        "    mov (%rax), %eax\n"
        "    mov %eax, 16(%r15)\n"
        /* pthread_create(&thread, NULL, loader, NULL) */
        "    sub $16, %rsp\n"
        "    mov %rsp, %rdi\n"
        "    xor %esi, %esi\n"
        "    lea payload_loader(%rip), %rdx\n"
        "    xor %ecx, %ecx\n"
        "    call *constant_pthread_create(%rip)\n"
        "    cltq\n"
        "    mov %rax, 24(%rbx)\n"
        "    mov 16(%r15), %eax\n"
        "    mov %eax, (%r13)\n"
        "    mov $-1, %eax\n"
        "    mov $-1, %edx\n"
        "    xrstor64 (%r14)\n"
        "    mov %r15, %rsp\n"
        "    mov $11, %eax\n"
        "    mov %r12, %rdi\n"
        "    mov $0x40000, %esi\n"
        "    syscall\n"
        "    jmp 2f\n"
        "1:  mov %rax, 24(%rbx)\n"
        /* rt_sigpending(pending, 8) */
        "2:  mov $127, %eax\n"
        "    lea 8(%r15), %rdi\n"
        "    mov $8, %esi\n"
        "    syscall\n"
        "    mov (%r15), %rax\n"
        "    not %rax\n"
        "    test %rax, 8(%r15)\n"
        "    jz 3f\n"
        "    cmpq $-4, 12*8(%rbp)\n" /* rax */
        "    je 3f\n"
        "    movq $-4, 12*8(%rbp)\n"
        "    addq $2, 13*8(%rbp)\n" /* rcx */
        /* rt_sigprocmask(SIG_SETMASK, mask, NULL, 8) */
        "3:  movl $3, 8(%rbx)\n" /* WAITER_LEFT */
        "    mov $14, %eax\n"
        "    mov $2, %edi\n"
        "    mov %r15, %rsi\n"
        "    xor %edx, %edx\n"
        "    mov $8, %r10d\n"
        "    syscall\n"
        "    mov %rbp, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n"
        "    pop %r10\n    pop %r9\n    pop %r8\n    pop %rbp\n    pop %rdi\n"
        "    pop %rsi\n    pop %rdx\n    pop %rbx\n    pop %rax\n    pop %rcx\n"
        "    popfq\n"
        "    lea 256(%rsp), %rsp\n"
        "    jmp *%rcx\n"
        /*
         * The loader: void *(void *). All signals are blocked, as in the waiter. rbx: the mailbox;
         * r12: the file; rbp: how often it still waits, 2,000 times for 1 ms and a bit; on the
         * stack: what fstat says of the file, at first and now. A process that closes what it
         * doesn't know may have a file of its own by that number then, which is left alone.
         */
        "payload_loader:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n"
        "    sub $304, %rsp\n"
        "    mov constant_mailbox(%rip), %rbx\n"
        "    mov %fs:0x10, %rdi\n" /* pthread_self() */
        "    call *constant_pthread_detach(%rip)\n"
        "    mov $186, %eax\n"
        "    syscall\n"
        "    mov %eax, 36(%rbx)\n"
        "    movl $1, 32(%rbx)\n" /* LOADER_STARTED */
        /* prctl(PR_SET_NAME, name) */
        "    mov $157, %eax\n"
        "    mov $15, %edi\n"
        "    lea constant_thread_name(%rip), %rsi\n"
        "    syscall\n"
        "    mov $319, %eax\n"
        "    lea constant_file_name(%rip), %rdi\n"
        "    mov constant_memfd_flags(%rip), %rsi\n"
        "    syscall\n"
        "    mov %rax, 40(%rbx)\n"
        "    mov %rax, %r12\n"
        "    test %rax, %rax\n"
        "    js 7f\n"
        "    mov $5, %eax\n"
        "    mov %r12, %rdi\n"
        "    mov %rsp, %rsi\n"
        "    syscall\n"
        "    movl $2, 32(%rbx)\n" /* LOADER_FILE */
        "    mov $2000, %ebp\n"
        "1:  cmpl $0, 56(%rbx)\n"
        "    jne 2f\n"
        "    mov $35, %eax\n"
        "    lea constant_moment(%rip), %rdi\n"
        "    xor %esi, %esi\n"
        "    syscall\n"
        "    dec %ebp\n"
        "    jnz 1b\n"
        "    mov $2, %eax\n" /* LOADER_GO_LATE */
        "    xchg %eax, 56(%rbx)\n"
        "    test %eax, %eax\n"
        "    jz 6f\n"
        "    movl $1, 56(%rbx)\n"
        "2:  call 8f\n"
        "    je 3f\n"
        "    movq $-9, 40(%rbx)\n" /* -EBADF */
        "    jmp 7f\n"
        "3:  lea 64(%rbx), %rdi\n"
        "    mov constant_dlopen_flags(%rip), %rsi\n"
        "    call *constant_dlopen(%rip)\n"
        "    mov %rax, 48(%rbx)\n"
        "    test %rax, %rax\n"
        "    jnz 6f\n"
        "    cmpq $0, constant_dlerror(%rip)\n"
        "    je 6f\n"
        "    call *constant_dlerror(%rip)\n"
        "    test %rax, %rax\n"
        "    jz 6f\n"
        "    xor %edx, %edx\n"
        "4:  mov (%rax,%rdx), %cl\n"
        "    mov %cl, 112(%rbx,%rdx)\n"
        "    test %cl, %cl\n"
        "    jz 6f\n"
        "    inc %edx\n"
        "    cmp $399, %edx\n"
        "    jne 4b\n"
        "    movb $0, 112(%rbx,%rdx)\n"
        "6:  call 8f\n"
        "    jne 7f\n"
        "    mov $3, %eax\n"
        "    mov %r12, %rdi\n"
        "    syscall\n"
        "7:  movl $3, 32(%rbx)\n" /* LOADER_DONE */
        "    xor %eax, %eax\n"
        "    add $304, %rsp\n"
        "    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n"
        /* Whether the number is still the file's: equal (device, inode). */
        "8:  mov $5, %eax\n"
        "    mov %r12, %rdi\n"
        "    lea 152(%rsp), %rsi\n"
        "    syscall\n"
        "    test %eax, %eax\n"
        "    jne 9f\n"
        "    mov 8(%rsp), %rax\n"
        "    cmp %rax, 152(%rsp)\n"
        "    jne 9f\n"
        "    mov 16(%rsp), %rax\n"
        "    cmp %rax, 160(%rsp)\n"
        "9:  ret\n"
        "payload_end:\n"
        ".popsection\n");

extern const char payload_code[] __attribute__((visibility("hidden")));
extern const char payload_constants[] __attribute__((visibility("hidden")));
extern const char payload_begin[] __attribute__((visibility("hidden")));
extern const char payload_end[] __attribute__((visibility("hidden")));

size_t payload_size(void)
{
    return (size_t)(payload_end - payload_code);
}

size_t payload_entry(void)
{
    return (size_t)(payload_begin - payload_code);
}

void payload_make(const payload_t *payload, void *code)
{
    memcpy(code, payload_code, payload_size());
    memcpy((char *)code + (payload_constants - payload_code), payload, sizeof *payload);
}
