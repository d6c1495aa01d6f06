/* A world: one site's clients, players, links, places and faults, and the capture that they leave
 * at one vantage.
 *
 *     client --- its link --- vantage --- site's uplink --- place (a prefix of servers)
 *
 * Time is simulated: events in one heap, in microseconds since the world's begin. Everything is
 * drawn from one seed. Nothing is freed before the process ends, but packets. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SECOND INT64_C(1000000)
#define MS     INT64_C(1000)
#define NEVER  INT64_MAX

enum { CLIENT, SERVER };
enum transport { H1, H2, H3 };
enum role { MEDIA, CONTROL, TELEMETRY };
enum {
    NAME_MAX_LEN = 96,
    SPELLS_MAX = 8,
    SACKS = 3,
    HOLES = 24,
    QUEUE = 6,
    FAULTS_MAX = 6,
    PLACES_OF_SERVICE = 3
};

struct world;
typedef void event_fn(struct world *world, void *object, uint64_t argument);

/* ---- tables (tables.c): a row each; README.md says what is real about them ---- */

struct range_s {
    double low, high;
};

/* A kind of player, and how it asks. */
struct player_row {
    const char *name;
    enum transport transport;
    char medium; /* 'v' film, 'l' live, 'h' live with held replies, 'a' audio */
    struct range_s segment_s;
    struct range_s rate_bps; /* lowest and highest rendition; between them three steps */
    struct range_s buffer_s; /* how far ahead it loads */
    /* bytes on the wire; `first` of a connection, 0: the same */
    unsigned request_low, request_high, request_first;
    unsigned connections; /* media connections at a time: two fetch audio beside video */
    bool audio;           /* a track of its own */
    bool adapts, fails_over, browser, caches_names;
    unsigned max_requests;       /* servers close after so many; 0: never */
    struct range_s keep_alive_s; /* servers close after so much rest */
    struct range_s timeout_s;    /* patience with a request without progress */
    struct range_s control_s;    /* between two control requests; 0: it never makes any */
    bool telemetry;
    unsigned weight;
};

struct link_row {
    const char *name;
    struct range_s delay_ms, jitter_ms;
    struct range_s loss; /* share of packets, always */
    struct range_s down_mbps, up_mbps;
    struct range_s spells_an_hour, spell_s, spell_loss, spell_delay_ms;
    unsigned weight;
};

struct site_row {
    const char *name;
    unsigned clients_low, clients_high;
    char vantage;                    /* 'l' LAN side, 'n' behind NAT, 't' a provider's tap */
    struct range_s delay_ms;         /* vantage to the first server: added to each place's */
    struct range_s down_mbps_client; /* of the uplink, for each client that watches */
    double ipv6;                     /* share of sites with both */
    double watching;                 /* share of clients with a player */
    struct range_s minutes;
    unsigned weight, weight_small; /* in the full and in the small profile */
};

enum fault_scope {
    ON_SERVICE,
    ON_API,
    ON_PLACE,
    ON_SHARED,
    ON_SITE,
    ON_CLIENT,
    ON_NAMES,
    ON_RESOLVER,
    ON_QUIC,
    ON_TELEMETRY
};
enum fault_act {
    DROP,
    DROP_UP,
    REFUSE,
    ICMP,
    TLS_SILENT,
    TLS_ALERT,
    RESET_MID,
    HANG,
    SLOW,
    HOLLOW,
    LOSE,
    DELAY,
    NAMES_SERVFAIL,
    NAMES_TIMEOUT,
    NAMES_NXDOMAIN,
    NAMES_LOCAL,
    LEAVE,
};

struct fault_row {
    const char *name;
    enum fault_scope scope;
    enum fault_act act;
    /* what `act` makes of it: a share, a rate as part of the need, seconds */
    struct range_s strength;
    struct range_s share; /* of connections that are hit */
    struct range_s length_s;
    bool flaps;
    const char *states, *causes; /* what may be said, '|' between; NULL: nothing may */
    unsigned trials_needed;      /* failing trials (or stalled slots) from which it must be said */
    bool by_viewers;             /* counts stalled viewers, not failed attempts */
    unsigned weight;
};

