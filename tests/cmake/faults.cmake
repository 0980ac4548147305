# The fault laboratory (tests/faults): its rows of the commit tier, and the programs they need.
add_executable(holdfast-mark faults/shim/mark.c)
target_link_options(holdfast-mark PRIVATE -static)

add_test(NAME faults.commit
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/faults/run.py --tier commit)
set_tests_properties(faults.commit PROPERTIES LABELS faults TIMEOUT 300
  ENVIRONMENT "HOLDFAST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};PYTHONDONTWRITEBYTECODE=1")
