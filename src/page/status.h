/* The faces of a site: pages for people, JSON in Statuspage's form, OpenMetrics. Each is made once
 * for all who ask. */
#pragma once

#include "page/html.h"
#include "page/page.h"

void weir_page_status(const struct weir_page *page, unsigned long generation,
                      struct weir_html *html);
void weir_page_status_service(const struct weir_page *page, const struct weir_page_service *service,
                              unsigned long generation, struct weir_html *html);
void weir_page_status_incident(const struct weir_page *page,
                               const struct weir_page_incident *incident, unsigned long generation,
                               struct weir_html *html);
/* A page that says why there is nothing else: not found, not allowed. */
void weir_page_status_notice(const char *head, const char *text, struct weir_html *html);

/* As api/v2 of Statuspage has it: summary, status, incidents. */
enum weir_page_api { WEIR_PAGE_API_SUMMARY, WEIR_PAGE_API_STATUS, WEIR_PAGE_API_INCIDENTS };
void weir_page_status_json(const struct weir_page *page, enum weir_page_api which,
                           struct weir_html *json);

/* For Prometheus: OpenMetrics, or (not `open`) its older text format. Labels are services (at most
 * WEIR_PAGE_SERVICES_MAX), layers and results: no more. */
struct weir_view;
void weir_page_metrics(const struct weir_page_site *site, const struct weir_page *page,
                       const struct weir_view *view, bool open, struct weir_html *text);
