# Tests of this part.
holdfast_test(unit_agent_core LABEL unit
  DEPS holdfast_agent_core holdfast_common_adapters_mbedtls
  SRCS unit/agent/core/admission_test.cc unit/agent/core/blob_fetch_test.cc unit/agent/core/framers_test.cc
    unit/agent/core/hello_test.cc unit/agent/core/isolation_test.cc unit/agent/core/set_back_test.cc
    unit/agent/core/large_lane_test.cc unit/agent/core/running_test.cc unit/agent/core/update_record_test.cc unit/agent/core/updates_test.cc
    unit/agent/core/warden_test.cc
    support/fake_crypto.cc)

holdfast_test(unit_agent_tables LABEL unit
  DEPS holdfast_agent_tables
  SRCS unit/agent/tables/decompress_test.cc unit/agent/tables/json_test.cc unit/agent/tables/regex_test.cc
    unit/agent/tables/row_list_test.cc)
target_compile_definitions(unit_agent_tables PRIVATE
  HOLDFAST_FIXTURES="${CMAKE_CURRENT_SOURCE_DIR}/support")

# The release agent's stand-ins, which this preset's agent does not have.
holdfast_test(unit_agent_slim LABEL unit
  SRCS unit/agent/slim/stand_ins_test.cc ${PROJECT_SOURCE_DIR}/agent/slim/kernel_random.cc
    ${PROJECT_SOURCE_DIR}/agent/slim/plain_mathematics.cc
    ${PROJECT_SOURCE_DIR}/agent/slim/plain_strings.cc
    ${PROJECT_SOURCE_DIR}/agent/slim/zone_scan.cc)

# What needs the scanner's program is there where that is built.
if(TARGET holdfast-agent-yara)
  set(scanner_tests conformance/agent/verbs/scan_verb_test.cc conformance/agent/verbs/scanned_query_test.cc)
endif()
holdfast_test(conformance_agent_verbs LABEL conformance
  DEPS holdfast_agent_verbs holdfast_backend_adapters_libpcap
  SRCS conformance/agent/verbs/archive_verb_test.cc conformance/agent/verbs/capture_verb_test.cc
    conformance/agent/verbs/change_verbs_test.cc ${scanner_tests}
    conformance/agent/verbs/collect_verb_test.cc conformance/agent/verbs/glob_walk_test.cc
    conformance/agent/verbs/file_verbs_test.cc conformance/agent/verbs/find_verb_test.cc
    conformance/agent/verbs/memdump_verb_test.cc
    conformance/agent/verbs/kill_tree_test.cc conformance/agent/verbs/process_verbs_test.cc
    conformance/agent/verbs/query_verb_test.cc conformance/agent/verbs/run_verb_test.cc
    conformance/agent/verbs/tail_verb_test.cc)
if(TARGET holdfast-agent-yara)
  add_dependencies(conformance_agent_verbs holdfast-agent-yara)
endif()
set_source_files_properties(conformance/agent/verbs/collect_verb_test.cc
  conformance/agent/verbs/glob_walk_test.cc unit/agent/verbs/homes_test.cc PROPERTIES
  SKIP_UNITY_BUILD_INCLUSION ON
  COMPILE_DEFINITIONS HOLDFAST_ARTIFACTS="${PROJECT_SOURCE_DIR}/backend/artifacts")
holdfast_test(conformance_agent_journal_tail LABEL conformance DEPS holdfast_agent_verbs
  SRCS conformance/agent/journal_tail_test.cc)
target_compile_definitions(conformance_agent_journal_tail PRIVATE
  HOLDFAST_FIXTURES="${CMAKE_CURRENT_SOURCE_DIR}/support")
holdfast_test(unit_agent_verbs LABEL unit DEPS holdfast_agent_verbs
  SRCS unit/agent/verbs/glob_test.cc unit/agent/verbs/homes_test.cc unit/agent/verbs/pace_test.cc
    unit/agent/verbs/capture_frames_test.cc unit/agent/verbs/process_memory_test.cc
    unit/agent/verbs/pty_recording_test.cc unit/agent/verbs/tar_header_test.cc)

holdfast_test(conformance_agent_tables LABEL conformance
  DEPS holdfast_agent_adapters_procfs holdfast_agent_adapters_query
  SRCS conformance/agent/account_tables_test.cc conformance/agent/container_tables_test.cc
    conformance/agent/database_tables_test.cc
    conformance/agent/journal_table_test.cc
    conformance/agent/package_tables_test.cc conformance/agent/scanned_tables_test.cc conformance/agent/persistence_tables_test.cc
    conformance/agent/sql_functions_test.cc conformance/agent/sql_language_test.cc conformance/agent/ssh_tables_test.cc
    conformance/agent/startup_tables_test.cc conformance/agent/tables/hardware_tables_test.cc
    conformance/agent/tables/kernel_question_tables_test.cc
    conformance/agent/tables/kernel_tables_test.cc conformance/agent/tables/login_tables_test.cc
    conformance/agent/tables/network_tables_test.cc conformance/agent/tables/process_tables_test.cc
    conformance/agent/tables/real_machine_test.cc conformance/agent/tables/real_tools_test.cc
    conformance/agent/tables/settings_tables_test.cc conformance/agent/tables/timeline_test.cc
    conformance/agent/table_limits_test.cc conformance/agent/tables_test.cc)