struct service_row {
    const char *id;
    const char *media[PLACES_OF_SERVICE];
    const char *control, *api, *telemetry;
    char medium; /* 'v', 'l', 'a' */
    bool quic;
    unsigned weight;
};

struct web_row {
    const char *name;
    struct range_s every_s; /* between bursts */
    unsigned connections, requests;
    unsigned answer_low, answer_high, request_low, request_high;
    double keeps;          /* share of bursts that keep the connection */
    struct range_s hold_s; /* the server holds its answer: long polls */
    /* asks addresses that mostly do not answer, or names that do not exist */
    bool strangers;
    bool resets;  /* closes by RST */
    double share; /* of clients that do it */
};

extern const struct player_row player_rows[];
extern const struct link_row link_rows[];
extern const struct site_row site_rows[];
extern const struct fault_row fault_rows[];
extern const struct service_row service_rows[];
extern const struct web_row web_rows[];
extern const char *const web_hosts[];
extern const unsigned n_player_rows, n_link_rows, n_site_rows, n_fault_rows, n_service_rows,
    n_web_rows, n_web_hosts;

/* ---- the network ---- */

struct ip {
    bool six;
    uint8_t bytes[16];
};

struct pipe {
    double rate_bps;
    int64_t free_us, queue_us;
};

struct spell {
    int64_t from_us, to_us;
    double loss;
    int64_t delay_us;
    double rate_bps;
};

/* A prefix of servers: a /24 and a /48. */
struct place {
    unsigned id;
    int64_t delay_us;
    uint8_t ttl;
    unsigned n_services;
};

struct host {
    unsigned id;
    char name[NAME_MAX_LEN], cname[NAME_MAX_LEN];
    int service; /* of world->services; -1: other */
    enum role role;
    struct place *place;
    unsigned address, n_addresses;
    unsigned ttl_s;
    bool rude; /* closes idle connections by RST */
    /* addresses of it that have answered, a bit each: what is known without a lookup */
    uint32_t served_by;
};

struct client {
    unsigned index;
    uint8_t mac[6];
    struct ip address[2]; /* IPv4, IPv6 */
    bool dual, timestamps, hybrid, doh;
    const struct link_row *link;
    int64_t delay_us, jitter_us;
    double loss;
    struct pipe up, down;
    struct spell spells[SPELLS_MAX];
    unsigned n_spells;
    /* packets to it in this slot, and those its link lost */
    uint32_t link_slot, n_link_sent, n_link_lost;
    int64_t lossy_us[2];  /* the first and the last such slot with many losses; 0: none */
    int64_t gone_us;      /* leaves the network, silently */
    int64_t *names_until; /* by host: its cache */
    bool *names_asked;    /* by host: a lookup is under way */
    uint16_t next_port;
    uint32_t clock;
    uint32_t seen_slot[FAULTS_MAX]; /* newest slot in which each fault showed to it */
    uint32_t well_slot[FAULTS_MAX]; /* and in which its subject was useful to it all the same */
    bool seen_by[FAULTS_MAX];
};

/* ---- a flow: one 5-tuple ---- */

struct flow {
    struct client *client;
    struct host *host; /* NULL: the resolver */
    struct place *place;
    struct ip ip[2];
    uint16_t port[2];
    bool udp;
    double luck;        /* 0..1: faults with a share hit those below it */
    int64_t last_us[4]; /* newest pass and arrival in each direction: paths keep their order */
    unsigned n_payload; /* packets with payload so far */
    uint16_t ip_id[2];
};

struct hole {
    uint64_t from, to;
};

enum packet_kind { P_TCP, P_QUIC_DATA, P_RAW, P_ICMP };

