// Keeps libwebsockets from waking an idle agent twice a minute.
//
// Its Unix layer re-arms a housekeeping timer every 30 s (lws_sul_plat_unix: looks for a dead parent,
// deprecated contexts and interfaces to listen on, none of which the agent has), and offers no switch
// for it. The agent's link wraps the one function that arms it (--wrap in
// toolchains/cmake/own_libwebsockets.cmake) and makes that a day. No timer of ours is 30 s.
#include <libwebsockets.h>

extern "C" {
void __real___lws_sul_insert_us(lws_dll2_owner_t* owner, lws_sorted_usec_list_t* timer,
                                lws_usec_t after);
void __wrap___lws_sul_insert_us(lws_dll2_owner_t* owner, lws_sorted_usec_list_t* timer,
                                lws_usec_t after);

void __wrap___lws_sul_insert_us(lws_dll2_owner_t* owner, lws_sorted_usec_list_t* timer,
                                lws_usec_t after) {
  constexpr lws_usec_t kHousekeeping = 30 * LWS_US_PER_SEC;
  constexpr lws_usec_t kDay = lws_usec_t{24} * 3600 * LWS_US_PER_SEC;
  __real___lws_sul_insert_us(owner, timer, after == kHousekeeping ? kDay : after);
}
}
