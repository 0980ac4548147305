# The seed's experiment (docs/benchmarks/seed.md): our transport behind its protocol, and its clients.
add_library(holdfast_tests_seed STATIC
  bench/seed/client/client_frames.cc bench/seed/client/round_tally.cc
  bench/seed/client/seed_answer.cc bench/seed/echo/seed_request.cc)
target_link_libraries(holdfast_tests_seed PUBLIC holdfast_common_base OpenSSL::Crypto
  PRIVATE holdfast_flags)

add_executable(holdfast-seed-echo
  bench/seed/echo/echo_supervisor.cc bench/seed/echo/echo_worker.cc bench/seed/echo/main.cc)
target_link_libraries(holdfast-seed-echo PRIVATE holdfast_tests_seed holdfast_backend_adapters_linux
  holdfast_backend_adapters_lws holdfast_flags)
target_compile_definitions(holdfast-seed-echo PRIVATE HOLDFAST_VERSION="${PROJECT_VERSION}")

add_executable(holdfast-seed-client
  bench/seed/client/link_set.cc bench/seed/client/main.cc bench/seed/client/ping_pong.cc
  bench/seed/client/process_cpu.cc bench/seed/client/rounds.cc)
target_link_libraries(holdfast-seed-client PRIVATE holdfast_tests_seed
  holdfast_backend_adapters_linux holdfast_flags)

holdfast_test(unit_bench_seed LABEL unit DEPS holdfast_tests_seed SRCS bench/seed/client_test.cc)
add_test(NAME bench.seed
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/bench/seed/seed_test.py)
set_tests_properties(bench.seed PROPERTIES LABELS bench TIMEOUT 60
  ENVIRONMENT "HOLDFAST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1")
add_test(NAME bench.flame_graph
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/bench/flame_graph_test.py)
set_tests_properties(bench.flame_graph PROPERTIES LABELS bench TIMEOUT 60
  ENVIRONMENT "PYTHONDONTWRITEBYTECODE=1")