struct packet {
    struct packet *next;
    struct flow *flow;
    struct conn *conn; /* NULL: a lookup */
    uint8_t kind, from, flags, n_sacks;
    uint32_t seq, ack, length;
    uint32_t tsval, tsecr;
    uint64_t offset, ack_offset; /* in the stream */
    struct hole sacks[SACKS];
    uint32_t stream; /* bytes of the stream that it carries */
    const uint8_t *raw;
    void *owner; /* of a lookup */
};

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* ---- streams and connections (transport.c) ---- */

enum message_tag {
    M_HELLO,
    M_SERVER_FLIGHT,
    M_FINISHED,
    M_TICKETS,
    M_CONTROL,
    M_PING,
    M_REQUEST,
    M_RESPONSE,
    M_ALERT,
    M_FIN
};

struct message {
    struct message *next;
    uint64_t start, end;
    enum message_tag tag;
    struct request *request;
    const uint8_t *bytes; /* NULL: records of noise */
    unsigned record;      /* bytes of a record */
};

struct end {
    struct message *last, *sending, *oldest, *undelivered;
    uint64_t una, nxt, total, recover, again; /* `again`: what was sent again in this recovery */
    bool recovering, fin, delayed, armed;
    double cwnd, ssthresh;
    struct hole sacked[HOLES];
    unsigned n_sacked, backoff;
    int64_t srtt_us, timed_at_us;
    uint64_t timed_end;
    uint32_t timer, ack_timer;
    uint64_t received; /* of the peer's stream, without a hole */
    struct hole early[HOLES];
    unsigned n_early, n_unacked;
    uint32_t isn, clock_seen;
    int64_t pace_us;
};

enum conn_state { C_SYN, C_SHAKE, C_OPEN, C_CLOSED };

struct conn {
    struct flow flow;
    struct channel *channel; /* NULL: nobody waits for it any more */
    bool quic, client_closed, server_closed, first_asked, silent;
    bool server_open; /* the server has seen the SYN, or the Initial */
    enum conn_state state;
    unsigned tries;
    uint32_t salt, timer, idle_timer;
    struct end end[2];
    int64_t begun_us, heard_us;
    uint64_t bytes_served, since_window_update;
    unsigned n_served, n_rsts, n_probes;
    int64_t keep_alive_us;
    unsigned max_requests;
    double reset_after; /* RESET_MID: bytes of the answer */
};

struct request {
    unsigned bytes, answer;
    int64_t think_us;
    int64_t asked_us, sent_us;
    bool sent, served, hollow; /* `hollow`: the answer is an error */
    uint64_t token;
};

/* What asks: a host, by one connection at a time. */
typedef void answered_fn(struct world *world, void *owner, struct request *request, bool good);
struct channel {
    struct client *client;
    struct host *host;
    const struct player_row *habits; /* NULL: a web client */
    enum transport transport;
    struct conn *conn, *racers[3];
    unsigned n_racers;
    struct request *queue[QUEUE];
    unsigned n_queue;
    bool dialing, resets, bare; /* `bare`: connects ahead and says nothing */
    uint32_t dial, watch;
    int64_t timeout_us, connect_timeout_us, keep_alive_us, no_quic_until_us;
    unsigned max_requests;
    void *owner;
    answered_fn *answered;
};

/* ---- players ---- */

struct track {
    struct player *player;
    struct channel *channel;
    double loaded_s; /* of the medium, since its begin */
    bool asking, held, list;
    struct request request;
    unsigned failures;
    int64_t asked_us;
};

enum { VIEWER_STALLS = 64, VIEWER_JUMPS = 16 };

/* What its viewer went through. */
struct viewer {
    int64_t from_us, first_us, end_us; /* began; saw the first picture (0: never); left */
    int64_t enough_us;                 /* has all that it wants until then */
    int64_t stalls[VIEWER_STALLS][2];
    int64_t jump_us, jumps[VIEWER_JUMPS][2]; /* jumps, and has no picture yet (0: no) */
    unsigned n_stalls, n_jumps, n_states, max_states;
    char *states;                    /* a letter a second: see viewer.c */
    double picture_bytes, picture_s; /* of the segments of the picture */
};

