/*
 * reasons: texts of errors that programs read, too. A recording has nothing but the text.
 */
#ifndef STEM_REASONS_H
#define STEM_REASONS_H

/* A server ended in an orderly way, on SIGTERM or by its command Kill: it said so to the database.
 */
#define REASON_STOPPED "its server was stopped (the Tango database lists it as not exported)"

#endif
