# The fault laboratory (tests/faults): its rows of the commit tier, and the programs they need.
add_executable(holdfast-mark faults/shim/mark.c)
target_link_options(holdfast-mark PRIVATE -static)

add_test(NAME faults.commit
  # Every row of the tier hits in every run. Not K: which of its few random kills meets open work is chance, and a
  # run without is void (e2e.kills kills each process once, with work open).
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/faults/run.py --tier commit --seed 1380314790)
set_tests_properties(faults.commit PROPERTIES LABELS faults TIMEOUT 1200
  ENVIRONMENT "HOLDFAST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1")

# The isolation of an endpoint, in network namespaces.
add_test(NAME faults.isolation COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/faults/isolation_test.py)
set_tests_properties(faults.isolation PROPERTIES LABELS faults TIMEOUT 400
  ENVIRONMENT "HOLDFAST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1")

add_test(NAME faults.mutants_apply
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/faults/run.py mutants --dry-run)
set_tests_properties(faults.mutants_apply PROPERTIES LABELS faults)

# The agent as a dynamic program: what ships is static and takes no LD_PRELOAD. Tests only.
add_executable(holdfast-agent-dyn ${PROJECT_SOURCE_DIR}/agent/app/main.cc)
target_link_libraries(holdfast-agent-dyn PRIVATE holdfast_agent_app holdfast_flags)
add_library(fault_shim SHARED faults/shim/fault_shim.c)
set_target_properties(fault_shim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
target_link_libraries(fault_shim PRIVATE ${CMAKE_DL_LIBS})
add_library(poison_shim SHARED faults/shim/poison_shim.cc)
set_target_properties(poison_shim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
target_link_libraries(poison_shim PRIVATE ${CMAKE_DL_LIBS})
add_library(clock_shim SHARED faults/shim/clock_shim.c)
set_target_properties(clock_shim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
target_link_libraries(clock_shim PRIVATE ${CMAKE_DL_LIBS})
add_library(malloc_shim SHARED faults/shim/malloc_shim.c)
set_target_properties(malloc_shim PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY})
