/* The model as markup: parts that both faces use, and the report. */
#pragma once

#include "page/html.h"
#include "page/page.h"

extern const char weir_page_style[];  /* style.css */
extern const char weir_page_script[]; /* live.js */

/* ---- parts ---- */

void weir_page_put_time(struct weir_html *html, int64_t us, bool with_date, bool with_zone);
void weir_page_put_pill(struct weir_html *html, enum weir_state state);
void weir_page_put_mark(struct weir_html *html, enum weir_state state); /* the sign alone */
void weir_page_put_answer(struct weir_html *html, const struct weir_page *page);
void weir_page_put_timeline(struct weir_html *html, const struct weir_page *page);
/* `level` of its heading; `linked`: its title leads to its own page. */
void weir_page_put_incident(struct weir_html *html, const struct weir_page *page,
                            const struct weir_page_incident *incident, bool linked);
void weir_page_put_charts(struct weir_html *html, const struct weir_page *page,
                          const struct weir_page_service *service);
void weir_page_put_sessions(struct weir_html *html, const struct weir_page *page);
void weir_page_put_seen(struct weir_html *html, const struct weir_page *page);
void weir_page_put_unknowns(struct weir_html *html, const struct weir_page *page);
void weir_page_put_services(struct weir_html *html, const struct weir_page *page);
const char *weir_page_state_words(enum weir_state state);

/* ---- the report ---- */

/* One file that needs nothing else. 0 or -ENOMEM. */
int weir_page_report(const struct weir_page *page, struct weir_html *html);
