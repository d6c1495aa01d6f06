/* The tables: a stranger adds a kind of player, link, site, fault, service or other traffic in one row.
 * README.md beside this says where the figures come from. */
#include "world.h"

#define MBPS 1e6
#define COUNT(rows) (sizeof rows / sizeof rows[0])

const struct player_row player_rows[] = {
    /* name           over med  segment     renditions           buffer      request       first conns audio adapts over  browser names  max  keep-alive  patience    control     beacons weight */
    {"browser-h2",    H2, 'v', {2, 6},   {0.3e6, 2.2e6},  {20, 60},  66, 69,   401, 1, false, true, true, true, true,    0, {55, 90},  {8, 20},  {15, 40},  true, 10},
    {"browser-h2-av", H2, 'v', {2, 5},   {0.3e6, 2.0e6},  {20, 40},  66, 69,   401, 2, true,  true, true, true, true,    0, {55, 90},  {8, 20},  {15, 40},  true, 6},
    {"browser-h3",    H3, 'v', {2, 6},   {0.3e6, 2.2e6},  {20, 60}, 390, 410,    0, 1, false, true, false, true, true,   0, {30, 60},  {8, 15},  {15, 40},  true, 10},
    {"browser-h3-av", H3, 'v', {4, 6},   {0.3e6, 2.0e6},  {20, 60}, 390, 410,    0, 2, true,  true, true, true, true,    0, {30, 60},  {8, 15},  {15, 40},  true, 5},
    {"television-h1", H1, 'v', {4, 10},  {0.4e6, 2.5e6},  {30, 120}, 136, 200,   0, 1, false, true, false, false, false, 100, {5, 65},  {10, 30}, {0, 0},    false, 8},
    {"television-h1-two", H1, 'v', {4, 8}, {0.4e6, 2.5e6}, {30, 90}, 136, 200,   0, 2, true,  true, true, false, false, 1000, {15, 75}, {10, 30}, {30, 60},  false, 7},
    {"television-h2", H2, 'v', {4, 6},   {0.4e6, 2.5e6},  {30, 90},   70, 110, 300, 1, false, true, false, false, true,  0, {60, 180}, {10, 30}, {40, 90},  true, 6},
    {"phone-app-h2",  H2, 'v', {2, 6},   {0.2e6, 1.2e6},  {15, 40},   60, 90,  350, 1, false, true, true, false, true,   0, {30, 60},  {6, 15},  {20, 60},  true, 8},
    {"terse-h1",      H1, 'v', {4, 6},   {0.2e6, 1.5e6},  {12, 30},  136, 200,   0, 1, false, false, true, false, false, 12, {5, 20},  {6, 12},  {8, 14},   false, 5},
    {"short-lived-h1", H1, 'v', {4, 8},  {0.3e6, 1.8e6},  {20, 60},  170, 240,   0, 1, false, true, true, false, true,   3, {3, 10},  {8, 15},  {15, 30},  true, 6},
    {"browser-restless", H2, 'v', {2, 6}, {0.3e6, 2.0e6}, {15, 40},   66, 69,  401, 1, false, true, true, true, true,   9, {8, 30},  {8, 20},  {10, 25},  true, 5},
    {"live-browser",  H2, 'l', {2, 6},   {0.3e6, 1.8e6},  {6, 18},    66, 75,  401, 1, false, true, true, true, true,    0, {55, 90},  {6, 12},  {20, 40},  true, 6},
    {"live-tv-h1",    H1, 'l', {4, 6},   {0.4e6, 2.0e6},  {8, 18},   136, 200,   0, 1, false, true, false, false, false, 200, {5, 60}, {8, 15},  {0, 0},    false, 4},
    {"live-held",     H2, 'h', {1, 2},   {0.3e6, 1.5e6},  {3, 6},     66, 75,  401, 1, false, true, false, true, true,   0, {55, 90},  {8, 12},  {20, 40},  false, 3},
    {"audio-h2",      H2, 'a', {10, 10}, {0.16e6, 0.32e6}, {180, 240}, 70, 110, 320, 1, false, false, true, false, true, 0, {55, 90}, {10, 20}, {20, 60},  true, 5},
    {"audio-h1",      H1, 'a', {10, 10}, {0.16e6, 0.32e6}, {120, 240}, 190, 260, 0, 1, false, false, false, false, false, 100, {10, 60}, {10, 20}, {30, 60}, false, 3},
};
const unsigned n_player_rows = COUNT(player_rows);

