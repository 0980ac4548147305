# End to end: the real programs, one script per promise, each with a fleet of its own on free ports.
foreach(script verbs limits update update_attacks update_interrupted file_verbs process_verbs evidence_verbs collect pty pty_intruder shell cli fleet lifecycle trust lying_control forgery strangers kills queue frozen_redis redis_access
    poison processes backend backup postgres postgres_remote second_host partition sentinel redis_cluster migrate_store proxied certificates admission roll resumption scale supervisor_killed simulated_fleet runaway class_limits full_disk doctor proxy man_pages dev readme)
  add_test(NAME e2e.${script}
    COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${script}_test.py)
  set_tests_properties(e2e.${script} PROPERTIES LABELS e2e TIMEOUT 240 COST 100 SKIP_RETURN_CODE 77
    ENVIRONMENT "HOLDFAST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1")
endforeach()
set_tests_properties(e2e.supervisor_killed e2e.partition PROPERTIES TIMEOUT 400)  # waits of 30 and 15 s, and eight starts
set_tests_properties(e2e.readme PROPERTIES RESOURCE_LOCK clock)  # see faults.link_process
