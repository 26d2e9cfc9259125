/*
 * limits: the maximum of open files.
 */
#ifndef STEM_LIMITS_H
#define STEM_LIMITS_H

/*
 * Raises this process's limit of open files as far as possible: each server takes one. The ORB and
 * ZeroMQ wait by poll() and epoll, not by select(), which a high number would break; and we start
 * no program that could inherit it.
 */
void limits_raise_files(void);

/*
 * Reserves a few of them for the recording until limits_release_files(), so that servers can't take
 * them all. Each is called once.
 */
void limits_reserve_files(void);
void limits_release_files(void);

#endif
