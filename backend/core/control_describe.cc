#include "backend/core/control_describe.h"

#include <limits>

#include "common/base/bytes.h"
#include "common/base/untrusted.h"
#include "common/sign/envelope.h"
#include "holdfast/command/v1/update.pb.h"

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

void AddIf(std::string& out, const char* name, const std::string& value) {
  if (!value.empty()) out += std::string(" ") + name + "=" + Quoted(value);
}
template <typename Number>
void AddIfSet(std::string& out, const char* name, Number value) {
  if (value != 0) out += std::string(" ") + name + "=" + std::to_string(value);
}

void AddFind(const ::holdfast::command::v1::FindArgs& find, std::string& out) {
  out += " " + Quoted(find.path());
  AddIf(out, "name", find.name());
  AddIf(out, "iname", find.iname());
  AddIf(out, "regex", find.regex());
  AddIf(out, "type", find.types());
  AddIfSet(out, "min_size", find.min_size());
  AddIfSet(out, "below_size", find.below_size());
  AddIfSet(out, "mtime_from", find.mtime_from());
  AddIfSet(out, "mtime_before", find.mtime_before());
  AddIf(out, "user", find.user());
  AddIfSet(out, "perm_all", find.perm_all());
  AddIfSet(out, "perm_any", find.perm_any());
  AddIfSet(out, "max_depth", find.max_depth());
  if (find.other_file_systems()) out += " other_file_systems";
  if (find.pseudo_file_systems()) out += " pseudo_file_systems";
  AddIf(out, "content", find.content());
  AddIf(out, "content_regex", find.content_regex());
  AddIfSet(out, "max_results", find.max_results());
}

// Names of the definitions; the envelope has each path.
void AddCollect(const ::holdfast::command::v1::CollectArgs& collect, std::string& out) {
  std::string last;
  std::size_t patterns = 0;
  for (const auto& source : collect.sources()) {
    patterns += static_cast<std::size_t>(source.paths_size());
    if (source.argv_size() > 0) out += " run:" + QuotedAll(source.argv());
    if (source.name() == last) continue;
    last = source.name();
    out += " " + Quoted(last);
  }
  out += " paths=" + std::to_string(patterns);
}

void AddMemdump(const ::holdfast::command::v1::MemdumpArgs& dump, std::string& out) {
  if (dump.machine()) out += " machine";
  AddIfSet(out, "pid", dump.pid());
  AddIfSet(out, "start_ticks", dump.start_ticks());
  for (int i = 0; i + 1 < dump.ranges_size(); i += 2) {
    out += " range=" + std::to_string(dump.ranges(i)) + "-" + std::to_string(dump.ranges(i + 1));
  }
  AddIf(out, "path", dump.path());
  AddIf(out, "permissions", dump.permissions());
  if (dump.no_files()) out += " no_files";
  if (dump.stop()) out += " stop";
}

void AddCapture(const ::holdfast::command::v1::CaptureArgs& capture, std::string& out) {
  AddIf(out, "interface", capture.interface());
  AddIf(out, "filter", capture.expression());
  AddIfSet(out, "instructions", capture.filter().size() / 8);
  AddIfSet(out, "duration_ms", capture.duration_ms());
  AddIfSet(out, "packets", capture.packets());
  AddIfSet(out, "max_bytes", capture.max_bytes());
  AddIfSet(out, "snap_bytes", capture.snap_bytes());
  if (capture.promiscuous()) out += " promiscuous";
  if (capture.own_link()) out += " own_link";
}

// The release as it says of itself: its signatures are the agents' to check.
void AddUpdate(const ::holdfast::command::v1::UpdateArgs& update, std::string& out) {
  const auto envelope = sign::ParseEnvelope(update.release(), sign::kReleaseType);
  ::holdfast::command::v1::Release release;
  if (envelope.ok() && release.ParseFromString(envelope.value().payload())) {
    AddIf(out, "version", release.version());
  }
  AddIfSet(out, "after", update.after_size());
}

// A terminal: its size and its program; the key says nothing to people.
void AddPty(const ::holdfast::command::v1::PtyArgs& pty, std::string& out) {
  out += " " + std::to_string(pty.columns()) + "x" + std::to_string(pty.rows());
  out += pty.argv_size() == 0 ? " login shell" : QuotedAll(pty.argv());
}

// find, tail, archive and collect, and what changes files or brings a program along.
void AddFileVerbs(const ::holdfast::command::v1::Command& command, std::string& out) {
  if (command.has_find()) {
    AddFind(command.find(), out);
  } else if (command.has_tail()) {
    if (command.tail().journal()) out += " journal";
    if (!command.tail().journal()) out += " " + Quoted(command.tail().path());
    AddIf(out, "unit", command.tail().unit());
    AddIfSet(out, "levels", command.tail().levels());
    out += " lines=" + std::to_string(command.tail().lines());
    if (command.tail().follow()) out += " follow";
  } else if (command.has_archive()) {
    out += QuotedAll(command.archive().paths());
  } else if (command.has_collect()) {
    AddCollect(command.collect(), out);
  } else if (command.has_pty()) {
    AddPty(command.pty(), out);
  } else if (command.has_mkdir()) {
    out += " " + Quoted(command.mkdir().path());
    if (command.mkdir().parents()) out += " parents";
  } else if (command.has_cp()) {
    out += " " + Quoted(command.cp().from()) + " " + Quoted(command.cp().to());
    if (command.cp().recursive()) out += " recursive";
    if (command.cp().overwrite()) out += " overwrite";
  } else if (command.has_mv()) {
    out += " " + Quoted(command.mv().from()) + " " + Quoted(command.mv().to());
    if (command.mv().overwrite()) out += " overwrite";
  } else if (command.has_rm()) {
    out += QuotedAll(command.rm().paths());
    if (command.rm().recursive()) out += " recursive";
  } else if (command.has_run()) {
    const auto& run = command.run();
    AddIf(out, "interpreter", run.interpreter());
    out += " " + Quoted(run.name()) + QuotedAll(run.args());
    if (command.blobs_size() > 0) out += " sha256=" + ToHex(command.blobs(0).sha256());
    AddIf(out, "cwd", run.cwd());
    for (const std::string& entry : run.env()) out += " env=" + Quoted(entry);
    if (!run.stdin().empty()) out += " stdin=" + std::to_string(run.stdin().size()) + "B";
  } else if (command.has_memdump()) {
    AddMemdump(command.memdump(), out);
  } else if (command.has_capture()) {
    AddCapture(command.capture(), out);
  } else if (command.has_scan()) {
    out += QuotedAll(command.scan().paths());
    for (const auto pid : command.scan().pids()) out += " pid=" + std::to_string(pid);
    if (command.scan().processes()) out += " processes";
    if (command.blobs_size() > 0) out += " sha256=" + ToHex(command.blobs(0).sha256());
  } else if (command.has_update()) {
    AddUpdate(command.update(), out);
  } else if (command.has_isolate()) {
    out += " duration_ms=" + std::to_string(command.isolate().duration_ms());
    for (const std::string& peer : command.isolate().allow()) AddIf(out, "allow", peer);
  }
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
    if (command.kill().tree()) out += " tree";
  } else if (command.has_cancel()) {
    out += " " + ToHex(command.cancel().digest());
  } else {
    AddFileVerbs(command, out);
  }
  AddIf(out, "case", command.case_id());
  AddIf(out, "reason", command.reason());
  return out;
}

}  // namespace holdfast::backend
