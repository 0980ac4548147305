# Tests of this part.

# The WebSocket client against a server that misbehaves on request.
holdfast_library(holdfast_tests_ws_server SRCS support/ws_server.cc DEPS holdfast_common_base)
target_compile_definitions(holdfast_tests_ws_server PRIVATE
  HOLDFAST_WS_SERVER="${CMAKE_CURRENT_SOURCE_DIR}/support/ws_server.py")
holdfast_test(conformance_lws_client LABEL conformance SRCS conformance/lws_client_test.cc
  DEPS holdfast_common_adapters_lws holdfast_tests_ws_server)
holdfast_test(conformance_lws_client_agent LABEL conformance SRCS conformance/lws_client_test.cc
  DEPS holdfast_common_adapters_lws_agent holdfast_tests_ws_server)