target_compile_definitions(conformance_agent_tables PRIVATE
  HOLDFAST_FIXTURES="${CMAKE_CURRENT_SOURCE_DIR}/support"
  HOLDFAST_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
# docs/tables.md: build this and redirect its output there; a test compares.
add_executable(agent_tables_page support/agent_tables_page_main.cc)
target_link_libraries(agent_tables_page PRIVATE holdfast_agent_tables holdfast_flags)

holdfast_fuzz(fuzz_agent_machine_files SRCS fuzz/agent/machine_files_fuzz.cc
  DEPS holdfast_agent_tables CORPUS fuzz/corpus/agent_machine_files)
holdfast_fuzz(fuzz_agent_table_files SRCS fuzz/agent/table_files_fuzz.cc
  DEPS holdfast_agent_tables CORPUS fuzz/corpus/agent_table_files)
holdfast_fuzz(fuzz_agent_worker_request SRCS fuzz/agent/worker_request_fuzz.cc
  DEPS holdfast_agent_verbs CORPUS fuzz/corpus/agent_worker_request)
holdfast_fuzz(fuzz_agent_find SRCS fuzz/agent/find_fuzz.cc
  DEPS holdfast_agent_verbs CORPUS fuzz/corpus/agent_find)
holdfast_fuzz(fuzz_agent_capture SRCS fuzz/agent/capture_fuzz.cc
  DEPS holdfast_agent_verbs CORPUS fuzz/corpus/agent_capture)
holdfast_fuzz(fuzz_agent_memory SRCS fuzz/agent/memory_fuzz.cc
  DEPS holdfast_agent_verbs CORPUS fuzz/corpus/agent_memory)
holdfast_fuzz(fuzz_agent_tar SRCS fuzz/agent/tar_fuzz.cc
  DEPS holdfast_agent_verbs CORPUS fuzz/corpus/agent_tar)
holdfast_fuzz(fuzz_agent_sql SRCS fuzz/agent/sql_fuzz.cc
  DEPS holdfast_agent_adapters_procfs holdfast_agent_adapters_query CORPUS fuzz/corpus/agent_sql)
holdfast_test(conformance_agent_journal LABEL conformance
  DEPS holdfast_agent_adapters_sqlite holdfast_common_adapters_mbedtls
  SRCS conformance/agent/journal_test.cc)
target_compile_definitions(conformance_agent_journal PRIVATE
  HOLDFAST_TESTS_DIR="${CMAKE_CURRENT_SOURCE_DIR}")
holdfast_test(conformance_agent_spool LABEL conformance DEPS holdfast_agent_adapters_linux
  SRCS conformance/agent/spool_test.cc)
holdfast_test(conformance_agent_fence LABEL conformance DEPS holdfast_agent_app
  SRCS conformance/agent/fence_test.cc)
holdfast_test(conformance_agent_workers LABEL conformance DEPS holdfast_agent_adapters_linux
  SRCS conformance/agent/program_pages_test.cc conformance/agent/workers_test.cc)
holdfast_test(sim_agent_warden LABEL sim
  DEPS holdfast_agent_core holdfast_common_adapters_mbedtls SRCS sim/warden_sim_test.cc)
holdfast_test(sim_agent_uplink LABEL sim DEPS holdfast_agent_core
  SRCS sim/uplink_sim_test.cc support/sim_uplink.cc)
holdfast_fuzz(link_framer_fuzz DEPS holdfast_agent_core CORPUS fuzz/corpus/link_framer
  SRCS fuzz/agent/link_framer_fuzz.cc)
holdfast_fuzz(worker_framer_fuzz DEPS holdfast_agent_core CORPUS fuzz/corpus/worker_framer
  SRCS fuzz/agent/worker_framer_fuzz.cc)
holdfast_fuzz(answer_restore_fuzz DEPS holdfast_agent_core CORPUS fuzz/corpus/answer_restore
  SRCS fuzz/agent/answer_restore_fuzz.cc)
holdfast_fuzz(isolation_record_fuzz DEPS holdfast_agent_core CORPUS fuzz/corpus/isolation_record
  SRCS fuzz/agent/isolation_record_fuzz.cc)
holdfast_fuzz(update_record_fuzz DEPS holdfast_agent_core CORPUS fuzz/corpus/update_record
  SRCS fuzz/agent/update_record_fuzz.cc)
holdfast_fuzz(spool_record_fuzz DEPS holdfast_agent_adapters_linux CORPUS fuzz/corpus/spool_record
  SRCS fuzz/agent/spool_record_fuzz.cc)
holdfast_fuzz(warden_frames_fuzz DEPS holdfast_agent_core holdfast_common_adapters_mbedtls
  CORPUS fuzz/corpus/warden_frames SRCS fuzz/agent/warden_frames_fuzz.cc)

# ./dev bench tables; at the agent's optimisation.
add_executable(holdfast-table-bench bench/tables/main.cc)
target_link_libraries(holdfast-table-bench PRIVATE holdfast_agent_adapters_procfs
  holdfast_agent_adapters_query holdfast_flags)
