foreach(check check_layers check_layers_test)
  add_test(NAME lint.${check}
    COMMAND Python3::Interpreter ${CMAKE_CURRENT_SOURCE_DIR}/lint/${check}.py)
  set_tests_properties(lint.${check} PROPERTIES
    LABELS lint ENVIRONMENT PYTHONDONTWRITEBYTECODE=1)
endforeach()
