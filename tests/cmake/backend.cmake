# Tests of this part.

holdfast_test(conformance_backend_lws LABEL conformance
  DEPS holdfast_backend_adapters_lws holdfast_common_base
  SRCS conformance/backend/lws_server_test.cc)
