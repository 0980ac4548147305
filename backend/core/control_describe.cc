#include "backend/core/control_describe.h"

#include <limits>

#include "common/base/bytes.h"
#include "common/base/untrusted.h"

namespace holdfast::backend {
namespace {

std::string Quoted(const std::string& bytes) {
  return "\"" + ForLog(Untrusted(bytes), std::numeric_limits<std::size_t>::max()) + "\"";
}

template <typename Repeated>
std::string QuotedAll(const Repeated& items) {
  std::string out;
  for (const std::string& item : items) out += " " + Quoted(item);
  return out;
}

}  // namespace

std::string Describe(std::string_view verb, const ::holdfast::command::v1::Command& command) {
  std::string out(verb);
  if (command.has_query()) {
    out += " " + Quoted(command.query().sql());
  } else if (command.has_ls()) {
    out += " " + Quoted(command.ls().path());
    if (command.ls().all()) out += " all";
    if (command.ls().recursive()) out += " recursive";
  } else if (command.has_stat()) {
    out += QuotedAll(command.stat().paths());
  } else if (command.has_cat()) {
    const auto& cat = command.cat();
    out += " " + Quoted(cat.path());
    if (cat.offset() != 0) out += " offset=" + std::to_string(cat.offset());
    if (cat.length() != 0) out += " length=" + std::to_string(cat.length());
  } else if (command.has_hash()) {
    out += QuotedAll(command.hash().paths());
  } else if (command.has_get()) {
    out += " " + Quoted(command.get().path());
  } else if (command.has_put()) {
    out += " " + Quoted(command.put().path());
    if (command.blobs_size() > 0) out += " sha256=" + ToHex(command.blobs(0).sha256());
    if (command.put().overwrite()) out += " overwrite";
  } else if (command.has_exec()) {
    const auto& exec = command.exec();
    out += QuotedAll(exec.argv());
    if (!exec.cwd().empty()) out += " cwd=" + Quoted(exec.cwd());
    for (const std::string& entry : exec.env()) out += " env=" + Quoted(entry);
    if (!exec.stdin().empty()) out += " stdin=" + std::to_string(exec.stdin().size()) + "B";
  } else if (command.has_kill()) {
    for (const auto pid : command.kill().pids()) out += " " + std::to_string(pid);
    out += " signal=" + std::to_string(command.kill().signal());
  } else if (command.has_cancel()) {
    out += " " + ToHex(command.cancel().digest());
  }
  return out;
}

}  // namespace holdfast::backend
