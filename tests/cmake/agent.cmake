# Tests of this part.
holdfast_test(unit_agent_core LABEL unit DEPS holdfast_agent_core
  SRCS unit/agent/core/framers_test.cc)

holdfast_test(unit_agent_verbs LABEL unit DEPS holdfast_agent_verbs
  SRCS unit/agent/verbs/query_verb_test.cc)
