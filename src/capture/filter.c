/* A BPF filter over frames of several link types.
 *
 * A BPF program holds offsets into one link layer, so each link type has its own, compiled when the
 * first frame of it comes. A capture of "all interfaces" may hold Bluetooth beside Ethernet, for
 * which `tcp port 443` cannot be compiled: such frames do not match. Only an expression that fits
 * no link type at the start is a mistake.
 *
 * Files hold LINKTYPE_ values, the compiler wants DLT_ ones; libpcap keeps its mapping to itself.
 * They differ in the few that the BSDs numbered differently from each other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pcap/pcap.h>

#include "capture/filter.h"
#include "capture/reader.h"

enum {
    PROGRAMS_MAX = 64, /* link types in one run: beyond that their frames do not match */
    LINKTYPE_ETHERNET = 1,
};

static const struct {
    uint16_t linktype;
    int dlt;
} renumbered[] = {
    {100, DLT_ATM_RFC1483}, {101, DLT_RAW},      {102, DLT_SLIP_BSDOS},
    {103, DLT_PPP_BSDOS},   {106, DLT_ATM_CLIP}, {108, DLT_LOOP},
    {109, DLT_ENC},         {246, DLT_PFSYNC},   {258, DLT_PKTAP},
};

struct program {
    uint16_t linktype;
    bool compiled;
    struct bpf_program bpf;
};

struct weir_filter {
    char *expression;
    size_t last; /* the program of the frame before */
    size_t n_programs;
    struct program programs[PROGRAMS_MAX];
};

static int dlt_of(uint16_t linktype) {
    for (size_t i = 0; i < sizeof renumbered / sizeof renumbered[0]; i++)
        if (renumbered[i].linktype == linktype) return renumbered[i].dlt;
    return linktype;
}

uint16_t weir_linktype_of_dlt(int dlt) {
    for (size_t i = 0; i < sizeof renumbered / sizeof renumbered[0]; i++)
        if (renumbered[i].dlt == dlt) return renumbered[i].linktype;
    return (uint16_t)dlt;
}

/* Adds the program for a link type, which may turn out not to compile: `ret_why` has libpcap's
 * words then. */
static struct program *add_program(struct weir_filter *filter, uint16_t linktype,
                                   struct weir_fault *ret_why) {
    if (filter->n_programs == PROGRAMS_MAX) return NULL;
    struct program *program = &filter->programs[filter->n_programs++];
    *program = (struct program){.linktype = linktype};
    pcap_t *pcap = pcap_open_dead(dlt_of(linktype), WEIR_CAPLEN_MAX);
    if (!pcap) return program;
    program->compiled =
        pcap_compile(pcap, &program->bpf, filter->expression, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!program->compiled)
        weir_fault_set(ret_why, -EINVAL, "filter \"%.200s\": %s", filter->expression,
                       pcap_geterr(pcap));
    pcap_close(pcap);
    return program;
}

static struct program *find_program(struct weir_filter *filter, uint16_t linktype) {
    for (size_t i = 0; i < filter->n_programs; i++)
        if (filter->programs[i].linktype == linktype) {
            filter->last = i;
            return &filter->programs[i];
        }
    return NULL;
}

bool weir_filter_matches(struct weir_filter *filter, const struct weir_frame *frame) {
    struct program *program = &filter->programs[filter->last];
    if (program->linktype != frame->linktype) program = find_program(filter, frame->linktype);
    if (!program) program = add_program(filter, frame->linktype, NULL);
    const struct pcap_pkthdr header = {.caplen = frame->caplen, .len = frame->wirelen};
    return program && program->compiled &&
           pcap_offline_filter(&program->bpf, &header, frame->data) != 0;
}

int weir_filter_new(struct weir_filter **ret_filter, const char *expression,
                    const uint16_t *linktypes, size_t n_linktypes, struct weir_fault *fault) {
    static const uint16_t ethernet[] = {LINKTYPE_ETHERNET};
    if (n_linktypes == 0) {
        linktypes = ethernet;
        n_linktypes = 1;
    }
    struct weir_filter *filter = calloc(1, sizeof *filter);
    if (!filter || !(filter->expression = strdup(expression))) {
        free(filter);
        return weir_fault_set(fault, -ENOMEM, "out of memory");
    }
    bool fits = false;
    for (size_t i = 0; i < n_linktypes && i < PROGRAMS_MAX; i++)
        if (!find_program(filter, linktypes[i])) {
            struct program *program = add_program(filter, linktypes[i], fault);
            fits = fits || program->compiled;
        }
    if (!fits) {
        weir_filter_free(filter);
        return -EINVAL;
    }
    if (fault) fault->text[0] = '\0';
    *ret_filter = filter;
    return 0;
}

void weir_filter_free(struct weir_filter *filter) {
    if (!filter) return;
    for (size_t i = 0; i < filter->n_programs; i++)
        if (filter->programs[i].compiled) pcap_freecode(&filter->programs[i].bpf);
    free(filter->expression);
    free(filter);
}