const struct link_row link_rows[] = {
    /* name          delay ms    jitter ms   loss            down Mbit/s  up Mbit/s    spells/h s         loss in one  delay in one, ms */
    {"cable",        {0.1, 0.5}, {0.01, 0.1}, {0, 0},        {500, 1000}, {500, 1000}, {0, 0},  {0, 0},   {0, 0},       {0, 0},    30},
    {"wifi-near",    {0.8, 3},   {0.3, 1.5}, {0, 0.0005},    {40, 200},   {40, 200},   {0, 2},  {5, 20},  {0.01, 0.06}, {5, 40},   40},
    {"wifi-far",     {1.5, 6},   {1, 5},     {0.0005, 0.006}, {8, 40},    {5, 25},     {2, 12}, {8, 35},  {0.03, 0.2},  {20, 120}, 20},
    {"cellular",     {12, 35},   {3, 10},    {0, 0.001},     {10, 80},    {5, 20},     {2, 10}, {5, 25},  {0, 0.08},    {40, 250}, 10},
};
const unsigned n_link_rows = COUNT(link_rows);

const struct site_row site_rows[] = {
    /* name          clients     seen  delay ms  Mbit/s a viewer  ipv6 watching  minutes   full small */
    {"home",         1, 6,       'l', {2, 15},   {12, 80},        0.4, 0.8,      {3.5, 8}, 40, 45},
    {"single",       1, 1,       'l', {2, 20},   {12, 60},        0.3, 1.0,      {4, 8},    6, 8},
    {"shared-flat",  5, 14,      'l', {2, 15},   {10, 40},        0.4, 0.7,      {3.5, 7}, 20, 20},
    {"office",       15, 60,     'l', {1, 8},    {8, 20},         0.2, 0.35,     {3, 6},   10, 6},
    {"behind-nat",   2, 12,      'n', {2, 15},   {10, 60},        0.3, 0.7,      {3.5, 7}, 10, 12},
    {"village-tap",  20, 60,     't', {1, 8},    {10, 40},        0.4, 0.5,      {3, 6},    8, 9},
    {"hotel",        60, 250,    'l', {1, 8},    {6, 12},         0.2, 0.4,      {3, 5},    4, 0},
    {"provider-tap", 300, 2000,  't', {1, 6},    {6, 12},         0.4, 0.3,      {3, 4},    2, 0},
};
const unsigned n_site_rows = COUNT(site_rows);

