/* Whose fault is it: see attribute.c. */
#pragma once

#include <weir/detect.h>

struct weir_detector;

struct weir_verdict;
/* attribute.c: judge the evidence since `since_us` of one subject. */
struct weir_scope {
    weir_service_id service;
    uint8_t layer;
    bool slow;                      /* a slow burn: mixed slots count as one of each */
    bool joint;                     /* the evidence is of all layers above dns; `layer` is where it shows worst */
    const struct weir_addr *prefix; /* the evidence is of this prefix, or NULL */
    int64_t since_us, began_us;
    int64_t until_us; /* of an open incident the last failure: what is useful after it says that it is over; 0: now */
    double strength; /* S / h */
};
void weir_attribute_service(struct weir_detector *detector, const struct weir_scope *scope,
                            struct weir_verdict *ret_verdict);
void weir_attribute_uplink(struct weir_detector *detector, const struct weir_scope *scope,
                           struct weir_verdict *ret_verdict);
void weir_attribute_resolver(struct weir_detector *detector, const struct weir_scope *scope,
                             struct weir_verdict *ret_verdict);
/* Continuous signals of a service deviate: degraded, if it isn't the uplink or the clients' own network. */
void weir_attribute_continuous(struct weir_detector *detector, const struct weir_scope *scope,
                               struct weir_verdict *ret_verdict);
/* Nobody tries the service any more. */
void weir_attribute_silence(struct weir_detector *detector, const struct weir_scope *scope, struct weir_verdict *ret_verdict);
/* The path out as a whole fails now: by its own CUSUM. */
bool weir_uplink_is_raised(const struct weir_detector *detector);