struct player {
    const struct player_row *row;
    struct client *client;
    int service;
    double segment_s, cap_s, played_s, rate_bps, best_bps;
    int64_t seen_us, start_us, stop_us, pause_us, pause_to_us, seek_us;
    bool playing, begun, paused, over;
    unsigned level, place, n_tracks;
    struct track tracks[2];
    struct channel *control, *telemetry;
    unsigned n_stalls, n_segments, n_failures;
    int64_t stalled_us, stall_since_us;
    double fetched_bps;
    struct viewer viewer;
};

/* ---- faults ---- */

struct fault {
    const struct fault_row *row;
    unsigned index;
    int service, other_service; /* of world->services; -1 */
    struct place *place;
    struct client *client;
    int part;      /* a role, or -1: all */
    bool restarts; /* the servers forget their open connections when it begins */
    double share, strength;
    int64_t from_us, to_us, period_us; /* period: flaps */
    int64_t first_seen_us, last_seen_us;
    unsigned n_trials, n_mixed, n_clients, n_trials_other; /* _other: of other_service */
    /* good answers: of the subject, its service elsewhere, all else */
    unsigned n_well, n_well_elsewhere, n_controls, n_before;
    uint64_t places, services; /* that failed by it, a bit each */
};

struct service {
    const struct service_row *row;
    struct host *media[PLACES_OF_SERVICE];
    unsigned n_media;
    struct host *control, *api, *telemetry;
    unsigned n_players;
};

struct world {
    uint64_t seed, random;
    int64_t now_us, end_us, epoch_us;
    struct heap *heap;
    FILE *capture;
    uint64_t n_packets, n_bytes;
    /* bytes kept of a packet; of the first that many payload packets all is kept */
    unsigned snap, snap_first;
    bool apart; /* addresses that no other world has */
    /* `merged`: several segments in one captured packet, as GRO makes them */
    bool vlan, merged;
    const struct site_row *site;
    struct pipe up, down;
    double up_loss, down_loss;
    int64_t uplink_delay_us;
    struct client *clients;
    unsigned n_clients;
    struct service *services;
    unsigned n_services;
    struct host *hosts[256];
    unsigned n_hosts;
    struct host **web;
    unsigned n_web;
    struct host *doh, *stranger[2]; /* peers that are gone; a name that never was */
    struct place *places[96];
    unsigned n_places;
    struct place *resolver_place;
    struct ip resolver;
    bool resolver_local, dead_six;
    uint8_t gateway_mac[6], beyond_mac[6];
    struct ip nat_address;
    uint16_t nat_port;
    struct player *players;
    unsigned n_players;
    struct fault faults[FAULTS_MAX];
    unsigned n_faults;
    int blocked_service; /* from the start; -1 */
    bool *no_name;       /* by host: it never existed */
    bool *blocked_name;  /* by host: the resolver says 0.0.0.0 */
    /* of all renditions: large sites watch smaller pictures, or a capture would be huge */
    double rate_scale;
    double chance_bad; /* share of connections that never come to be */
    struct packet *free_packets;
};

/* heap.c: events and chance */
void world_at(struct world *world, int64_t at_us, event_fn *fn, void *object, uint64_t argument);
void world_run(struct world *world);
void *world_new(size_t size);        /* zeroed; the world owns it */
void world_end(struct world *world); /* gives back the world and all of world_new */
uint32_t chance(struct world *world, uint32_t n);
double uniform(struct world *world, double low, double high);
double within(struct world *world, struct range_s range);     /* uniform */
double within_log(struct world *world, struct range_s range); /* uniform in the logarithm */
double waiting(struct world *world, double mean);             /* exponential */
bool likely(struct world *world, double probability);

/* frames.c */
int frames_begin(struct world *world, const char *path);
int frames_end(struct world *world);
void frames_packet(struct world *world, const struct packet *packet);
/* on the wire, link header included */
unsigned frames_size(const struct packet *packet);