#define BAD "down|partial"
#define ANY "down|partial|degraded"
const struct fault_row fault_rows[] = {
    /* name             where        act             strength       share       length s   flaps  states  causes  trials viewers weight */
    {"blackhole",       ON_SERVICE,  DROP,           {0, 0},        {1, 1},     {50, 120}, false, BAD, "service", 6, false, 12},
    {"blackhole-up",    ON_SERVICE,  DROP_UP,        {0, 0},        {1, 1},     {50, 120}, false, BAD, "service", 6, false, 4},
    {"refused",         ON_SERVICE,  REFUSE,         {0, 0},        {1, 1},     {40, 100}, false, BAD, "service", 6, false, 8},
    {"unreachable",     ON_SERVICE,  ICMP,           {0, 0},        {1, 1},     {40, 100}, false, BAD, "service", 6, false, 5},
    {"tls-silent",      ON_SERVICE,  TLS_SILENT,     {0, 0},        {1, 1},     {60, 140}, false, ANY, "service", 6, false, 5},
    {"tls-alert",       ON_SERVICE,  TLS_ALERT,      {0, 0},        {1, 1},     {60, 140}, false, ANY, "service", 6, false, 5},
    {"reset-midway",    ON_SERVICE,  RESET_MID,      {0.5, 1},      {1, 1},     {50, 110}, false, ANY, "service", 6, false, 6},
    {"hangs",           ON_SERVICE,  HANG,           {0, 0},        {1, 1},     {50, 110}, false, ANY, "service", 6, false, 8},
    {"starved",         ON_SERVICE,  SLOW,           {0.02, 0.5},   {1, 1},     {70, 140}, false, ANY, "service", 5, true, 8},
    {"shifted-down",    ON_SERVICE,  SLOW,           {1.3, 2.5},    {1, 1},     {60, 120}, false, ANY, "service", 9, true, 3},
    {"hollow",          ON_SERVICE,  HOLLOW,         {0, 0},        {1, 1},     {50, 110}, false, ANY, "service", 6, false, 7},
    {"partial",         ON_SERVICE,  DROP,           {0, 0},        {0.3, 0.7}, {80, 160}, false, ANY, "service", 12, false, 4},
    {"flapping",        ON_SERVICE,  DROP,           {20, 45},      {1, 1},     {100, 200}, true, ANY, "service", 9, false, 4},
    {"one-prefix",      ON_PLACE,    DROP,           {0, 0},        {1, 1},     {60, 120}, false, ANY, "cdn_path", 6, false, 8},
    {"one-prefix-hangs", ON_PLACE,   HANG,           {0, 0},        {1, 1},     {60, 120}, false, ANY, "cdn_path", 6, false, 3},
    {"shared-cdn",      ON_SHARED,   DROP,           {0, 0},        {1, 1},     {60, 120}, false, ANY, "cdn", 6, false, 6},
    {"uplink-dead",     ON_SITE,     DROP,           {0, 0},        {1, 1},     {40, 90},  false, ANY, "uplink", 6, false, 6},
    {"uplink-slow",     ON_SITE,     SLOW,           {0.15, 0.6},   {1, 1},     {70, 140}, false, ANY, "uplink", 6, true, 6},
    {"uplink-lossy",    ON_SITE,     LOSE,           {0.03, 0.2},   {1, 1},     {70, 140}, false, ANY, "uplink", 6, true, 4},
    {"client-link",     ON_CLIENT,   LOSE,           {0.08, 0.3},   {1, 1},     {60, 120}, false, NULL, "client", 0, false, 6},
    {"client-leaves",   ON_CLIENT,   LEAVE,          {0, 0},        {1, 1},     {60, 90},  false, NULL, "client", 0, false, 3},
    {"names-servfail",  ON_NAMES,    NAMES_SERVFAIL, {0, 0},        {1, 1},     {110, 240}, false, BAD, "dns_service", 5, false, 4},
    {"names-timeout",   ON_NAMES,    NAMES_TIMEOUT,  {0, 0},        {1, 1},     {110, 240}, false, BAD, "dns_service", 5, false, 3},
    {"names-gone",      ON_NAMES,    NAMES_NXDOMAIN, {0, 0},        {1, 1},     {110, 240}, false, BAD, "dns_service", 5, false, 2},
    {"resolver-dead",   ON_RESOLVER, DROP,           {0, 0},        {1, 1},     {60, 120}, false, ANY, "dns_resolver", 6, false, 5},
    {"quic-blocked",    ON_QUIC,     DROP,           {0, 0},        {1, 1},     {60, 150}, false, "degraded", "quic_blocked", 4, false, 6},
    {"telemetry-blocked", ON_TELEMETRY, DROP,        {0, 0},        {1, 1},     {80, 200}, false, NULL, "", 0, false, 4},
    {"telemetry-sunk",  ON_TELEMETRY, NAMES_LOCAL,   {0, 0},        {1, 1},     {80, 200}, false, NULL, "", 0, false, 3},
};
const unsigned n_fault_rows = COUNT(fault_rows);

