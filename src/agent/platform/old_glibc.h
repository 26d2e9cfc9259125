/*
 * Included in front of every source file of the agent (by the compiler's -include), so that the
 * agent can be loaded on systems with an older glibc than the one it was built with.
 *
 * glibc 2.34 moved libpthread and libdl into libc and gave what was in them a new version. What is
 * built with it needs that version, and the loaders of older systems refuse it, and the server with
 * it. The same functions exist under their first version in every glibc for x86-64. Source: glibc's
 * NEWS for 2.32 and 2.34; the GNU assembler's .symver.
 */
#ifndef STEM_AGENT_OLD_GLIBC_H
#define STEM_AGENT_OLD_GLIBC_H

__asm__(".symver dladdr,dladdr@GLIBC_2.2.5");
__asm__(".symver dlclose,dlclose@GLIBC_2.2.5");
__asm__(".symver dlopen,dlopen@GLIBC_2.2.5");
__asm__(".symver dlsym,dlsym@GLIBC_2.2.5");
__asm__(".symver pthread_attr_setstacksize,pthread_attr_setstacksize@GLIBC_2.2.5");
__asm__(".symver pthread_create,pthread_create@GLIBC_2.2.5");
__asm__(".symver pthread_getspecific,pthread_getspecific@GLIBC_2.2.5");
__asm__(".symver pthread_key_create,pthread_key_create@GLIBC_2.2.5");
__asm__(".symver pthread_mutex_trylock,pthread_mutex_trylock@GLIBC_2.2.5");
__asm__(".symver pthread_once,pthread_once@GLIBC_2.2.5");
__asm__(".symver pthread_setspecific,pthread_setspecific@GLIBC_2.2.5");
__asm__(".symver pthread_sigmask,pthread_sigmask@GLIBC_2.2.5");

#endif
