/*
 * plural: the ending of a word behind a count, as in "1 event", "2 events".
 */
#ifndef STEM_PLURAL_H
#define STEM_PLURAL_H

#define PLURAL(count) ((count) == 1 ? "" : "s")

#endif
