# Tests of this part.

holdfast_test(conformance_backend_lws LABEL conformance
  DEPS holdfast_backend_adapters_lws holdfast_common_base
  SRCS conformance/backend/lws_server_test.cc)

# holdfastd with a control that grants everything: tests and figures of the gateway alone.
add_executable(holdfastd_scripted ${PROJECT_SOURCE_DIR}/backend/supervisor/main.cc
  support/scripted_control.cc)
target_link_libraries(holdfastd_scripted PRIVATE holdfast_backend_supervisor holdfast_flags)