/* path.c */
struct packet *packet_new(struct world *world, struct flow *flow, struct conn *conn, int from);
/* Sends it now. It passes the vantage and arrives (`arrive`), or is lost on the way. Takes the
 * packet. */
void path_send(struct world *world, struct packet *packet);
void dhcp_hello(struct world *world, struct client *client);
void flow_init(struct world *world, struct flow *flow, struct client *client, struct host *host,
               bool six, bool udp, uint16_t server_port);
struct ip place_address(const struct place *place, bool six, unsigned number);

/* transport.c */
struct conn *conn_open(struct world *world, struct channel *channel, bool six, bool quic);
void conn_ask(struct world *world, struct conn *conn, struct request *request);
void conn_close(struct world *world, struct conn *conn, bool reset);
void conn_arrive(struct world *world, struct packet *packet);
void end_queue(struct world *world, struct conn *conn, int side, enum message_tag tag,
               const uint8_t *bytes, size_t length, struct request *request);
void end_pump(struct world *world, struct conn *conn, int side);
size_t stream_bytes(const struct conn *conn, int side, uint64_t offset, size_t length,
                    uint8_t *out);
void server_reset(struct world *world, struct conn *conn);

/* server.c: what ends do with messages */
void conn_deliver(struct world *world, struct conn *conn, int receiver, struct message *message);
void quic_client_first(struct world *world, struct conn *conn);
void quic_raw(struct world *world, struct packet *packet);

/* names.c */
typedef void named_fn(struct world *world, void *owner, bool good);
void name_lookup(struct world *world, struct client *client, struct host *host, named_fn *fn,
                 void *owner);
void name_arrive(struct world *world, struct packet *packet);

/* channel.c */
struct channel *channel_new(struct world *world, struct client *client, struct host *host,
                            enum transport transport, const struct player_row *habits, void *owner,
                            answered_fn *answered);
void channel_ask(struct world *world, struct channel *channel, struct request *request);
void channel_preconnect(struct world *world, struct channel *channel);
void channel_drop(struct world *world, struct channel *channel, bool reset);
void channel_ready(struct world *world, struct channel *channel, struct conn *conn);
void channel_lost(struct world *world, struct channel *channel, struct conn *conn, bool orderly);
void channel_answered(struct world *world, struct channel *channel, struct request *request);

/* player.c, web.c */
void player_start(struct world *world, struct player *player);

/* viewer.c */
void viewer_begins(struct world *world, struct player *player);
void viewer_segment(struct player *player, double bytes); /* of the picture, complete */
void viewer_has_enough(struct player *player, int64_t until_us);
void viewer_stalls(struct world *world, struct player *player);
void viewer_plays(struct world *world, struct player *player);
void viewer_jumps(struct world *world, struct player *player);
void viewer_leaves(struct world *world, struct player *player);
void viewer_second(struct world *world, struct player *player); /* at least once a second */
void viewers_write(struct world *world, FILE *out);
void web_start(struct world *world, struct client *client);

/* faults.c */
enum verdict { PASS, LOST, RESET, UNREACHABLE };
void faults_draw(struct world *world, bool small);
enum verdict fault_packet(struct world *world, const struct packet *packet, bool beyond_server);
/* The newest fault of that kind that holds for this connection now; NULL: none. */
struct fault *fault_of(struct world *world, const struct conn *conn, enum fault_act act);
struct fault *fault_names(struct world *world, const struct client *client,
                          const struct host *host);
int64_t fault_delay_us(struct world *world, int64_t at_us);
void fault_saw(struct world *world, struct fault *fault, struct client *client, int service);
void faults_bind(struct world *world);
void faults_well(struct world *world, struct client *client, struct host *host,
                 const struct flow *flow);
void faults_stalled(struct world *world, const struct player *player);
void truth_write(struct world *world, FILE *out);

/* plan.c */
void plan_world(struct world *world, const char *profile, const char *fault);
