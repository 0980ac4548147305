#include "agent/app/doctor_report.h"

#include <algorithm>
#include <cstdio>

#include "agent/app/json_text.h"
#include "common/base/untrusted.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxFoundBytes = 512;
constexpr std::size_t kIndent = 25;  // of the last column

std::string Shown(const std::string& text) { return ForTerminal(Untrusted(text), kMaxFoundBytes); }

std::string Member(std::string_view name, const std::string& text) {
  // Escaped for a terminal, it is valid UTF-8, which is what JSON asks for.
  return "\"" + std::string(name) + "\":" + JsonText(Shown(text));
}

}  // namespace

bool DoctorReport::Reaches(const std::string& server) const {
  return std::any_of(steps_.begin(), steps_.end(), [&](const DoctorStep& way) {
    return way.server == server &&
           std::none_of(steps_.begin(), steps_.end(), [&](const DoctorStep& step) {
             return step.server == server && step.proxy == way.proxy && !step.is_ok;
           });
  });
}

bool DoctorReport::is_good() const {
  return std::all_of(steps_.begin(), steps_.end(), [this](const DoctorStep& step) {
    return step.is_ok || (!step.server.empty() && Reaches(step.server));
  });
}

std::string DoctorReport::Json() const {
  std::string out = std::string("{\"ok\":") + (is_good() ? "true" : "false") + "," +
                    Member("agent", agent_) + "," + Member("version", version_) + "," +
                    Member("state", state_) + ",\"steps\":[";
  for (const DoctorStep& step : steps_) {
    if (!out.ends_with('[')) out += ",";
    out += "{" + Member("step", step.step) + "," + Member("server", step.server) + "," +
           Member("proxy", step.proxy) + ",\"ok\":" + (step.is_ok ? "true" : "false") +
           ",\"ms\":" + std::to_string(step.took.count()) + "," + Member("found", step.found) +
           "," + Member("fix", step.fix) + "}";
  }
  return out + "]}\n";
}

std::string DoctorReport::Table() const {
  std::string out;
  std::string heading = "\n";  // none yet
  for (const DoctorStep& step : steps_) {
    std::string own = step.server.empty() ? "this machine" : Shown(step.server);
    if (!step.proxy.empty()) own += " through " + Shown(step.proxy);
    if (own != heading) out += own + "\n";
    heading = own;
    char head[64];
    std::snprintf(head, sizeof head, "  %-10s%-4s%5lld ms ", step.step.c_str(),
                  step.is_ok ? "ok" : "FAIL", static_cast<long long>(step.took.count()));
    out += head + Shown(step.found) + "\n";
    if (!step.fix.empty()) out += std::string(kIndent, ' ') + Shown(step.fix) + "\n";
  }
  return out + (is_good() ? "nothing is wrong\n" : "something is wrong: see FAIL\n");
}

}  // namespace holdfast::agent
