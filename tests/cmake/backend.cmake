# Tests of this part.

# Control: its cores among fakes.
add_library(holdfast_tests_control_world STATIC support/control_world.cc support/fake_crypto.cc)
target_link_libraries(holdfast_tests_control_world
  PUBLIC holdfast_backend_core_control PRIVATE holdfast_flags)
holdfast_test(sim_backend_control LABEL sim DEPS holdfast_tests_control_world
  SRCS sim/control_sim_test.cc)
holdfast_test(unit_backend_control LABEL unit DEPS holdfast_tests_control_world
  SRCS unit/backend/core/control_api_test.cc unit/backend/core/control_dispatcher_test.cc
    unit/backend/core/control_ledger_test.cc unit/backend/core/control_rollouts_test.cc
    unit/backend/core/control_restored_test.cc unit/backend/core/control_results_test.cc
    unit/backend/core/control_sessions_test.cc)
holdfast_fuzz(control_api_fuzz DEPS holdfast_tests_control_world CORPUS fuzz/corpus/control_api
  SRCS fuzz/control_api_fuzz.cc)
holdfast_fuzz(control_route_fuzz DEPS holdfast_tests_control_world CORPUS fuzz/corpus/control_route
  SRCS fuzz/control_route_fuzz.cc)
holdfast_test(conformance_backend_store LABEL conformance
  DEPS holdfast_backend_adapters_sqlite holdfast_common_base
  SRCS conformance/backend/store_test.cc)
# A private server for each program that needs one: the newest that is installed.
file(GLOB postgres_bins LIST_DIRECTORIES true /usr/lib/postgresql/*/bin)
list(SORT postgres_bins COMPARE NATURAL ORDER DESCENDING)
find_program(HOLDFAST_PG_CTL pg_ctl HINTS ${postgres_bins} NO_CACHE)
if(NOT HOLDFAST_PG_CTL)
  message(FATAL_ERROR "the tests need PostgreSQL's server: apt-get install postgresql (./dev does it)")
endif()
cmake_path(GET HOLDFAST_PG_CTL PARENT_PATH HOLDFAST_POSTGRES_BIN)
holdfast_test(conformance_backend_postgres LABEL conformance
  DEPS holdfast_backend_adapters_libpq holdfast_common_base
  SRCS conformance/backend/postgres_store_test.cc)
target_compile_definitions(conformance_backend_postgres PRIVATE HOLDFAST_POSTGRES_BIN="${HOLDFAST_POSTGRES_BIN}")
holdfast_test(conformance_backend_record_rows LABEL conformance
  DEPS holdfast_backend_adapters_libpq holdfast_backend_adapters_sqlite holdfast_common_base
  SRCS conformance/backend/record_rows_test.cc)
target_compile_definitions(conformance_backend_record_rows PRIVATE HOLDFAST_POSTGRES_BIN="${HOLDFAST_POSTGRES_BIN}")

holdfast_test(conformance_backend_lws LABEL conformance
  DEPS holdfast_backend_adapters_lws holdfast_common_base
  SRCS conformance/backend/lws_server_test.cc conformance/backend/lws_server_tls_test.cc)

holdfast_test(conformance_backend_linux LABEL conformance
  DEPS holdfast_backend_adapters_linux holdfast_common_base
  SRCS conformance/backend/address_set_test.cc conformance/backend/adoption_socket_test.cc
    conformance/backend/files_test.cc
    conformance/backend/kept_sockets_test.cc conformance/backend/listener_test.cc)

# holdfastd with a control that grants everything: tests and figures of the gateway alone.
add_executable(holdfastd_scripted ${PROJECT_SOURCE_DIR}/backend/supervisor/main.cc
  support/scripted_control.cc)
target_link_libraries(holdfastd_scripted PRIVATE holdfast_backend_supervisor holdfast_flags)

# One suite for the port to Redis streams, on the fake and on a redis-server that the test starts.
holdfast_test(conformance_backend_streams_fake LABEL conformance
  DEPS holdfast_backend_core_config
  SRCS conformance/backend/fake_stream_transport_test.cc)
holdfast_test(conformance_backend_streams_redis LABEL conformance
  DEPS holdfast_backend_adapters_hiredis holdfast_backend_adapters_linux
  SRCS conformance/backend/redis_cluster_test.cc conformance/backend/redis_streams_test.cc)

holdfast_test(unit_backend_gateway LABEL unit
  DEPS holdfast_backend_core_gateway holdfast_common_adapters_openssl
  SRCS unit/backend/core/backup_format_test.cc unit/backend/core/blob_meter_test.cc unit/backend/core/config_test.cc
    unit/backend/core/copy_request_test.cc
    unit/backend/core/death_tally_test.cc unit/backend/core/gateway_frames_test.cc
    unit/backend/core/gateway_liveness_test.cc unit/backend/core/gateway_outbox_test.cc
    unit/backend/core/gateway_router_test.cc unit/backend/core/introduction_test.cc
    unit/backend/core/live_settings_test.cc unit/backend/core/metrics_text_test.cc
    unit/backend/core/placement_test.cc unit/backend/core/proxy_header_test.cc unit/backend/core/redis_access_test.cc
    unit/backend/core/redis_place_test.cc
    unit/backend/core/rebalance_test.cc unit/backend/core/record_move_test.cc unit/backend/core/roll_test.cc unit/backend/core/scale_test.cc
    unit/backend/core/ticket_keys_test.cc
    unit/backend/core/source_admission_test.cc)
holdfast_test(unit_backend_supervisor LABEL unit DEPS holdfast_backend_supervisor
  SRCS unit/backend/supervisor/backup_archive_test.cc)
holdfast_test(conformance_backend_toml LABEL conformance
  DEPS holdfast_backend_adapters_toml
  SRCS conformance/backend/toml_config_test.cc)
target_compile_definitions(conformance_backend_toml PRIVATE
  HOLDFAST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")

holdfast_fuzz(proxy_header_fuzz CORPUS fuzz/corpus/proxy_header DEPS holdfast_backend_core_config
  SRCS fuzz/proxy_header_fuzz.cc)
holdfast_fuzz(introduction_fuzz CORPUS fuzz/corpus/introduction DEPS holdfast_backend_core_config
  SRCS fuzz/introduction_fuzz.cc)
holdfast_fuzz(backup_fuzz CORPUS fuzz/corpus/backup DEPS holdfast_backend_core_config
  SRCS fuzz/backup_fuzz.cc)
holdfast_fuzz(gateway_session_fuzz CORPUS fuzz/corpus/gateway_session
  DEPS holdfast_backend_core_gateway holdfast_common_adapters_openssl
  SRCS fuzz/gateway_session_fuzz.cc)
holdfast_fuzz(to_gateway_fuzz CORPUS fuzz/corpus/to_gateway
  DEPS holdfast_backend_core_gateway holdfast_common_adapters_openssl
  SRCS fuzz/to_gateway_fuzz.cc)
