#!/bin/sh
# What the library's source is changed in before it is built, in place. A second run does nothing; after
# a change of this script it starts again from the source as it was fetched, kept as SOURCE.pristine.
#
#   toolchains/tune_libwebsockets.sh SOURCE
#
# Six changes, five for bulk transfers, all without a change of behaviour
# (docs/decisions/0024-one-libwebsockets-source.md has what they brought):
# 1. The wrapper around mbedTLS cuts every write into TLS records of 1,460 bytes: whole records instead.
# 2. The client's parser takes payload byte by byte: what lies there is taken at once. The last byte
#    of a frame or of the receive buffer still goes through the parser, which then hands the piece on.
# 3. The server unmasks four bytes in four steps: eight in one.
# 4. A read brings, and a callback passes on, no more than a link's own buffer holds, though neither uses
#    it: as much as the shared service buffer holds instead. So that buffer can be small.
# 5. A read over OpenSSL brings one TLS record: while whole ones come, as many as the buffer takes.
# 6. A look around every 30 s, for contexts and network interfaces that nobody here has: every hour. It was half of an idle
#    agent's wake-ups.
# A version in which a place is not found is built as it is, and said so: slower, not wrong.
set -eu

source=$1
# Two builds of one source may come here at once.
exec 9>"$source.lock"
flock 9

