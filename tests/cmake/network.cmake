# The network half of the agent, and the WebSocket client that it shares with the SDK.
holdfast_test(unit_agent_core_network LABEL unit DEPS holdfast_agent_core
  SRCS unit/agent/core/dialer_test.cc unit/agent/core/server_frames_test.cc)
holdfast_fuzz(fuzz_server_frames SRCS fuzz/agent/server_frames_fuzz.cc DEPS holdfast_agent_core
  CORPUS fuzz/corpus/server_frames)

holdfast_fuzz(fuzz_connect_answer SRCS fuzz/connect_answer_fuzz.cc DEPS holdfast_common_adapters_lws_agent
  CORPUS fuzz/corpus/connect_answer)

# The WebSocket client against a server that misbehaves on request, on both libwebsockets.
holdfast_library(holdfast_tests_ws_server SRCS support/ws_server.cc DEPS holdfast_common_base)
target_compile_definitions(holdfast_tests_ws_server PRIVATE
  HOLDFAST_WS_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/support/ws_server.py")
# One ctest entry for all cases: each process starts the server and makes its certificates anew (1 s).
function(holdfast_lws_client_test name client)
  add_executable(${name} conformance/lws_client_test.cc)
  target_link_libraries(${name} PRIVATE ${client} holdfast_tests_ws_server holdfast_flags GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS conformance TIMEOUT 120)
endfunction()
holdfast_test(unit_common_adapters_lws LABEL unit DEPS holdfast_common_adapters_lws_agent
  SRCS unit/common/adapters/lws/client_frame_test.cc unit/common/adapters/lws/close_reason_test.cc
    unit/common/adapters/lws/http_proxy_test.cc)
if(HOLDFAST_BACKEND)
  holdfast_test(unit_backend_fleet LABEL unit DEPS holdfast_backend_fleet
    SRCS unit/backend/fleet/behaviour_test.cc unit/backend/fleet/deadlines_test.cc
      unit/backend/fleet/machine_model_test.cc unit/backend/fleet/report_test.cc
      unit/backend/fleet/sizing_test.cc unit/backend/fleet/tls_records_test.cc
      unit/backend/fleet/ws_client_test.cc)
  holdfast_test(conformance_fleet_identities LABEL conformance DEPS holdfast_backend_fleet
    SRCS conformance/fleet_identities_test.cc)
  holdfast_lws_client_test(conformance_lws_client holdfast_common_adapters_lws)
endif()
holdfast_lws_client_test(conformance_lws_client_agent holdfast_common_adapters_lws_agent)
holdfast_test(conformance_agent_tls_suites LABEL conformance
  DEPS holdfast_common_adapters_lws_agent holdfast_tests_ws_server
  SRCS conformance/agent/tls_suites_test.cc)
# mbedTLS's archives, as in the agent: with the shared library TLS would not come to our AES-GCM.
set_target_properties(conformance_lws_client_agent conformance_agent_tls_suites PROPERTIES
  HOLDFAST_STATIC ON)

# The link process between a warden and servers that do what the test says.
add_executable(link_driver support/link_driver.cc)
target_link_libraries(link_driver PRIVATE holdfast_agent_app_link holdfast_flags)
add_test(NAME faults.link_process
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/faults/link_process_test.py)
# It sets the clock, to what it is: every agent on the machine notices, and e2e.readme compares what one says.
set_tests_properties(faults.link_process PROPERTIES LABELS faults TIMEOUT 120 RESOURCE_LOCK clock
  ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1;HOLDFAST_LINK_DRIVER=$<TARGET_FILE:link_driver>")
holdfast_test(conformance_agent_link_routes LABEL conformance DEPS holdfast_agent_app_link
  SRCS conformance/agent/link_routes_test.cc)
holdfast_test(unit_agent_app LABEL unit DEPS holdfast_agent_app
  SRCS unit/agent/app/doctor_report_test.cc unit/agent/app/link_user_test.cc conformance/agent/state_dir_test.cc)
holdfast_test(conformance_agent_state LABEL conformance
  DEPS holdfast_agent_app holdfast_common_adapters_mbedtls
  SRCS conformance/agent/agent_state_test.cc)
