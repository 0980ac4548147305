# Tests of libholdfast and the command line.
# They use names of holdfast::testing, which others of their folder take for GoogleTest's.
set_source_files_properties(unit/backend/sdk/artifact_definitions_test.cc
  unit/backend/sdk/collection_reader_test.cc unit/backend/cli/collection_entries_test.cc
  conformance/backend/collection_zip_test.cc conformance/backend/zip_test.cc
  PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
holdfast_test(unit_common_bundle LABEL unit DEPS holdfast_common_bundle
  SRCS unit/common/bundle/bundle_text_test.cc)
holdfast_test(unit_backend_sdk LABEL unit
  DEPS holdfast_backend_sdk holdfast_common_adapters_openssl
  SRCS unit/backend/sdk/api_session_test.cc unit/backend/sdk/artifact_definitions_test.cc
    unit/backend/sdk/audit_chain_test.cc unit/backend/sdk/collection_reader_test.cc
    unit/backend/sdk/fleet_toml_test.cc unit/backend/sdk/output_reader_test.cc
    unit/backend/sdk/pending_store_test.cc unit/backend/sdk/result_tracker_test.cc unit/backend/sdk/rings_test.cc
    unit/backend/sdk/targets_test.cc unit/backend/sdk/verbs_test.cc unit/backend/sdk/class_limits_text_test.cc)
holdfast_test(unit_backend_cli LABEL unit
  DEPS holdfast_backend_cli holdfast_common_adapters_openssl
  SRCS unit/backend/cli/collection_entries_test.cc unit/backend/cli/evidence_words_test.cc unit/backend/cli/find_words_test.cc unit/backend/cli/golden_test.cc unit/backend/cli/live_test.cc unit/backend/cli/man_page_test.cc
    unit/backend/cli/narrow_golden_test.cc
    unit/backend/cli/read_job_test.cc unit/backend/cli/text_test.cc
    unit/backend/cli/words_test.cc support/golden.cc support/man_page.cc)
set_source_files_properties(support/golden.cc PROPERTIES
  COMPILE_DEFINITIONS HOLDFAST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
# A terminal's both ends.
holdfast_test(sim_pty LABEL sim
  DEPS holdfast_agent_core holdfast_backend_sdk holdfast_common_adapters_openssl
  SRCS sim/pty_sim_test.cc)
holdfast_fuzz(fuzz_pty_output SRCS fuzz/pty_output_fuzz.cc DEPS holdfast_backend_cli
  CORPUS fuzz/corpus/pty_output)
holdfast_fuzz(fuzz_pty_input SRCS fuzz/pty_input_fuzz.cc
  DEPS holdfast_agent_core holdfast_common_adapters_openssl CORPUS fuzz/corpus/pty_input)
holdfast_test(conformance_fleet_directory LABEL conformance
  DEPS holdfast_backend_sdk holdfast_common_adapters_openssl
  SRCS conformance/fleet_bundle_test.cc conformance/fleet_directory_test.cc conformance/update_files_test.cc)

holdfast_test(conformance_collection_zip LABEL conformance
  DEPS holdfast_backend_cli holdfast_common_adapters_openssl
  SRCS conformance/backend/collection_zip_test.cc conformance/backend/zip_test.cc)

holdfast_fuzz(fuzz_artifact_definitions SRCS fuzz/artifact_definitions_fuzz.cc
  DEPS holdfast_backend_sdk CORPUS fuzz/corpus/artifact_definitions)
holdfast_fuzz(fuzz_collection_stream SRCS fuzz/collection_stream_fuzz.cc
  DEPS holdfast_backend_sdk holdfast_common_adapters_openssl CORPUS fuzz/corpus/collection_stream)
holdfast_fuzz(fuzz_collection_zip SRCS fuzz/collection_zip_fuzz.cc
  DEPS holdfast_backend_adapters_zlib CORPUS fuzz/corpus/collection_zip)
holdfast_fuzz(fuzz_bundle_text SRCS fuzz/bundle_text_fuzz.cc DEPS holdfast_common_bundle
  CORPUS fuzz/corpus/bundle_text)
holdfast_fuzz(fuzz_fleet_toml SRCS fuzz/fleet_toml_fuzz.cc DEPS holdfast_backend_sdk
  CORPUS fuzz/corpus/fleet_toml)
holdfast_fuzz(fuzz_api_session SRCS fuzz/api_session_fuzz.cc
  DEPS holdfast_backend_sdk holdfast_common_adapters_openssl CORPUS fuzz/corpus/api_session)

# Many commands at once, for ./dev bench scale.
add_executable(holdfast-volley bench/volley/main.cc bench/volley/shooter.cc)
target_link_libraries(holdfast-volley PRIVATE
  holdfast_backend_sdk holdfast_backend_fleet holdfast_common_adapters_openssl holdfast_flags)
# A measuring tool for tests/bench/basics.py, not a test.
add_executable(holdfast-roundtrip bench/roundtrip.cc)
target_link_libraries(holdfast-roundtrip PRIVATE
  holdfast_backend_sdk holdfast_common_adapters_openssl holdfast_flags)
