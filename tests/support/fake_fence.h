// FakeFence and FakeIsolationFile: a network that is closed or not, and a record that survives the agent.
//
// Threading: thread-compatible.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/core/fence.h"

namespace holdfast::testing {

class FakeFence final : public agent::Fence {
 public:
  Status Close(const std::vector<std::string>& allow, Duration kernel_time) override {
    if (refuse) return *refuse;
    closed = true;
    allowed = allow;
    left = kernel_time;
    ++closes;
    return Ok();
  }
  Result<Found> Look(const std::vector<std::string>& allow, Duration kernel_time) override {
    ++looks;
    const Found found = closed ? Found::kStands : Found::kGone;
    if (!closed) HF_TRY(Close(allow, kernel_time));
    return found;
  }
  Status Open() override {
    if (refuse_open) return *refuse_open;
    closed = false;
    return Ok();
  }

  std::optional<Error> refuse;
  std::optional<Error> refuse_open;
  bool closed = false;
  std::vector<std::string> allowed;
  Duration left{0};  // of the last Close()
  int closes = 0;
  int looks = 0;
};

class FakeIsolationFile final : public agent::IsolationFile {
 public:
  Result<std::string> Load() override {
    if (!bytes) return Error{Code::kNotFound, "no record"};
    return *bytes;
  }
  Status Save(std::string_view text) override {
    if (refuse) return *refuse;
    bytes = text;
    ++saves;
    return Ok();
  }
  Status Remove() override {
    if (refuse) return *refuse;
    bytes.reset();
    return Ok();
  }
  bool TakeReleaseRequest() override { return std::exchange(is_release_asked, false); }
  std::string BootId() override { return boot; }

  std::optional<std::string> bytes;
  std::optional<Error> refuse;
  bool is_release_asked = false;
  std::string boot = "boot-1";
  int saves = 0;
};

}  // namespace holdfast::testing
