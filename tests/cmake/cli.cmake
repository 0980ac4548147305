# Tests of libholdfast and the command line.
holdfast_test(unit_common_bundle LABEL unit DEPS holdfast_common_bundle
  SRCS unit/common/bundle/bundle_text_test.cc)
holdfast_fuzz(fuzz_bundle_text SRCS fuzz/bundle_text_fuzz.cc DEPS holdfast_common_bundle
  CORPUS fuzz/corpus/bundle_text)
