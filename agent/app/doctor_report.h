// DoctorReport: what `holdfast-agent doctor` looked at, one step after the other, for people and machines.
//
// The JSON form is stable: members are only added (docs/operations/doctor.md).
//
// Threading: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.h"

namespace holdfast::agent {

struct DoctorStep {
  std::string step;    // "state", "tls", ...: one word, stable
  std::string server;  // as in the bundle; empty: about this machine
  std::string proxy;   // through which, without its password; empty: direct
  bool is_ok = false;
  Duration took{};
  std::string found;  // what is there, or what is wrong; hostile until escaped
  std::string fix;    // what to do; empty if nothing
};

class DoctorReport {
 public:
  DoctorReport(std::string state, std::string version)
      : state_(std::move(state)), version_(std::move(version)) {}

  void SetAgent(std::string id) { agent_ = std::move(id); }
  void Add(DoctorStep step) { steps_.push_back(std::move(step)); }
  // This machine is in order, and each server can be reached on at least one way.
  bool is_good() const;

  std::string Json() const;  // one line
  std::string Table() const;

 private:
  // Whether some way to this server has nothing but good steps.
  bool Reaches(const std::string& server) const;

  const std::string state_;
  const std::string version_;
  std::string agent_;  // empty: it has no key
  std::vector<DoctorStep> steps_;
};

}  // namespace holdfast::agent
