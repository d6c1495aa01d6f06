/* How --help looks, of all commands alike: 80 columns, what the command does, then its options. */
#pragma once

/* A usage text: paragraphs, an empty line between two. A paragraph whose lines begin with spaces,
 * or with "Usage:", is printed as it is; the words of any other are laid out anew. */
void weir_help_usage(const char *usage);
/* One option: `letter` 0 and `argument` NULL where it has none. */
void weir_help_option(char letter, const char *name, const char *argument, const char *help);