wanted=$(sha256sum "$0" | cut -d ' ' -f 1)
stamp=$source/.tuned
if [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
if [ -f "$stamp" ]; then
  cp -a "$source.pristine/." "$source/"
else
  rm -rf "$source.pristine"
  cp -a "$source" "$source.pristine"
fi

say() { echo "tune_libwebsockets: $*" >&2; }

records=$source/lib/tls/mbedtls/wrapper/library/ssl_lib.c
sed -i 's/^#define SSL_SEND_DATA_MAX_LENGTH 1460$/#define SSL_SEND_DATA_MAX_LENGTH 16384/' "$records"
grep -q '^#define SSL_SEND_DATA_MAX_LENGTH 16384$' "$records" ||
  say "writes over mbedTLS stay cut into small records: the place was not found"

plat=$source/lib/plat/unix/unix-init.c
sed -i 's/&\(pt->\|context->pt\[0\]\.\)sul_plat, 30 \* LWS_US_PER_SEC);/\&\1sul_plat, 3600 * LWS_US_PER_SEC);/' "$plat"
[ "$(grep -cF 'sul_plat, 3600 * LWS_US_PER_SEC);' "$plat")" = 2 ] ||
  say "idle processes wake every 30 s: the place was not found"

server=$source/lib/roles/ws/server-ws.c
loop='deal with 4-byte chunks using unwrapped loop'
if grep -qF "$loop" "$server" && grep -q '^[[:space:]]*n = avail >> 2;$' "$server"; then
  awk -v loop="$loop" '
    index($0, loop) {
      print "\t\tfor (n = (int)(avail >> 3); n; n--, buffer += 8) {"
      print "\t\t\tuint64_t word, wide;"
      print ""
      print "\t\t\tmemcpy(&wide, mask, 4);"
      print "\t\t\tmemcpy((uint8_t *)&wide + 4, mask, 4);"
      print "\t\t\tmemcpy(&word, buffer, 8);"
      print "\t\t\tword ^= wide;"
      print "\t\t\tmemcpy(buffer, &word, 8);"
      print "\t\t}"
      print ""
    }
    { sub(/n = avail >> 2;$/, "n = (avail \\& 7) >> 2;"); print }
  ' "$server" >"$server.new"
  mv "$server.new" "$server"
else
  say "the server goes on unmasking byte by byte: the place was not found"
fi

# Without an extension, which no server of ours has, payload is passed on where it was read to.
sed -i 's/avail = (\(unsigned \)\{0,1\}int)wsi->a\.protocol->rx_buffer_size;/avail = (unsigned int)wsi->a.context->pt_serv_buf_size;/' "$server"
grep -qF 'avail = (unsigned int)wsi->a.context->pt_serv_buf_size;' "$server" ||
  say "the server goes on passing payload on in small pieces: the place was not found"
reader=$source/lib/roles/ws/ops-ws.c
sed -i 's/ebuf\.len = \((int)\)\{0,1\}wsi->ws->rx_ubuf_alloc;/ebuf.len = (int)wsi->a.context->pt_serv_buf_size;/' "$reader"
grep -qF 'ebuf.len = (int)wsi->a.context->pt_serv_buf_size;' "$reader" ||
  say "reads stay as small as a link's buffer: the place was not found"

# What ends or fails meanwhile is met again by the next read.
openssl=$source/lib/tls/openssl/openssl-ssl.c
if grep -q '^[[:space:]]*n = SSL_read(wsi->tls.ssl, buf, len);$' "$openssl"; then
  awk '
    { print }
    $1 == "n" && /= SSL_read\(wsi->tls.ssl, buf, len\);$/ {
      print "\tif (n == 16384)"
      print "\t\twhile (len - n >= 16384) {"
      print "\t\t\tm = SSL_read(wsi->tls.ssl, buf + n, 16384);"
      print "\t\t\tif (m <= 0)"
      print "\t\t\t\tbreak;"
      print "\t\t\tn += m;"
      print "\t\t}"
    }
  ' "$openssl" >"$openssl.new"
  mv "$openssl.new" "$openssl"
else
  say "reads over OpenSSL stay one record long: the place was not found"
fi

parser=$source/lib/roles/ws/client-ws.c
anchor='caller will account for buflist usage by studying what'
begin='lws_ws_handshake_client(struct lws *wsi, unsigned char **buf, size_t len)'
if ! grep -qF "$anchor" "$parser" || ! grep -qF "$begin" "$parser"; then
  say "the client's parser stays byte by byte: the place was not found"
  echo "$wanted" >"$stamp"
  exit 0
fi
awk -v anchor="$anchor" -v begin="$begin" '
  # The line before is "int": the function goes in front of it.
  $0 == "int" { held = $0; next }
  held != "" {
    if (index($0, begin) == 1) {
      print "/* Payload of an unmasked frame, all but the last byte of what the parser waits for. */"
      print "static size_t"
      print "take_payload_at_once(struct lws *wsi, const unsigned char *in, size_t len)"
      print "{"
      print "\tsize_t room = wsi->a.protocol->rx_buffer_size;"
      print ""
      print "\tif (wsi->lws_rx_parse_state != LWS_RXPS_WS_FRAME_PAYLOAD ||"
      print "\t    wsi->ws->this_frame_masked || !wsi->ws->rx_ubuf)"
      print "\t\treturn 0;"
      print "\tif (!room)"
      print "\t\troom = wsi->a.context->pt_serv_buf_size;"
      print "\tif (room <= wsi->ws->rx_ubuf_head || !wsi->ws->rx_packet_length)"
      print "\t\treturn 0;"
      print "\troom -= wsi->ws->rx_ubuf_head;"
      print "\tif (len > room)"
      print "\t\tlen = room;"
      print "\tif (len > wsi->ws->rx_packet_length)"
      print "\t\tlen = wsi->ws->rx_packet_length;"
      print "\tif (--len) {"
      print "\t\tmemcpy(&wsi->ws->rx_ubuf[LWS_PRE + wsi->ws->rx_ubuf_head], in, len);"
      print "\t\twsi->ws->rx_ubuf_head += (unsigned int)len;"
      print "\t\twsi->ws->rx_packet_length -= len;"
      print "\t}"
      print ""
      print "\treturn len;"
      print "}"
      print ""
    }
    print held
    held = ""
  }
  index($0, anchor) { in_place = 1 }
  { print }
  in_place && $0 ~ /\*\/$/ {
    print "\t\t{"
    print "\t\t\tsize_t taken = take_payload_at_once(wsi, *buf, len);"
    print ""
    print "\t\t\t*buf += taken;"
    print "\t\t\tlen -= taken;"
    print "\t\t}"
    in_place = 0
  }
' "$parser" >"$parser.new"
mv "$parser.new" "$parser"
echo "$wanted" >"$stamp"
