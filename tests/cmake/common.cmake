holdfast_test(unit_common_base LABEL unit DEPS holdfast_common_base
  SRCS unit/common/base/bytes_test.cc unit/common/base/crc32c_test.cc
       unit/common/base/delimited_test.cc unit/common/base/ip_network_test.cc unit/common/base/log_line_test.cc
       unit/common/base/path_pattern_test.cc unit/common/base/result_test.cc unit/common/base/untrusted_test.cc unit/common/base/utf8_test.cc)

holdfast_test(unit_common_link LABEL unit DEPS holdfast_common_link
  SRCS unit/common/link/backoff_test.cc unit/common/link/codec_test.cc
       unit/common/link/liveness_test.cc unit/common/link/path_meter_test.cc unit/common/link/stream_receiver_test.cc
       unit/common/link/stream_sender_test.cc)
holdfast_test(unit_common_adapters_mbedtls LABEL unit DEPS holdfast_common_adapters_mbedtls
  SRCS unit/common/adapters/mbedtls/mbedtls_sha256_test.cc)
holdfast_test(conformance_crypto_mbedtls LABEL conformance DEPS holdfast_common_adapters_mbedtls
  SRCS conformance/crypto_mbedtls_test.cc conformance/sealing_mbedtls_test.cc)
holdfast_test(unit_common_pty LABEL unit DEPS holdfast_common_pty
  SRCS unit/common/pty/asciicast_test.cc unit/common/pty/records_test.cc)
if(HOLDFAST_BACKEND)
  holdfast_test(unit_common_sign LABEL unit
    DEPS holdfast_common_sign holdfast_common_adapters_openssl
    SRCS unit/common/sign/chain_test.cc unit/common/sign/envelope_test.cc
         unit/common/sign/low_s_test.cc unit/common/sign/strict_test.cc unit/common/sign/update_test.cc)
  holdfast_test(conformance_crypto_openssl LABEL conformance
    DEPS holdfast_common_adapters_mbedtls holdfast_common_adapters_openssl
    SRCS conformance/crypto_openssl_test.cc conformance/sealing_openssl_test.cc)
  if(TARGET holdfast_vendor_nettle)
    holdfast_test(conformance_gcm LABEL conformance
      DEPS holdfast_common_adapters_mbedtls OpenSSL::Crypto SRCS conformance/gcm_test.cc)
    # The archives, as in the agent: what the cipher layer calls must be ours.
    set_target_properties(conformance_gcm PROPERTIES HOLDFAST_STATIC ON)
  endif()
endif()
holdfast_test(unit_common_adapters_pool LABEL unit DEPS holdfast_common_adapters_pool
  SRCS unit/common/adapters/pool/thread_pool_test.cc)

# The .proto files as descriptors, for the one test that compares our tables with them.
set(descriptor_set ${CMAKE_CURRENT_BINARY_DIR}/holdfast_descriptors.pb)
get_target_property(protos holdfast_proto HOLDFAST_PROTOS)
add_custom_command(
  OUTPUT ${descriptor_set}
  COMMAND protobuf::protoc --descriptor_set_out=${descriptor_set} -I ${PROJECT_SOURCE_DIR}/proto
          ${protos}
  DEPENDS ${protos})
add_custom_target(holdfast_descriptor_set DEPENDS ${descriptor_set})
holdfast_test(unit_common_sign_rules LABEL unit
  DEPS holdfast_common_sign holdfast_common_link protobuf::libprotobuf
  SRCS unit/common/sign/strict_rules_test.cc)
add_dependencies(unit_common_sign_rules holdfast_descriptor_set)
target_compile_definitions(unit_common_sign_rules PRIVATE
  HOLDFAST_DESCRIPTOR_SET="${descriptor_set}")

holdfast_test(sim_stream LABEL sim DEPS holdfast_common_link
  SRCS sim/stream_sim_test.cc support/sim_stream.cc)

holdfast_fuzz(codec_fuzz DEPS holdfast_common_link CORPUS fuzz/corpus/codec
  SRCS fuzz/codec_fuzz.cc)
holdfast_fuzz(signed_fuzz DEPS holdfast_common_sign CORPUS fuzz/corpus/signed
  SRCS fuzz/signed_fuzz.cc support/fake_crypto.cc)
holdfast_fuzz(delimited_fuzz DEPS holdfast_common_base CORPUS fuzz/corpus/delimited
  SRCS fuzz/delimited_fuzz.cc)
holdfast_fuzz(untrusted_fuzz DEPS holdfast_common_base CORPUS fuzz/corpus/untrusted
  SRCS fuzz/untrusted_fuzz.cc)
holdfast_fuzz(stream_fuzz DEPS holdfast_common_link CORPUS fuzz/corpus/stream
  SRCS fuzz/stream_fuzz.cc)