const struct service_row service_rows[] = {
    {"netflix", {"ipv4-c%03u-fra001-ix.1.oca.nflxvideo.net", "ipv4-c%03u-cdg001-ix.1.oca.nflxvideo.net", "ipv4-c%03u-isp.1.oca.nflxvideo.net"},
     "api-global.netflix.com", "www.netflix.com", "ichnaea.netflix.com", 'v', false, 12},
    {"youtube", {"rr%u---sn-4g5e6nzz.googlevideo.com", "rr%u---sn-5hne6nsk.googlevideo.com", "rr%u---sn-h0jeln7e.googlevideo.com"},
     "www.youtube.com", "youtubei.googleapis.com", "s.youtube.com", 'v', true, 14},
    {"disneyplus", {"vod-akc-eu-%u.media.dssott.com", "vod-bgc-eu-%u.media.dssott.com", "vod-cmc-eu-%u.media.dssott.com"},
     "disney.api.edge.bamgrid.com", "www.disneyplus.com", "disneyplus.com.ssl.sc.omtrdc.net", 'v', false, 8},
    {"primevideo", {"s%u-dub-2.cf.dash.row.aiv-cdn.net", "a%u-ak.row.aiv-cdn.net", "l%u-ll.aiv-delivery.net"},
     "www.primevideo.com", "atv-ps-eu.primevideo.com", "telemetry.example.net", 'v', true, 7},
    {"max", {"cf.emea%u.prd.media.max.com", "akm.emea%u.prd.media.max.com", "gcp.emea%u.prd.media.max.com"},
     "default.any-any.prd.api.discomax.com", "www.max.com", "beacons.example.net", 'v', false, 5},
    {"hulu", {"http-a-darwin%u.hulustream.com", "http-v-darwin%u.hulustream.com", "manifest%u.hulustream.com"},
     "www.hulu.com", "home.hulu.com", "vortex.hulu.com", 'v', false, 4},
    {"appletv", {"vod-ak-aoc.tv.apple.com", "vod-ap-aoc.tv.apple.com", "vod-fa-aoc.tv.apple.com"},
     "uts-api.tv.apple.com", "tv.apple.com", "xp.example.com", 'v', false, 3},
    {"crunchyroll", {"vod-fy-%u.crunchyrollcdn.com", "vod-ak-%u.crunchyrollcdn.com", "vod-cf-%u.crunchyrollcdn.com"},
     "beta-api.crunchyroll.com", "www.crunchyroll.com", "eec.example.com", 'v', false, 2},
    {"twitch", {"video-edge-c%u.fra02.abs.hls.ttvnw.net", "video-edge-c%u.ams03.abs.hls.ttvnw.net", "video-weaver.fra%02u.hls.ttvnw.net"},
     "gql.twitch.tv", "usher.ttvnw.net", "spade.example.net", 'l', false, 7},
    {"dazn", {"dce-fs-live-dazn-cdn.dazn.com", "dcf-fs-live-dazn-cdn.dazn.com", "dct-fs-live-dazn-cdn.dazn.com"},
     "api.playback.indazn.com", "www.dazn.com", "telemetry.example.org", 'l', false, 3},
    {"bbciplayer", {"vs-cmaf-pushb-uk.live.cf.md.bbci.co.uk", "vod-dash-uk-live.akamaized.net", "vod-hls-uk-live.akamaized.net"},
     "open.live.bbc.co.uk", "www.bbc.co.uk", "sa.bbc.co.uk", 'v', false, 3},
    {"spotify", {"audio-fa.scdn.co", "audio-ak.spotifycdn.com", "audio-cf.spotifycdn.com"},
     "spclient.wg.spotify.com", "api.spotify.com", "log.spotify.com", 'a', false, 6},
    {"deezer", {"e-cdns-proxy-%u.dzcdn.net", "cdnt-stream.dzcdn.net", "f-cdnt-stream.dzcdn.net"},
     "api.deezer.com", "www.deezer.com", "logs.example.com", 'a', false, 2},
};
const unsigned n_service_rows = COUNT(service_rows);

const struct web_row web_rows[] = {
    /* name        every s    conns requests answer        request    keeps holds  strangers resets share */
    {"page",       {12, 60},  4, 3,  600, 60000,  380, 620,  0.7, {0, 0},   false, true,  0.6},
    {"app",        {15, 60},  1, 2,  300, 20000,  300, 700,  0.6, {0, 0},   false, false, 0.6},
    {"poll",       {40, 90},  1, 3,  120, 600,    200, 500,  0.9, {20, 50}, false, false, 0.3},
    {"beacons",    {10, 40},  1, 1,  150, 400,    500, 1400, 0.1, {0, 0},   false, false, 0.5},
    {"ahead",      {30, 90},  1, 0,  0, 0,        0, 0,      0,   {0, 0},   false, false, 0.3},
    {"backup",     {60, 200}, 1, 6,  120, 300,    90000, 300000, 0.5, {0, 0}, false, false, 0.08},
    {"download",   {60, 300}, 1, 1,  500000, 4000000, 380, 500, 0.5, {0, 0}, false, false, 0.15},
    {"doh",        {6, 20},   1, 2,  300, 480,    120, 150,  0.9, {0, 0},   false, false, 0},
    {"peers",      {8, 60},   3, 1,  300, 40000,  200, 400,  0.3, {0, 0},   true,  false, 0.04},
};
const unsigned n_web_rows = COUNT(web_rows);

const char *const web_hosts[] = {
    "www.example.org", "news.example.com", "shop.example.net", "mail.example.com", "cdn.example.org", "static.example.net",
    "maps.example.com", "img.example.org", "app.example.net", "login.example.org", "fonts.example.com", "ads.example.net",
    "game.example.org", "push.example.com", "sync.example.net", "photos.example.org",
};
const unsigned n_web_hosts = COUNT(web_hosts);
