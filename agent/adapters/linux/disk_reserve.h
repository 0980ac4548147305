// DiskReserve: the Reserve as a file of kReserveBytes whose blocks are allocated.
//
// Ownership: owns the file at `path`.
// Threading: loop thread only.
// Design:    docs/decisions/0032-a-full-disk-pauses.md
#pragma once

#include <string>

#include "agent/core/reserve.h"

namespace holdfast::agent {

class DiskReserve final : public Reserve {
 public:
  explicit DiskReserve(std::string path);
  bool is_kept() const override { return is_kept_; }
  bool Release() override;
  void Keep() override;

 private:
  const std::string path_;
  bool is_kept_;
};

}  // namespace holdfast::agent
