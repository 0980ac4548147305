# Checks of the tree itself; each has a test that breaks it.
foreach(check layers budgets proto reasons messages)
  foreach(script check_${check} check_${check}_test)
    add_test(NAME lint.${script}
      COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/lint/${script}.py)
    set_tests_properties(lint.${script} PROPERTIES
      LABELS lint ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
  endforeach()
endforeach()

# What an endpoint has to carry: the stripped, static agent, when a release build lies beside this one.
# It is built while the tests run that mostly wait.
add_test(NAME lint.build_release_agent
  COMMAND sh -c "test -e build/release/CMakeCache.txt || exit 77
    exec nice cmake --build --preset release --target holdfast-agent"
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(lint.build_release_agent PROPERTIES
  LABELS lint SKIP_RETURN_CODE 77 FIXTURES_SETUP release_agent TIMEOUT 900 COST 1000)
add_test(NAME lint.agent_size
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/lint/check_agent_size.py
    ${PROJECT_SOURCE_DIR}/build/release/bin/holdfast-agent)
add_test(NAME lint.check_agent_size_test
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/lint/check_agent_size_test.py)
set_tests_properties(lint.agent_size PROPERTIES FIXTURES_REQUIRED release_agent)
# The same for the oldest boards, where somebody has made their package in this folder once (decision 0122).
add_test(NAME lint.build_armel_agent
  COMMAND sh -c "test -e build/arm-linux-gnueabi/CMakeCache.txt || exit 77
    exec nice cmake --build --preset arm-linux-gnueabi --target holdfast-agent"
  WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
set_tests_properties(lint.build_armel_agent PROPERTIES
  LABELS lint SKIP_RETURN_CODE 77 FIXTURES_SETUP armel_agent TIMEOUT 900 COST 1000)
add_test(NAME lint.armel_agent_size
  COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/lint/check_agent_size.py
    ${PROJECT_SOURCE_DIR}/build/arm-linux-gnueabi/bin/holdfast-agent)
set_tests_properties(lint.armel_agent_size PROPERTIES
  LABELS lint SKIP_RETURN_CODE 77 FIXTURES_REQUIRED armel_agent ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
if(HOLDFAST_BACKEND)
  add_test(NAME e2e.armel_agent_emulated
    COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/packages/emulated.py armel
      ${PROJECT_SOURCE_DIR}/build/arm-linux-gnueabi/bin/holdfast-agent ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} verbs lifecycle)
  set_tests_properties(e2e.armel_agent_emulated PROPERTIES LABELS e2e TIMEOUT 480 COST 200 SKIP_RETURN_CODE 77
    FIXTURES_REQUIRED armel_agent ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endif()
# What ships is linked with less than what the other tests run (decisions/0099): it does the same.
if(HOLDFAST_BACKEND)
  foreach(script verbs process_verbs lifecycle)
    add_test(NAME e2e.release_agent_${script}
      COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/e2e/${script}_test.py)
    set_tests_properties(e2e.release_agent_${script} PROPERTIES LABELS e2e TIMEOUT 240 COST 100 SKIP_RETURN_CODE 77
      FIXTURES_REQUIRED release_agent ENVIRONMENT
      "HOLDFAST_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};HOLDFAST_AGENT=${PROJECT_SOURCE_DIR}/build/release/bin/holdfast-agent;PYTHONDONTWRITEBYTECODE=1")
  endforeach()
endif()
set_tests_properties(lint.agent_size lint.check_agent_size_test PROPERTIES
  LABELS lint SKIP_RETURN_CODE 77 ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
