# Names that archives refer to and that the agent never calls, pointed at something small (never_called.cc): what they
# stand for, and all behind it, stays out of the program. docs/decisions/0099 has the reasons, group by group.
# Only in the release build; a name that a version of a library does not know changes nothing.
set(slim_options
  -Wl,--undefined=holdfast_never_called -Wl,--undefined=holdfast_not_supported -Wl,--undefined=holdfast_unavailable
  -Wl,--undefined=holdfast_nothing -Wl,--undefined=holdfast_end_of_stack -Wl,--undefined=holdfast_untranslated
  -Wl,--undefined=holdfast_assert_fail -Wl,--undefined=holdfast_no_conversions -Wl,--undefined=holdfast_zone_scan
  -Wl,--undefined=holdfast_strncmp -Wl,--undefined=holdfast_strncasecmp -Wl,--undefined=holdfast_strcasecmp
  -Wl,--undefined=holdfast_strncpy -Wl,--undefined=holdfast_asin -Wl,--undefined=holdfast_acos
  -Wl,--undefined=holdfast_atan2 -Wl,--undefined=holdfast_kernel_random)
function(holdfast_slim stand_in)
  set(options ${slim_options})
  foreach(name IN LISTS ARGN)
    list(APPEND options -Wl,--defsym=${name}=${stand_in})
  endforeach()
  set(slim_options ${options} PARENT_SCOPE)
endfunction()

# The C library: sscanf and translations have one use; assert() printed through the wide characters' printf; a static
# program must load nothing at run time (decision 0011).
holdfast_slim(holdfast_zone_scan __isoc99_sscanf)
holdfast_slim(holdfast_untranslated __dcgettext)
holdfast_slim(holdfast_assert_fail __assert_fail)
holdfast_slim(holdfast_nothing __fxprintf __libc_dlopen_mode __libc_dlsym __libc_dlvsym __libc_dlclose _nl_cleanup_ctype)
# No number is printed as %a.
holdfast_slim(holdfast_never_called __printf_fphex)
# Wide characters: no %ls, no fopen(ccs=), no stream is wide.
holdfast_slim(holdfast_never_called __wcsmbs_load_conv __wcsmbs_clone_conv __wcsmbs_named_conv)
holdfast_slim(holdfast_no_conversions __wcsmbs_gconv_fcts_c)
holdfast_slim(holdfast_never_called
  __gconv_release_step __gconv_open __gconv_close iconv_open iconv iconv_close bindtextdomain bind_textdomain_codeset textdomain)
# One copy for all kinds of processors (plain_strings.cc).
holdfast_slim(holdfast_strncmp strncmp)
holdfast_slim(holdfast_strncasecmp strncasecmp __strncasecmp strncasecmp_l __strncasecmp_l)
holdfast_slim(holdfast_strcasecmp strcasecmp __strcasecmp strcasecmp_l __strcasecmp_l)
holdfast_slim(holdfast_strncpy strncpy __strncpy)
# SQL's, of one arctangent (plain_mathematics.cc).
holdfast_slim(holdfast_asin __ieee754_asin)
holdfast_slim(holdfast_acos __ieee754_acos)
holdfast_slim(holdfast_atan2 __ieee754_atan2)
# Databases of the system but hosts: accounts are read by our own tables.
set(databases)
foreach(what IN ITEMS alias ether gr net netgr proto pw rpc serv sg sp)
  list(APPEND databases _nss_files_set${what}ent _nss_files_end${what}ent _nss_files_get${what}ent_r)
endforeach()
foreach(what IN ITEMS
    aliasbyname grgid grnam hostton netbyaddr netbyname ntohost protobyname protobynumber pwnam pwuid rpcbyname rpcbynumber
    servbyname servbyport sgnam spnam)
  list(APPEND databases _nss_files_get${what}_r)
endforeach()
holdfast_slim(holdfast_unavailable ${databases} _nss_files_initgroups_dyn _nss_dns_getnetbyaddr_r _nss_dns_getnetbyname_r)

# Nobody catches (no_unwinding.ld): the first step of a throw is its last.
holdfast_slim(holdfast_end_of_stack _Unwind_RaiseException _Unwind_Resume_or_Rethrow)
holdfast_slim(holdfast_never_called _Unwind_Resume _Unwind_DeleteException __cxa_call_unexpected
  __gxx_personality_v0)

# mbedTLS: the agent is never a server, and offers AES-GCM and ChaCha20 only (decision 0026). A peer's certificate may
# still name RIPEMD-160, an encrypted key DES: these say no.
holdfast_slim(holdfast_not_supported mbedtls_ssl_handshake_server_step)
foreach(cipher IN ITEMS camellia blowfish)
  foreach(what IN ITEMS init free setkey setkey_enc setkey_dec crypt_ecb crypt_cbc crypt_cfb64 crypt_cfb128 crypt_ctr)
    holdfast_slim(holdfast_not_supported mbedtls_${cipher}_${what})
  endforeach()
endforeach()
foreach(what IN ITEMS
    des_init des_free des_setkey_enc des_setkey_dec des_crypt_ecb des_crypt_cbc des3_init des3_free des3_set2key_enc
    des3_set2key_dec des3_set3key_enc des3_set3key_dec des3_crypt_ecb des3_crypt_cbc arc4_init arc4_free arc4_setup arc4_crypt
    internal_ripemd160_process ripemd160_init ripemd160_free ripemd160_clone ripemd160_starts_ret ripemd160_update_ret
    ripemd160_finish_ret ripemd160_ret)
  holdfast_slim(holdfast_not_supported mbedtls_${what})
endforeach()

# Neither are Diffie-Hellman of numbers and CCM offered; no hash of 1992 is trusted, and the agent reads no private key under
# a password. Random numbers are the kernel's (kernel_random.cc), not also HAVEGE's.
foreach(hash IN ITEMS md2 md4)
  foreach(what IN ITEMS init free clone ret starts_ret update_ret finish_ret)
    holdfast_slim(holdfast_not_supported mbedtls_${hash}_${what})
  endforeach()
  holdfast_slim(holdfast_not_supported mbedtls_internal_${hash}_process)
endforeach()
foreach(what IN ITEMS
    ccm_init ccm_free ccm_setkey ccm_encrypt_and_tag ccm_auth_decrypt pkcs5_pbes2 pkcs12_pbe pkcs12_pbe_sha1_rc4_128
    dhm_init dhm_free dhm_read_params dhm_make_public dhm_calc_secret dhm_make_params dhm_read_public dhm_set_group
    havege_init havege_free)
  holdfast_slim(holdfast_not_supported mbedtls_${what})
endforeach()
holdfast_slim(holdfast_kernel_random mbedtls_havege_random)

# GMP multiplies and divides large numbers in cleverer ways from some twenty words in the shorter one on. Those of P-256
# have sixteen words of 32 bits at most, but for x cubed where a point is checked (nettle's ecc_point_set): 24, made
# of 16 by 8 and reduced by 8.
foreach(what IN ITEMS
    mul_fft fft_best_k fft_next_size mulmod_bnm1 mulmod_bnm1_next_size sqrmod_bnm1 sqrmod_bnm1_next_size nussbaumer_mul
    toom32_mul toom33_mul toom42_mul toom43_mul toom44_mul toom53_mul toom63_mul toom6h_mul toom8h_mul
    toom3_sqr toom4_sqr toom6_sqr toom8_sqr mu_bdiv_q mu_bdiv_q_itch mu_bdiv_qr mu_bdiv_qr_itch)
  holdfast_slim(holdfast_never_called __gmpn_${what})
endforeach()
