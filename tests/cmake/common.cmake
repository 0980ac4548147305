holdfast_test(unit_common_base LABEL unit DEPS holdfast_common_base
  SRCS unit/common/base/result_test.cc)
